"""Stored envelopes as frames. Expected frames are typed by hand."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Wire
from adapters.webchat import show, wire
from normalizer.address import Address, Scheme
from normalizer.envelope import (
    AddressChange,
    Audio,
    Body,
    CallEvent,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Edit,
    Envelope,
    Image,
    Link,
    Location,
    MediaRef,
    Message,
    Note,
    Order,
    Part,
    Reaction,
    Receipt,
    ReplyTo,
    Revoke,
    SessionEnded,
    StateChange,
    Status,
    Sticker,
    Template,
    Text,
    Typing,
    Unsupported,
    Video,
    Voice,
    inbound_id,
)
from normalizer.ids import EnvelopeId, ExternalId
from tests.adapters.webchat.support import ENDPOINT, build, live, open_session, outbound

AT = datetime(2026, 11, 22, 18, 0, 1, tzinfo=UTC)
TS = "2026-11-22T18:00:01Z"
CHAT = build()
TOKEN, LEG = open_session(CHAT)
MEDIA = MediaRef(
    stored="ab" * 32,
    sniffed="image/png",
    mime="x/y",
    size=5,
    filename="a.png",
    external_id="secret-id",
    url="https://provider.example/secret",
    sha256="cd" * 32,
)
SHOWN = {"url": "https://gw.example/m/1?sig=x", "name": "a.png", "mime": "image/png", "size": 5}
URLS = {"ab" * 32: "https://gw.example/m/1?sig=x"}


def shown(envelope: Envelope, **facts: Any) -> Any:
    line = Wire(seq=7, envelope=envelope, at=AT, **facts)
    return json.loads(wire.encode(show.frame(line, URLS)))


def said(body: Body, **facts: Any) -> Any:
    return shown(outbound(body, id="m46"), **facts)


def visitors(cid: str = "c1", text: str = "hello") -> Envelope:
    return CHAT.parse(live({"t": "msg", "cid": cid, "type": "text", "text": text}, session=LEG))[0]


@pytest.mark.parametrize(
    ("author", "facts", "sender"),
    [
        ("ai", {}, {"kind": "bot"}),
        ("ai", {"agent_name": "Ana"}, {"kind": "bot"}),
        ("agent", {"agent_name": "Ana"}, {"kind": "agent", "name": "Ana"}),
        ("agent", {}, {"kind": "agent"}),
        ("business", {}, {"kind": "agent"}),
        ("system", {}, {"kind": "system"}),
    ],
)
def test_a_message_says_who_wrote_it(author: str, facts: dict[str, Any], sender: dict[str, str]) -> None:
    envelope = outbound(Message(parts=(Text("on its way"),)), id="m46", author=author)
    assert shown(envelope, **facts) == {
        "t": "msg",
        "seq": 7,
        "id": "m46",
        "from": sender,
        "type": "text",
        "content": {"text": "on its way"},
        "ts": TS,
    }


def test_the_visitors_own_message_carries_its_cid() -> None:
    envelope = visitors()
    assert shown(envelope) == {
        "t": "msg",
        "seq": 7,
        "id": envelope.id,
        "from": {"kind": "visitor"},
        "type": "text",
        "content": {"text": "hello"},
        "ts": TS,
        "cid": "c1",
    }
    assert shown(envelope, status=Status.READ)["status"] == "read"
    assert "status" not in said(Message(parts=(Text("x"),)), status=Status.READ)


PARTS: list[tuple[Part, str, dict[str, Any]]] = [
    (Text("<b>hi</b>"), "text", {"text": "<b>hi</b>"}),
    (Image(MEDIA, "look"), "image", SHOWN | {"text": "look"}),
    (Image(MEDIA), "image", SHOWN),
    (Image(MediaRef(stored="ef" * 32)), "image", {}),
    (Image(MediaRef(filename="b.png", failed="gone")), "image", {"name": "b.png", "failed": True}),
    (Video(MEDIA, "look"), "video", SHOWN | {"text": "look"}),
    (Document(MEDIA, "read"), "document", SHOWN | {"text": "read"}),
    (Audio(MEDIA), "audio", SHOWN),
    (Voice(MEDIA, "what was said"), "voice", SHOWN),
    (Sticker(MEDIA), "sticker", SHOWN),
    (
        Location(1.5, -2.25, "Shop", "Street 1", "https://map.example/1"),
        "location",
        {"latitude": 1.5, "longitude": -2.25, "name": "Shop", "address": "Street 1", "url": "https://map.example/1"},
    ),
    (Location(0.0, 0.0, url="javascript:alert(1)"), "location", {"latitude": 0.0, "longitude": 0.0}),
    (
        ContactCard("Ana", ("+49301",), ("a@b.c",), "Shop", vcard="BEGIN:VCARD"),
        "contact",
        {"name": "Ana", "phones": ["+49301"], "emails": ["a@b.c"], "organization": "Shop"},
    ),
    (
        ChoicesOffered(
            "pick", (Choice("a", "A", "first", "top"), Choice("b", "B")), header="H", footer="F", button="Open"
        ),
        "choices",
        {
            "text": "pick",
            "options": [{"id": "a", "title": "A", "description": "first", "section": "top"}, {"id": "b", "title": "B"}],
            "header": "H",
            "footer": "F",
            "button": "Open",
        },
    ),
    (
        ChoicesOffered("see", link=Link("Track", "https://a.b/c")),
        "choices",
        {"text": "see", "options": [], "link": {"title": "Track", "url": "https://a.b/c"}},
    ),
    (ChoicesOffered("see", link=Link("X", "javascript:alert(1)")), "choices", {"text": "see", "options": []}),
    (
        ChoicesOffered("where are you?", request="location"),
        "choices",
        {"text": "where are you?", "options": [], "request": "location"},
    ),
    (ChoiceMade("a", "A", form='{"x":1}'), "reply", {"id": "a", "title": "A"}),
    (Template("secret_name", "de"), "unsupported", {}),
    (Order(()), "unsupported", {}),
]


@pytest.mark.parametrize(("part", "kind", "content"), PARTS)
def test_each_kind_of_part(part: Part, kind: str, content: dict[str, Any]) -> None:
    frame = said(Message(parts=(part,)))
    assert (frame["type"], frame["content"]) == (kind, content)


def test_several_parts_are_one_frame_with_one_seq() -> None:
    frame = said(Message(parts=(Text("two pictures"), Image(MEDIA), ChoicesOffered("more?", (Choice("y", "Yes"),)))))
    assert (frame["seq"], frame["type"]) == (7, "parts")
    assert frame["content"] == {
        "parts": [
            {"type": "text", "content": {"text": "two pictures"}},
            {"type": "image", "content": SHOWN},
            {"type": "choices", "content": {"text": "more?", "options": [{"id": "y", "title": "Yes"}]}},
        ]
    }


@pytest.mark.parametrize(
    ("reply_to", "expected"),
    [
        (ReplyTo(envelope_id=EnvelopeId("env_9")), "env_9"),
        (ReplyTo(external_id=ExternalId("env_8")), "env_8"),
        (ReplyTo(external_id=visitors().external_id), visitors().id),
        (ReplyTo(product="p1"), None),
        (None, None),
    ],
)
def test_what_is_answered_is_named_by_the_id_that_the_client_knows(
    reply_to: ReplyTo | None, expected: str | None
) -> None:
    assert said(Message(parts=(Text("x"),), reply_to=reply_to)).get("reply_to") == expected


@pytest.mark.parametrize(
    ("body", "frame"),
    [
        (
            Edit(ExternalId("m40"), (Text("corrected"),)),
            {
                "t": "upd",
                "seq": 7,
                "id": "m40",
                "type": "text",
                "content": {"text": "corrected"},
                "final": True,
                "ts": TS,
            },
        ),
        (Revoke(ExternalId("m40")), {"t": "del", "seq": 7, "id": "m40", "ts": TS}),
        (
            Revoke(ExternalId("sid:c1")),
            {"t": "del", "seq": 7, "id": inbound_id(ENDPOINT, "w1", "sid:c1"), "ts": TS},
        ),
        (StateChange(state="queue", reason="unsure"), {"t": "conv", "seq": 7, "state": "queued", "ts": TS}),
        (StateChange(state="ai", reason="x", who="a7"), {"t": "conv", "seq": 7, "state": "bot", "ts": TS}),
        (StateChange(state="nobody", reason="solved"), {"t": "conv", "seq": 7, "state": "closed", "ts": TS}),
        (Receipt(status=Status.READ, up_to=4), {"t": "read", "seq": 7, "up_to": 4, "ts": TS}),
        (Receipt(status=Status.READ, target=ExternalId("m40")), {"t": "read", "seq": 7, "id": "m40", "ts": TS}),
    ],
)
def test_changes(body: Body, frame: dict[str, Any]) -> None:
    assert said(body) == frame


def test_an_agent_who_joined_is_named_and_never_by_his_id_or_the_reason() -> None:
    change = StateChange(state="agent", reason="customer is angry", who="agent_77")
    assert said(change, agent_name="Ana") == {
        "t": "conv",
        "seq": 7,
        "state": "agent_joined",
        "name": "Ana",
        "ts": TS,
    }
    assert "agent_77" not in json.dumps(said(change))


@pytest.mark.parametrize(
    "body",
    [
        Note("he is difficult"),
        Reaction(ExternalId("m1"), "+"),
        Typing(),
        CallEvent(call=ExternalId("c"), event="ended"),
        AddressChange(new=(), reason="identified"),
        SessionEnded(),
        Unsupported(what="poll"),
        StateChange(state="sleeping", reason="new word"),
        Receipt(status=Status.DELIVERED, target=ExternalId("m1")),
    ],
)
def test_what_is_not_for_the_visitor_only_takes_its_number(body: Body) -> None:
    assert said(body) == {"t": "skip", "seq": 7}


def test_the_visitors_own_receipt_is_no_news_to_him() -> None:
    (envelope,) = CHAT.parse(live({"t": "read", "seq": 5}, session=LEG))
    assert shown(envelope) == {"t": "skip", "seq": 7}


def test_what_was_taken_back_is_not_shown_again() -> None:
    for envelope in (outbound(Message(parts=(Text("wrong price"),)), id="m46"), visitors()):
        assert shown(envelope, withdrawn=True) == {"t": "del", "seq": 7, "id": envelope.id, "ts": TS}


def test_nothing_internal_leaves() -> None:
    envelope = outbound(Message(parts=tuple(part for part, _, _ in PARTS)), id="m46")
    text = json.dumps(shown(envelope, agent_name="Ana"))
    for secret in ("ab" * 32, "cd" * 32, "secret", "BEGIN:VCARD", "what was said", "javascript"):
        assert secret not in text


def test_typing_is_no_part_of_the_wire() -> None:
    assert json.loads(wire.encode(show.typing("agent", on=True))) == {
        "t": "typing",
        "on": True,
        "ttl_ms": 6000,
        "from": {"kind": "agent"},
    }
    assert show.sender("customer", None) == wire.From("visitor")


def test_the_address_of_the_leg_is_no_secret_to_its_owner_and_stays_out_of_frames() -> None:
    assert LEG not in json.dumps(shown(visitors()))
    assert str(Address(Scheme.WEB, LEG)) == f"web:{LEG}"
