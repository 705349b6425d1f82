"""What an engine or an agent reads of a conversation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from normalizer.envelope import (
    Audio,
    AuthorKind,
    Body,
    CallEvent,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Envelope,
    Image,
    Location,
    MediaRef,
    Message,
    Note,
    Order,
    OrderItem,
    Part,
    StateChange,
    Sticker,
    Template,
    Text,
    Unsupported,
    Video,
    Voice,
    plain_text,
)
from normalizer.ids import ChannelId, EndpointId, EnvelopeId, ExternalId
from normalizer.transcript import as_heard, transcript, words

AT = datetime(2026, 1, 1, tzinfo=UTC)
MEDIA = MediaRef(external_id="m")
READ: list[tuple[Part, str]] = [
    (Text("hi"), "hi"),
    (Image(MEDIA), "[image]"),
    (Image(MEDIA, "my cat"), "[image] my cat"),
    (Video(MEDIA, "x"), "[video] x"),
    (Document(MEDIA, "the bill"), "[document] the bill"),
    (Audio(MEDIA), "[audio]"),
    (Sticker(MEDIA), "[sticker]"),
    (Voice(MEDIA), "[voice]"),
    (Voice(MEDIA, "hello"), "hello"),
    (Location(1.0, 2.0), "[location]"),
    (Location(1.0, 2.0, "Café", "Main St"), "[location] Café Main St"),
    (ContactCard("Bob"), "[contact card] Bob"),
    (ChoicesOffered("Which?", (Choice("a", "A"), Choice("b", "B"))), "Which?\n- A\n- B"),
    (ChoiceMade("a", "A"), "A"),
    (Template("welcome", "en"), "[template welcome]"),
    (Order((OrderItem("p", 1, "1", "EUR"),), text="please"), "[order of 1 items] please"),
]


def envelope(body: Body, author: AuthorKind = "customer", **fields: Any) -> Envelope:
    return Envelope(id=EnvelopeId("e"), direction="in", channel_type="x", endpoint_id=EndpointId("x"), author=author,
                    occurred_at=AT, body=body, **fields)  # fmt: skip


@pytest.mark.parametrize(("part", "text"), READ, ids=[repr(part)[:30] for part, _ in READ])
def test_every_part_can_be_read(part: Part, text: str) -> None:
    assert words(part) == text


def test_no_kind_of_part_was_left_out() -> None:
    assert {type(part) for part, _ in READ} == set(get_args(Part))


@pytest.mark.parametrize(
    ("author", "speaker"),
    [("customer", "customer"), ("ai", "ai"), ("system", "ai"), ("agent", "agent"), ("business", "agent")],
)
def test_everybody_is_one_of_three(author: AuthorKind, speaker: str) -> None:
    (line,) = transcript([envelope(Message(parts=(Text("a"), Text("b"))), author)])
    assert (line.speaker, line.text, line.at) == (speaker, "a\nb", AT)


def test_only_what_was_said_is_in_it() -> None:
    told = [
        envelope(Note("he is rude")),
        envelope(StateChange(state="queue", reason="x")),
        envelope(Message(parts=(Text(""),))),
        envelope(Message(parts=(Text("overheard"),)), observed=True),
        envelope(Unsupported(what="poll")),
        envelope(Message(parts=(Text("last"),))),
    ]
    assert [line.text for line in transcript(told)] == ["[poll]", "last"]


@pytest.mark.parametrize(("part", "text"), READ, ids=[repr(part)[:30] for part, _ in READ])
def test_plain_text_is_what_was_written(part: Part, text: str) -> None:
    assert plain_text(Message(parts=(part,))) in text
    assert plain_text(Note("x")) == ""


# --- what was interrupted -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        ("Let me", "Let me [interrupted]"),
        ("let  ME,", "Let me [interrupted]"),
        ("Let me check. It", "Let me check. It [interrupted]"),
        ("check", "Let me check [interrupted]"),
        ("Let me check. It is on its way!", "Let me check. It is on its way."),
        ("", "[interrupted]"),
        ("...", "[interrupted]"),
        ("something else", "something else [interrupted]"),
        ("Let me check. It is on its way and more", "Let me check. It is on its way and more [interrupted]"),
    ],
)
def test_as_far_as_it_was_heard(heard: str, shown: str) -> None:
    assert as_heard("Let me check. It is on its way.", heard) == shown


def said(author: AuthorKind, body: Body, channel: str = "call") -> Envelope:
    return Envelope(
        id=EnvelopeId("e"),
        direction="in" if author == "customer" else "out",
        channel_type="x",
        endpoint_id=EndpointId("x"),
        channel_id=ChannelId(channel),
        author=author,
        occurred_at=AT,
        body=body,
    )


def interrupted(heard: str | None) -> Envelope:
    return said("customer", CallEvent(call=ExternalId("CA1"), event="interrupted", detail=heard))


def talk(*envelopes: Envelope) -> list[str]:
    return [line.text for line in transcript(envelopes)]


def test_an_interruption_cuts_our_last_message_on_its_channel_and_is_no_line() -> None:
    first, last = said("ai", Message(parts=(Text("One two."),))), said("ai", Message(parts=(Text("Three four."),)))
    elsewhere = said("agent", Message(parts=(Text("By mail."),)), "mail")
    asked = said("customer", Message(parts=(Text("Why?"),)))
    assert talk(first, asked, last, elsewhere, interrupted("Three")) == [
        "One two.", "Why?", "Three [interrupted]", "By mail.",
    ]  # fmt: skip


def test_the_customer_may_have_spoken_before_we_learn_what_was_heard() -> None:
    ours, theirs = said("ai", Message(parts=(Text("One two."),))), said("customer", Message(parts=(Text("Stop"),)))
    assert talk(ours, theirs, interrupted("One")) == ["One [interrupted]", "Stop"]


def test_what_was_heard_may_be_unknown_or_of_nothing() -> None:
    ours = said("ai", Message(parts=(Text("One two."),)))
    assert talk(ours, interrupted(None)) == ["One two."]
    assert talk(interrupted("One")) == []


def test_other_events_of_a_call_say_nothing() -> None:
    ours = said("ai", Message(parts=(Text("One two."),)))
    key = said("customer", CallEvent(call=ExternalId("CA1"), event="key", detail="One"))
    assert talk(ours, key) == ["One two."]
