"""What the socket of a line remembers of answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Wire
from gateway.live.talk import MOST_HEARD_OF, MOST_UNSURE, Asked, Talk, is_left_over
from gateway.streams import Sentence
from gateway.wake import Met
from normalizer.envelope import Body, CallEvent, Envelope, Message, StateChange, Status, Text
from normalizer.ids import EndpointId, EnvelopeId, ExternalId
from tests.gateway.phone import Phone

SHOW = Phone().show
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TURNS = "CA2/"
HELLO = Message(parts=(Text("hello"),))


def envelope(body: Body = HELLO, **facts: Any) -> Envelope:
    known = {"id": EnvelopeId("e"), "direction": "in", "channel_type": "line", "endpoint_id": EndpointId("line")}
    return Envelope(**{**known, "occurred_at": AT, "body": body, **facts})


def turn(call: str = TURNS, seq: int | None = None, **facts: Any) -> Envelope:
    return envelope(external_id=ExternalId(f"{call}1"), seq=seq, **facts)


def line(author: str = "ai", seq: int = 9, status: Status | None = None, body: Body = HELLO, id: str = "e",
         locale: str | None = None) -> Wire:  # fmt: skip
    ours = envelope(body, id=EnvelopeId(id), direction="out", author=author, seq=seq, locale=locale)
    return Wire(seq=1, envelope=ours, at=AT, status=status)


def sentence(
    id: str = "a", *, first: bool = True, up_to: int = 9, chars: int = 4, locale: str | None = None
) -> Sentence:
    return Sentence(EnvelopeId(id), "One.", chars, first, up_to, locale)


def talking() -> Talk:
    return Talk(Phone())


def called(head: int = 5) -> Talk:
    talk = talking()
    talk.turns, talk.asked = TURNS, Asked(None, head)
    return talk


@pytest.mark.parametrize(
    ("asked", "author", "seq", "left_over"),
    [
        (Asked(None), "ai", 9, True),
        (Asked(9), "ai", 8, True),
        (Asked(9), "ai", 10, False),
        (Asked(None), "agent", 9, False),
        (Asked(None), "system", 9, False),
        (Asked(), "ai", 1, False),
    ],
)
def test_only_answers_of_the_ai_are_left_over(asked: Asked, author: str, seq: int, left_over: bool) -> None:
    assert is_left_over(line(author, seq), asked) is left_over


def said(frames: list[bytes]) -> list[tuple[str, bool]]:
    return [(one["token"], one["last"]) for one in map(json.loads, frames)]


def shown(talk: Talk, wire: Wire) -> list[tuple[str, bool]]:
    return said(talk.shows(wire, None if talk.knows(wire.envelope.id) else SHOW(wire), SHOW))


def test_an_answer_is_followed_from_its_first_sentence_on() -> None:
    talk = talking()
    assert not talk.follows(sentence(first=False))
    assert talk.follows(sentence())
    talk.hears(sentence())
    assert (talk.follows(sentence(first=False)), talk.knows(EnvelopeId("a"))) == (True, True)
    assert not talk.knows(EnvelopeId("b"))


def test_of_many_answers_the_last_ones_are_known() -> None:
    talk = talking()
    for number in range(MOST_HEARD_OF + 1):
        talk.hears(sentence(str(number)))
    assert (talk.knows(EnvelopeId("0")), talk.knows(EnvelopeId("1"))) == (False, True)


def test_a_line_ends_its_own_answer() -> None:
    talk = talking()
    assert said(talk.hears(sentence(chars=2))) == [("One.", False)]
    assert said(talk.hears(sentence(first=False, chars=1))) == [("One.", False)]
    assert shown(talk, line(id="a")) == [("lo", True)]
    assert talk.broken_off() == []


def test_another_line_comes_after_the_end_of_the_answer_and_the_rest_begins_anew() -> None:
    talk = talking()
    talk.hears(sentence(chars=2))
    assert shown(talk, line(id="b")) == [("", True), ("hello", True)]
    assert said(talk.hears(sentence(first=False, chars=1))) == [("One.", False)]
    assert shown(talk, line(id="c")) == [("", True), ("hello", True)]
    assert shown(talk, line(id="a")) == [("lo", True)]
    assert talk.broken_off() == []


def test_of_what_was_ended_and_has_no_rest_nothing_is_left() -> None:
    talk = talking()
    talk.hears(sentence(chars=5))
    talk.broken_off()
    assert shown(talk, line(id="a")) == []


def test_another_answer_comes_after_the_end_of_the_first() -> None:
    talk = talking()
    talk.hears(sentence("a"))
    assert said(talk.hears(sentence("b"))) == [("", True), ("One.", False)]
    assert said(talk.broken_off()) == [("", True)]


def test_what_is_not_shown_ends_nothing_but_itself() -> None:
    talk = talking()
    talk.hears(sentence("a"))
    assert talk.shows(line(id="b"), None, SHOW) == []
    assert said(talk.shows(line(id="a"), None, lambda wire: None)) == [("", True)]


def told(frames: list[bytes]) -> list[Any]:
    """Changes of the language, and the words."""
    read = [json.loads(frame) for frame in frames]
    return [(one["to"], one["before"], one["heard"]) if one["type"] == "language" else one["token"] for one in read]


def test_another_language_is_told_before_the_first_word_of_it() -> None:
    talk = talking()
    assert told(talk.hears(sentence("a", locale="es"))) == [("es", None, "es"), "One."]
    assert told(talk.hears(sentence("a", first=False, locale="es"))) == ["One."]
    assert told(talk.hears(sentence("b", locale="de"))) == ["", ("de", "es", "de"), "One."]
    assert told(talk.shows(line(id="c", locale="es"), SHOW(line()), SHOW)) == ["", ("es", "de", "es"), "hello"]
    assert told(talk.shows(line(id="d", locale="es"), SHOW(line()), SHOW)) == ["hello"]
    assert told(talk.shows(line(id="e"), SHOW(line()), SHOW)) == ["hello"], "nobody knows which one this is in"


def test_what_was_heard_to_its_end_changes_no_language() -> None:
    talk = talking()
    talk.hears(sentence("a", chars=2, locale="es"))
    assert told(talk.shows(line(id="a", locale="es"), None, SHOW)) == ["llo"]


def test_of_what_is_not_shown_the_language_does_not_matter() -> None:
    talk = talking()
    assert talk.shows(line(locale="es"), None, SHOW) == []
    assert told(talk.shows(line(id="b", locale="es"), SHOW(line()), SHOW)) == [("es", None, "es"), "hello"]


def test_who_is_spoken_to_in_another_language_than_his_own_is_to_be_understood_in_it() -> None:
    """What the AI says is in the caller's own; what a person says need not be."""
    talk = talking()
    talk.shows(Wire(seq=1, envelope=turn(locale="de"), at=AT), None, SHOW)
    talk.shows(Wire(seq=2, envelope=turn(), at=AT), None, SHOW)
    assert told(talk.shows(line("agent", locale="es"), SHOW(line()), SHOW)) == [("es", None, "de"), "hello"]


def test_before_a_word_was_said_no_answer_is_followed() -> None:
    talk = called()
    assert not talk.follows(sentence())
    talk.says(turn())
    assert talk.follows(sentence(up_to=6))
    assert not talk.follows(sentence(up_to=5)), "asked before the socket was there"
    talk.says(turn(seq=7))
    assert talk.follows(sentence(up_to=7))
    assert not talk.follows(sentence(up_to=6))


def test_what_it_will_withhold_is_known_before_it_is_read() -> None:
    talk = called(head=5)
    assert (talk.withholds(line(seq=9)), talk.withholds(line("agent", seq=9))) == (True, False)
    talk.says(turn())
    assert talk.withholds(line(seq=5)), "it stood there before the socket"
    assert not talk.withholds(line(seq=9)), "it may answer what was said here, and is not stored yet"
    talk.says(turn(seq=7))
    assert (talk.withholds(line(seq=6)), talk.withholds(line(seq=8))) == (True, False)


@pytest.mark.parametrize(
    "said",
    [turn("CA1/"), envelope(CallEvent(call=ExternalId("CA2"), event="key")), turn(observed=True), envelope()],
)
def test_what_is_no_turn_of_this_call_asks_for_nothing(said: Envelope) -> None:
    talk = called()
    talk.says(said)
    assert (talk.is_spoken_to, talk.asked.first) == (False, None)


def test_the_first_turn_counts() -> None:
    talk = called()
    talk.says(turn(seq=7))
    talk.says(turn(seq=8))
    assert talk.asked == Asked(7, 5)


def test_last_words_are_those_before_a_change_of_the_holder_and_not_all_of_them() -> None:
    talk, change = talking(), line(body=StateChange(state="agent", reason="r"))
    shown(talk, line(status=Status.SENT))
    talk.shows(line(body=CallEvent(call=ExternalId("CA2"), event="key")), b"{}", SHOW)
    talk.shows(change, b"{}", SHOW)
    assert talk.last_words == []
    for number in range(MOST_UNSURE + 3):
        shown(talk, line(id=str(number)))
    talk.shows(change, None, SHOW)
    assert talk.last_words == [], "nothing was to be seen of it"
    talk.shows(change, b"{}", SHOW)
    shown(talk, line(id="after"))
    assert talk.last_words == [str(number) for number in range(3, MOST_UNSURE + 3)]


# --- the end ------------------------------------------------------------------------------------------------------

ENDED = envelope(CallEvent(call=ExternalId("CA2"), event="ended"))
LEFT = line(body=StateChange(state="queue", reason="r"), id="left")


def test_after_its_call_nothing_is_shown_and_nothing_met() -> None:
    talk = called()
    talk.note = "CA2"
    talk.says(turn())
    shown(talk, line(id="before"))
    assert talk.shows(Wire(seq=1, envelope=ENDED, at=AT), None, SHOW) == []
    assert shown(talk, line(id="after")) == []
    assert (talk.follows(sentence(up_to=9)), talk.met(line(id="after"))) == (False, Met.NOBODY)
    assert talk.met(line(id="before")) is Met.NOBODY, "it crossed his farewell"


def test_of_an_answer_that_is_being_heard_no_further_sentence_is() -> None:
    talk = talking()
    talk.note = "CA2"
    talk.hears(sentence())
    talk.learns(ENDED)
    assert not talk.follows(sentence(first=False))
    assert shown(talk, line(id="a")) == []


def test_the_end_of_another_call_is_none() -> None:
    talk = talking()
    talk.note = "CA1"
    talk.shows(Wire(seq=1, envelope=ENDED, at=AT), None, SHOW)
    assert (talk.is_over, talk.met(line())) == (False, Met.LISTENER)
    talk.note = "CA2"
    talk.learns(ENDED)
    talk.learns(envelope())
    assert talk.is_over


def test_last_words_before_our_own_end_were_heard_and_what_follows_was_not() -> None:
    talk = talking()
    shown(talk, line(id="last"))
    assert len(talk.shows(LEFT, b"{}", SHOW)) == 1
    assert (talk.met(line(id="last")), talk.met(line(id="after"))) == (Met.LISTENER, Met.NOBODY)
    assert shown(talk, line(id="after")) == []


def test_what_would_end_it_and_is_not_shown_ends_nothing() -> None:
    talk = talking()
    talk.shows(LEFT, None, SHOW)
    assert talk.met(line()) is Met.LISTENER
