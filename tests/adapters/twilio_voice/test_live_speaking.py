"""What is spoken into a call: over its socket, and turn by turn."""

import json
from typing import Any

import pytest

from adapters.base import Outcome, Wire
from adapters.twilio_voice.live import lines
from adapters.twilio_voice.plan import Lines, Words
from normalizer.envelope import Status
from tests.adapters.twilio_voice.support import (
    ADAPTER,
    PROMPT,
    SETUP,
    adapter,
    event,
    frame,
    message,
    outcome,
    said,
    text,
)
from tests.kit.cases import NOW


def wire(body: dict[str, Any], seq: int = 4, **facts: Any) -> Wire:
    more = facts.pop("envelope", {})
    return Wire(seq=seq, envelope=message(body, **more), at=NOW, **facts)


def shown(body: dict[str, Any], takeover: str = "typed", **facts: Any) -> Any:
    spoken = adapter(takeover=takeover).show(wire(body, **facts))
    return None if spoken is None else json.loads(spoken)


def state(name: str) -> dict[str, Any]:
    return {"kind": "state_change", "state": name, "reason": "r"}


PRESSED = {"type": "choice_made", "id": "1w2#", "title": "1"}
AUDIO = {"type": "audio", "media": {"stored": "aa", "mime": "audio/mpeg"}}
URLS = {"aa": "https://gw.example/media/aa"}
END = '{"reason":"agent"}'


@pytest.mark.parametrize(
    ("body", "facts", "want"),
    [
        (said(text("**Hello** there")), {}, {"type": "text", "token": "Hello there", "last": True}),
        (said(text("Hola")), {"envelope": {"locale": "es-ES"}},
         {"type": "text", "token": "Hola", "last": True, "lang": "es-ES"}),
        (said(text("One. Two.")), {"streamed": 4}, {"type": "text", "token": " Two.", "last": True}),
        (said(text("One. Two.")), {"streamed": 9}, {"type": "text", "token": "", "last": True}),
        (said(text("One.")), {"streamed": 40}, {"type": "text", "token": "", "last": True}),
        (said(text("One. Two.")), {"streamed": 4, "closed": True}, {"type": "text", "token": "Two.", "last": True}),
        (said(text("One. Two.")), {"streamed": 9, "closed": True}, None),
        (said(text("😀")), {}, None),
        (said(text("gone")), {"withdrawn": True}, None),
        (said(text("mine")), {"envelope": {"direction": "in", "author": "customer"}}, None),
        (said(AUDIO), {"media_urls": URLS},
         {"type": "play", "source": URLS["aa"], "loop": 1, "interruptible": True, "preemptible": False}),
        (said(AUDIO), {}, None),
        (said(PRESSED), {}, {"type": "sendDigits", "digits": "1w2#"}),
        (state("queue"), {}, {"type": "end", "handoffData": END}),
        (state("agent"), {}, None),
        (state("agent"), {"takeover": "phone"}, {"type": "end", "handoffData": END}),
        (state("nobody"), {}, {"type": "end", "handoffData": '{"reason":"done"}'}),
        (state("ai"), {}, None),
        # Over a line that came back: pressed twice is worse than not at all. What has not gone out yet is pressed.
        (said(PRESSED), {"again": True, "status": Status.SENT}, None),
        (said(PRESSED), {"again": True, "status": Status.FAILED}, None),
        (said(PRESSED), {"again": True}, {"type": "sendDigits", "digits": "1w2#"}),
        (said(PRESSED), {"status": Status.SENT}, {"type": "sendDigits", "digits": "1w2#"}),
        (said(text("Once more.")), {"again": True, "status": Status.SENT},
         {"type": "text", "token": "Once more.", "last": True}),
        (event("key", direction="out", detail="12#"), {"again": True, "status": Status.SENT}, None),
        (event("key", direction="out", detail="12#"), {}, {"type": "sendDigits", "digits": "12#"}),
        (event("ended", direction="out"), {}, {"type": "end", "handoffData": '{"reason":"done"}'}),
        (event("ringing", direction="out"), {}, None),
        ({"kind": "revoke", "target": "x"}, {}, None),
        ({"kind": "typing"}, {}, None),
        ({"kind": "note", "text": "n"}, {}, None),
    ],
)  # fmt: skip
def test_show(body: dict[str, Any], facts: dict[str, Any], want: Any) -> None:
    assert shown(body, **facts) == want


@pytest.mark.parametrize(
    ("body", "once"),
    [
        (said(PRESSED), True),
        (event("key", direction="out", detail="12#"), True),
        (said(text("Press one.")), False),
        (said(AUDIO), False),
        (event("ended", direction="out"), False),
        (state("queue"), False),
    ],
)
def test_what_must_not_be_repeated_is_keys(body: dict[str, Any], once: bool) -> None:
    assert ADAPTER.once(message(body)) is once


@pytest.mark.parametrize(
    ("piece", "first", "token"),
    [("Let me **check**.", True, "Let me check."), ("Done.", False, " Done."), (" Done.", False, " Done."),
     ("One. ", True, "One. ")],
)  # fmt: skip
def test_partial(piece: str, first: bool, token: str) -> None:
    assert json.loads(ADAPTER.partial(piece, first)) == {"type": "text", "token": token, "last": False}


BOTH = {"type": "language", "ttsLanguage": "es-ES", "transcriptionLanguage": "es-ES"}
SPEAKS = {"type": "language", "ttsLanguage": "es-ES"}


@pytest.mark.parametrize(
    ("locale", "before", "heard", "want"),
    [
        ("en-US", None, None, None),
        ("EN-us", None, None, None),
        ("en", None, None, None),  # any English will do
        ("es-ES", "es-ES", "en-US", None),
        ("es-ES", None, None, BOTH),
        ("es-ES", "en-US", "en-US", BOTH),
        ("es-ES", "es-MX", "es-MX", BOTH),
        ("es-ES", "es", "es", BOTH),
        ("es-ES", None, "es-ES", SPEAKS),  # he is understood already
        ("en-US", "es-ES", None, {"type": "language", "ttsLanguage": "en-US"}),
    ],
)
def test_the_language_changes_where_it_is_another_one(
    locale: str, before: str | None, heard: str | None, want: Any
) -> None:
    frame = ADAPTER.language(locale, before, heard)
    assert (None if frame is None else json.loads(frame)) == want


def test_handoff_data_is_a_text() -> None:
    assert isinstance(shown(state("queue"))["handoffData"], str)
    assert json.loads(ADAPTER.farewell(1000)) == {"type": "end", "handoffData": '{"reason":"reconnect"}'}


def test_the_rest_of_a_socket_is_silence() -> None:
    assert ADAPTER.synced(4) == b""
    assert ADAPTER.greet(None, NOW) == ()  # type: ignore[arg-type]
    assert ADAPTER.respond(frame(PROMPT), outcome("ai")).body == b""
    assert ADAPTER.headers(frame(PROMPT)) == {}
    assert ADAPTER.limited(frame(PROMPT), 10) == b""


def test_who_speaks_while_nothing_can_be_kept_goes_on_to_people() -> None:
    """By the action's URL, which says that we have a problem where that lasts. Silence is no answer."""
    assert json.loads(ADAPTER.respond(frame(PROMPT), None).body) == {"type": "end", "handoffData": END}
    for other in ({"type": "dtmf", "digit": "1"}, {"type": "interrupt"}, SETUP, b"junk"):
        assert ADAPTER.respond(frame(other), None).body == b""


def test_who_speaks_and_is_answered_late_stays_on_the_line() -> None:
    """His turn is safe."""
    assert ADAPTER.respond(frame(PROMPT), Outcome(error="late")).body == b""


# --- the same, turn by turn ---------------------------------------------------------------------------------------


def test_lines_are_said_in_their_order() -> None:
    wires = [wire(said(text("One.")), 4), wire(said(text("mine")), 5, envelope={"direction": "in"}),
             wire(said(text("Two.")), 6), wire(said(AUDIO), 7, media_urls=URLS)]  # fmt: skip
    assert lines(wires, "typed", more=True) == Lines(say=("One.", "Two."), play=(URLS["aa"],), last=7, more=True)
    assert lines([], "typed", more=False) == Lines()


def test_lines_keep_their_languages() -> None:
    """What is no language is none: it would stand in a document."""
    locales = ["es-ES", None, "<en>"]
    wires = [wire(said(text("x")), 4, envelope={"locale": locale} if locale else {}) for locale in locales]
    assert lines(wires, "typed", more=False) == Lines(say=(Words("x", "es-ES"), "x", "x"), last=4)


@pytest.mark.parametrize(("name", "then"), [("queue", "people"), ("nobody", "goodbye"), ("agent", None), ("ai", None)])
def test_a_change_of_the_holder_ends_them(name: str, then: str | None) -> None:
    """Its explanation stands behind it, and is said."""
    found = lines([wire(state(name), 4), wire(said(text("A colleague will help.")), 5)], "typed", more=False)
    assert found == Lines(say=("A colleague will help.",), then=then, last=5)  # type: ignore[arg-type]
