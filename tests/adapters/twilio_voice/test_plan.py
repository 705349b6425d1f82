"""What a call does next, row by row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters._twilio import Form
from adapters.twilio_voice.config import Config
from adapters.twilio_voice.plan import (
    AFTER,
    Await,
    Connect,
    Dial,
    Enqueue,
    Goodbye,
    Leave,
    Lines,
    Listen,
    Menu,
    Nothing,
    Planner,
    Step,
    Told,
    Voicemail,
    Waiting,
    Words,
    after,
    handoff,
    reason_of,
)
from adapters.twilio_voice.wire import OVER
from tests.adapters.twilio_voice.support import CONFIG, SETTINGS, fields
from tests.kit.cases import NOW

PEOPLE = Dial((CONFIG.say_connecting,), "+15559990000")
MESSAGE = Voicemail((CONFIG.say_voicemail,))
BYE = Goodbye((CONFIG.say_goodbye,))
AGENT = '{"reason":"agent","ticket":"T1"}'


def form(**values: str) -> Form:
    return Form({name: [value] for name, value in values.items()})


def planner(**changes: Any) -> Planner:
    return Planner(Config(**{**SETTINGS, **changes}))


def told(query: Form | None = None, *, settled: bool = True, holder: str | None = None, wire_seq: int | None = 3,
         now: datetime = NOW, can_be_called: bool = True, **more: str) -> Told:  # fmt: skip
    return Told(form=form(**fields(**more)), query=query or Form(), now=now, settled=settled, holder=holder,
                wire_seq=wire_seq, can_be_called=can_be_called)  # fmt: skip


def step(path: str, query: Form | None = None, by: Planner | None = None, **more: Any) -> Step:
    return (by or planner()).step(path, told(query, **more))


# --- who answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, PEOPLE),
        ({"queue": "desk"}, PEOPLE),
        ({"human_number": None, "queue": "desk"}, Enqueue((CONFIG.say_connecting,), "desk")),
        ({"human_number": None}, MESSAGE),
        ({"hours": {"fri": ("03:00-04:00",)}}, PEOPLE),
        ({"hours": {"fri": ("09:00-17:00",)}}, MESSAGE),
        ({"hours": {"mon": ("00:00-24:00",)}}, MESSAGE),
        ({"closed_on": ("2026-01-02",)}, MESSAGE),
    ],
)
def test_people(changes: dict[str, Any], want: Step) -> None:
    """The frozen clock stands at a Friday, 03:04 UTC."""
    assert planner(**changes).people(NOW) == want


def test_hours_that_can_not_be_read_close_nobody_out() -> None:
    assert planner(time_zone="Mars").people(NOW) == PEOPLE


@pytest.mark.parametrize(
    ("holder", "want"),
    [(None, Connect()), ("ai", Connect()), ("nobody", Connect()), ("queue", PEOPLE), ("agent", PEOPLE)],
)
def test_an_incoming_call_goes_to_whoever_holds_the_conversation(holder: str | None, want: Step) -> None:
    assert step("", holder=holder) == want


def test_when_nobody_knows_in_time_it_goes_to_people() -> None:
    assert step("", settled=False) == PEOPLE
    assert step("", settled=False, by=planner(human_number=None)) == MESSAGE


def test_turn_by_turn_it_begins_with_the_greeting() -> None:
    assert step("", by=planner(mode="gather")) == Listen((CONFIG.say_greeting,), 3)
    assert step("", by=planner(mode="gather"), wire_seq=None) == PEOPLE


@pytest.mark.parametrize("path", ["", "/after", "/turn", "/menu", "/queue", "/queue-done", "/dial-done", "/voicemail",
                                  "/wait", "/nowhere"])  # fmt: skip
@pytest.mark.parametrize("status", sorted(OVER))
def test_a_call_that_is_over_gets_nothing(path: str, status: str) -> None:
    assert step(path, CallStatus=status) == Nothing()


@pytest.mark.parametrize("path", ["", "/after", "/turn", "/menu", "/queue", "/queue-done", "/dial-done", "/voicemail",
                                  "/wait", "/nowhere"])  # fmt: skip
@pytest.mark.parametrize("status", ["in-progress", "ringing", "", "new-word"])
def test_a_call_that_is_up_never_gets_nothing(path: str, status: str) -> None:
    for settled in (True, False):
        assert step(path, CallStatus=status, settled=settled) != Nothing()


# --- after a relay ------------------------------------------------------------------------------------------------

RETRY = Connect(greet=False, failed_s=int(NOW.timestamp()))
UNOPENED = Connect(greet=True, failed_s=int(NOW.timestamp()))
"""The relay would have spoken the greeting: who never had a socket has heard nothing yet."""


@pytest.mark.parametrize(
    ("status", "error", "data", "want"),
    [
        ("ended", "", AGENT, PEOPLE),
        ("ended", "", '{"reasonCode":"live-agent-handoff"}', PEOPLE),
        ("completed", "", AGENT, PEOPLE),
        ("ended", "", '{"reason":"done"}', BYE),
        ("completed", "", '{"reason":"done"}', BYE),
        ("ended", "", '{"reason":"reconnect"}', Connect(greet=False)),
        ("ended", "", "", PEOPLE),
        ("ended", "", "{}", PEOPLE),
        ("ended", "", "not json", PEOPLE),
        ("ended", "", "[" * 100_000, PEOPLE),
        ("ended", "", '{"reason":5}', PEOPLE),
        ("ended", "", '"agent"', PEOPLE),
        ("failed", "64105", "", RETRY),
        ("failed", "64102", "", UNOPENED),
        ("failed", "64107", "", PEOPLE),
        ("failed", "64101", "", PEOPLE),
        ("failed", "", "", PEOPLE),
        ("failed", "", '{"reason":"done"}', PEOPLE),
        ("ended", "64105", "", RETRY),
        ("", "", "", PEOPLE),
        ("dreaming", "99999", "x", PEOPLE),
    ],
)
def test_what_follows_a_relay(status: str, error: str, data: str, want: Step) -> None:
    assert step("/after", SessionStatus=status, ErrorCode=error, HandoffData=data) == want


@pytest.mark.parametrize(("ago_s", "want"), [(0, Menu()), (60, Menu()), (61, RETRY)])
def test_a_relay_that_fails_twice_in_a_minute_is_given_up(ago_s: int, want: Step) -> None:
    before = form(f=str(int(NOW.timestamp()) - ago_s))
    assert step("/after", before, SessionStatus="failed", ErrorCode="64105") == want


@pytest.mark.parametrize("junk", ["", "x", "-1", "9" * 50])
def test_a_time_of_failure_that_is_none_is_the_first(junk: str) -> None:
    assert step("/after", form(f=junk), SessionStatus="failed", ErrorCode="64105") == RETRY


@pytest.mark.parametrize(
    ("holder", "takeover", "want"),
    [("ai", "typed", RETRY), ("queue", "typed", PEOPLE), ("agent", "typed", RETRY), ("agent", "phone", PEOPLE)],
)
def test_a_relay_is_opened_again_only_for_who_answers_over_it(holder: str, takeover: str, want: Step) -> None:
    by = planner(takeover=takeover)
    assert step("/after", by=by, holder=holder, SessionStatus="failed", ErrorCode="64105") == want


def test_the_store_need_not_answer_for_a_call_to_be_connected_again() -> None:
    assert step("/after", settled=False, SessionStatus="failed", ErrorCode="64105") == RETRY


def test_the_last_row_fits_everything() -> None:
    assert (AFTER[-1].status, AFTER[-1].error, AFTER[-1].reason) == (None, None, None)
    assert after(Form()) == "people"


def test_reasons_come_back() -> None:
    assert [reason_of(handoff(reason)) for reason in ("agent", "done", "reconnect")] == ["agent", "done", "reconnect"]


# --- turn by turn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "facts", "want"),
    [
        (form(a="7"), {"SpeechResult": "hi"}, Await((), 7)),
        (Form(), {"SpeechResult": "hi"}, Await((), 3)),
        (form(a="7"), {"Digits": "1"}, Await((), 7)),
        (form(a="7"), {"SpeechResult": " "}, Listen((CONFIG.say_again,), 7, silent=1)),
        (form(a="7"), {"SpeechResult": "hi", "holder": "queue"}, PEOPLE),
        (form(a="7"), {"SpeechResult": "hi", "holder": "agent"}, Await((), 7)),
        (form(a="7"), {"SpeechResult": "hi", "settled": False}, PEOPLE),
        (Form(), {"SpeechResult": "hi", "wire_seq": None}, PEOPLE),
    ],
)
def test_a_turn(query: Form, facts: dict[str, Any], want: Step) -> None:
    assert step("/turn", query, **facts) == want


@pytest.mark.parametrize(
    ("query", "lines", "want"),
    [
        (form(a="3", w="0"), Lines(say=("Here.",), last=5), Listen(("Here.",), 5)),
        (form(a="3", w="0"), Lines(play=("u",), last=5), Listen((), 5, play=("u",))),
        (form(a="3", w="0"), Lines(say=("Here.",), last=5, more=True), Await(("Here.",), 5)),
        (form(a="3", w="0"), Lines(last=5), Await((CONFIG.say_wait,), 5, 8)),
        (form(a="3", w="16"), Lines(), Await((CONFIG.say_wait,), 3, 24)),
        (form(a="3", w="24"), Lines(), PEOPLE),
        (form(a="3", w="24"), Lines(say=("Late.",), last=4), Listen(("Late.",), 4)),
        (form(a="3", w="0"), Lines(say=("Bye.",), then="goodbye", last=5), Goodbye(("Bye.", CONFIG.say_goodbye))),
        (form(a="3", w="0"), Lines(say=("Wait.",), then="people", last=5), Dial(("Wait.",), "+15559990000")),
        (form(a="3", w="0"), Lines(then="people", last=5), PEOPLE),
        (form(a="3", q="1"), Lines(), Listen((CONFIG.say_again,), 3, silent=1)),
        (form(a="3", q="2"), Lines(), Listen((CONFIG.say_again,), 3, silent=2)),
        (form(a="3", q="3"), Lines(), PEOPLE),
        (form(a="3", q="3"), Lines(say=("Here.",), last=4), Listen(("Here.",), 4)),
    ],
)
def test_what_was_answered(query: Form, lines: Lines, want: Step) -> None:
    assert planner(mode="gather").answered(query, NOW, lines) == want


SPANISH = Words("Hola.", "es-ES")


@pytest.mark.parametrize(
    ("query", "lines", "want"),
    [
        (form(a="3"), Lines(say=(SPANISH,), last=5), Listen((SPANISH,), 5, language="es-ES")),
        (form(a="3"), Lines(say=(SPANISH,), last=5, more=True), Await((SPANISH,), 5, language="es-ES")),
        (form(a="3"), Lines(say=(SPANISH, "Ours."), last=5), Listen((SPANISH, "Ours."), 5, language="es-ES")),
        (form(a="3", l="es-ES"), Lines(say=(SPANISH,), last=5), Listen((SPANISH,), 5, language="es-ES")),
        # Who is understood already is heard as before: any Spanish, any English.
        (form(a="3", l="es-MX"), Lines(say=(Words("Si.", "es"),), last=5),
         Listen((Words("Si.", "es"),), 5, language="es-MX")),
        (form(a="3"), Lines(say=(Words("Hi.", "en"),), last=5), Listen((Words("Hi.", "en"),), 5)),
        (form(a="3", l="es-ES"), Lines(say=(Words("Hi.", "en-US"),), last=5), Listen((Words("Hi.", "en-US"),), 5)),
        (form(a="3", l="es-ES"), Lines(say=("Ours.",), last=5), Listen(("Ours.",), 5, language="es-ES")),
        (form(a="3", l="es-ES"), Lines(last=5), Await((CONFIG.say_wait,), 5, 8, language="es-ES")),
        (form(a="3", l="es-ES", q="1"), Lines(), Listen((CONFIG.say_again,), 3, silent=1, language="es-ES")),
        (form(a="3", l='"><Hangup/>'), Lines(last=5), Await((CONFIG.say_wait,), 5, 8)),
        (form(a="3"), Lines(say=(SPANISH,), then="goodbye"), Goodbye((SPANISH, CONFIG.say_goodbye))),
        (form(a="3"), Lines(say=(SPANISH,), then="people"), Dial((SPANISH,), "+15559990000")),
    ],
)  # fmt: skip
def test_the_caller_is_heard_in_the_language_that_he_is_answered_in(query: Form, lines: Lines, want: Step) -> None:
    assert planner(mode="gather").answered(query, NOW, lines) == want


@pytest.mark.parametrize(
    ("query", "facts", "want"),
    [
        (form(a="7", l="es-ES"), {"SpeechResult": "hola"}, Await((), 7, language="es-ES")),
        (form(a="7", l="es-ES"), {}, Listen((CONFIG.say_again,), 7, silent=1, language="es-ES")),
        (form(a="7"), {"SpeechResult": "hola", "Language": "es-ES"}, Await((), 7, language="es-ES")),
        (form(a="7", l="es-ES"), {"SpeechResult": "hi", "Language": "en-US"}, Await((), 7)),
        (form(a="7"), {"SpeechResult": "hi", "Language": "<x>"}, Await((), 7)),
    ],
)
def test_the_language_of_a_turn_is_not_forgotten(query: Form, facts: dict[str, Any], want: Step) -> None:
    assert step("/turn", query, **facts) == want


def test_what_stands_before_a_handoff_is_heard_out_of_hours_too() -> None:
    """The answer of the AI is in it: its send has counted as said."""
    by = planner(mode="gather", hours={"mon": ("00:00-24:00",)})
    found = Lines(say=("It was sent on Monday.",), then="people", last=5)
    assert by.answered(form(a="3"), NOW, found) == Voicemail(("It was sent on Monday.", CONFIG.say_voicemail))


@pytest.mark.parametrize(("query", "ms"), [(form(w="0"), 8000), (form(w="24"), 6000), (form(w="30"), 1000),
                                           (form(q="1"), 0), (Form(), 8000)])  # fmt: skip
def test_patience_stays_below_the_providers(query: Form, ms: int) -> None:
    assert planner().patience_ms(query) == ms


# --- without the AI -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "facts", "want"),
    [
        (Form(), {"Digits": "1"}, PEOPLE),
        (Form(), {"Digits": "2"}, Goodbye((CONFIG.say_callback,))),
        (Form(), {"Digits": "3"}, MESSAGE),
        (Form(), {"Digits": "9"}, Menu(1)),
        (Form(), {}, Menu(1)),
        (form(n="1"), {"Digits": "9"}, PEOPLE),
        (form(n="1"), {"Digits": ""}, PEOPLE),
        (form(n="1"), {"Digits": "3"}, MESSAGE),
        (Form(), {"SpeechResult": "an agent"}, PEOPLE),
    ],
)
def test_the_menu(query: Form, facts: dict[str, Any], want: Step) -> None:
    assert step("/menu", query, **facts) == want


def test_who_has_no_number_can_not_be_called_back() -> None:
    assert step("/menu", Digits="2", can_be_called=False) == MESSAGE


@pytest.mark.parametrize(
    ("status", "want"),
    [("completed", BYE), ("answered", BYE), ("busy", MESSAGE), ("no-answer", MESSAGE), ("failed", MESSAGE),
     ("canceled", MESSAGE), ("", MESSAGE), ("new-word", MESSAGE)],
)  # fmt: skip
def test_after_a_transfer(status: str, want: Step) -> None:
    assert step("/dial-done", DialCallStatus=status) == want


@pytest.mark.parametrize(
    ("result", "want"),
    [("bridged", BYE), ("hangup", Nothing()), ("leave", MESSAGE), ("redirected", MESSAGE), ("queue-full", MESSAGE),
     ("error", MESSAGE), ("system-error", MESSAGE), ("", MESSAGE), ("new-word", MESSAGE)],
)  # fmt: skip
def test_after_a_queue(result: str, want: Step) -> None:
    assert step("/queue-done", QueueResult=result) == want


@pytest.mark.parametrize(("waited", "want"), [("0", Waiting()), ("599", Waiting()), ("600", Leave()), ("x", Waiting())])
def test_nobody_waits_for_ever(waited: str, want: Step) -> None:
    assert step("/wait", QueueTime=waited) == want


def test_after_a_message_it_is_over() -> None:
    assert step("/voicemail", now=datetime(2026, 1, 2, tzinfo=UTC)) == BYE
