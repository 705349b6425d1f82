"""What a visitor sent, as envelopes."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.base import Malformed, RawInbound
from adapters.webchat.parse import is_web_url
from normalizer.address import Address, Scheme
from normalizer.codec import decode, encode, seal
from normalizer.envelope import (
    AddressChange,
    AddressClaim,
    Audio,
    ChoiceMade,
    Document,
    Envelope,
    Evidence,
    Image,
    MediaRef,
    Message,
    Party,
    Receipt,
    Referral,
    ReplyTo,
    SessionEnded,
    Status,
    Text,
    Typing,
    Video,
    inbound_id,
)
from normalizer.ids import ExternalId
from tests.adapters.webchat.support import ENDPOINT, NOW, body, build, http, identity_jwt, live, open_session

CHAT = build()
TOKEN, LEG = open_session(CHAT)
SID = LEG.removeprefix("w1/")
VISITOR = Party(claims=(AddressClaim(Address(Scheme.WEB, LEG), Evidence.CHANNEL),))
TEXT = {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}


def attachment(mime: str = "image/png", name: str | None = "a.png") -> str:
    media = MediaRef(stored="ab" * 32, sniffed=mime, size=5, filename=name)
    return str(body(CHAT.uploaded(http(path="/uploads", token=TOKEN), media, None))["attachment_id"])


def media(mime: str = "image/png", name: str | None = "a.png") -> MediaRef:
    return MediaRef(stored="ab" * 32, sniffed=mime, mime=mime, size=5, filename=name)


def parsed(frame: Any, **changes: Any) -> Envelope:
    (envelope,) = CHAT.parse(live(frame, session=LEG, **changes))
    return envelope


def test_a_message_is_wholly_known() -> None:
    envelope = parsed(TEXT)
    assert envelope.raw is not None
    assert bytes(envelope.raw) == json.dumps(TEXT).encode()
    key = f"{SID}:c1"
    assert envelope == Envelope(
        id=inbound_id(ENDPOINT, "w1", key),
        direction="in",
        channel_type="webchat",
        endpoint_id=ENDPOINT,
        account="w1",
        party=VISITOR,
        occurred_at=NOW,
        received_at=NOW,
        external_id=ExternalId(key),
        dedupe_keys=(key,),
        body=Message(parts=(Text("hello"),)),
        raw=envelope.raw,
    )


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (TEXT, Message(parts=(Text("hello"),))),
        (TEXT | {"text": " <b>kept</b> "}, Message(parts=(Text(" <b>kept</b> "),))),
        (TEXT | {"reply_to": "m43"}, Message(parts=(Text("hello"),), reply_to=ReplyTo(ExternalId("m43")))),
        (
            {"t": "msg", "cid": "c1", "type": "reply", "reply": {"to": "m43", "id": "a", "title": "Yes"}},
            Message(parts=(ChoiceMade("a", "Yes"),), reply_to=ReplyTo(ExternalId("m43"))),
        ),
        (
            {"t": "msg", "cid": "c1", "type": "reply", "reply": {"to": "m43", "id": "a"}, "reply_to": "m1"},
            Message(parts=(ChoiceMade("a", "a"),), reply_to=ReplyTo(ExternalId("m43"))),
        ),
        (
            TEXT | {"page": {"url": "https://shop.example/x?y=1", "title": "<i>", "referrer": "https://a.b"}},
            Message(
                parts=(Text("hello"),),
                referral=Referral(source="page", url="https://shop.example/x?y=1", headline="<i>", text="https://a.b"),
            ),
        ),
        (TEXT | {"page": {"url": "javascript:alert(1)"}}, Message(parts=(Text("hello"),))),
        (
            TEXT | {"page": {"url": "https://a.b/?" + "q" * 9_000, "title": "t" * 999, "referrer": "r" * 9_000}},
            Message(
                parts=(Text("hello"),),
                referral=Referral(
                    source="page", url="https://a.b/?" + "q" * 2_035, headline="t" * 300, text="r" * 2_048
                ),
            ),
        ),
        (
            {"t": "msg", "cid": "c1", "type": "reply", "reply": {"to": "m43", "id": "a", "title": "y" * 300}},
            Message(parts=(ChoiceMade("a", "y" * 256),), reply_to=ReplyTo(ExternalId("m43"))),
        ),
        ({"t": "read", "seq": 44}, Receipt(status=Status.READ, up_to=44)),
    ],
)
def test_frames(frame: dict[str, Any], expected: object) -> None:
    assert parsed(frame).body == expected


@pytest.mark.parametrize(
    ("mime", "text", "parts"),
    [
        ("image/png", None, (Image(media()),)),
        ("image/png", "look", (Image(media(), "look"),)),
        ("video/mp4", "look", (Video(media("video/mp4"), "look"),)),
        ("audio/ogg", None, (Audio(media("audio/ogg")),)),
        ("audio/ogg", "listen", (Audio(media("audio/ogg")), Text("listen"))),
        ("application/pdf", "read", (Document(media("application/pdf"), "read"),)),
        ("text/plain", "", (Document(media("text/plain")),)),
    ],
)
def test_files(mime: str, text: str | None, parts: tuple[Any, ...]) -> None:
    frame = {"t": "msg", "cid": "c1", "type": "file", "attachment_id": attachment(mime), "text": text}
    assert parsed(frame).body == Message(parts=parts)


def test_the_same_message_over_either_transport_is_one() -> None:
    by_socket, by_call = parsed(TEXT), CHAT.parse(http(path="/messages", body=TEXT, token=TOKEN))[0]
    assert (by_socket.id, by_socket.dedupe_keys, by_socket.body) == (by_call.id, by_call.dedupe_keys, by_call.body)


def test_two_sessions_may_choose_the_same_cid() -> None:
    _, other = open_session(CHAT, id="raw-2")
    theirs = CHAT.parse(live(TEXT, session=other))[0]
    ours = parsed(TEXT)
    assert theirs.id != ours.id
    assert theirs.external_id != ours.external_id
    assert not set(theirs.dedupe_keys) & set(ours.dedupe_keys)


def test_no_cid_can_take_the_place_of_a_receipt() -> None:
    assert parsed({"t": "read", "seq": 5}).dedupe_keys == (f"{SID}:read:5",)
    assert parsed(TEXT | {"cid": "read-5"}).dedupe_keys == (f"{SID}:read-5",)


def test_the_clients_clock_counts_for_nothing() -> None:
    envelope = parsed(TEXT | {"sent_at": "2031-01-01T00:00:00Z"})
    assert (envelope.occurred_at, envelope.received_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("given_locale", "kept"), [("de", "de"), ("pt-BR", "pt-BR"), ("x" * 9, None), ("de<", None), ("", None)]
)
def test_a_locale_is_kept_if_it_is_one(given_locale: str, kept: str | None) -> None:
    assert parsed(TEXT | {"locale": given_locale}).locale == kept


def test_an_identity_is_a_change_of_addresses() -> None:
    token = identity_jwt(email="ana@example.com", name="Ana")
    (envelope,) = CHAT.parse(http(path="/identify", body={"identity_jwt": token}, token=TOKEN))
    assert envelope.party == Party(claims=VISITOR.claims, name="Ana")
    assert envelope.body == AddressChange(
        new=(
            AddressClaim(Address(Scheme.WEB, "w1/user/u1"), Evidence.VERIFIED),
            AddressClaim(Address(Scheme.MAILTO, "ana@example.com"), Evidence.VERIFIED),
        ),
        reason="identified",
    )
    assert envelope.raw is None, "a token that still works does not belong into the envelope"
    assert envelope.dedupe_keys == ()


def test_the_older_hash_is_believed_as_far_as_the_channel() -> None:
    (envelope,) = CHAT.parse(http(path="/identify", body={"user_id": "u1", "user_hash": "x"}, token=TOKEN))
    assert envelope.body == AddressChange(
        new=(AddressClaim(Address(Scheme.WEB, "w1/user/u1"), Evidence.CHANNEL),), reason="identified"
    )


def test_leaving_ends_the_session() -> None:
    (envelope,) = CHAT.parse(http("DELETE", token=TOKEN))
    assert (envelope.body, envelope.party) == (SessionEnded(), VISITOR)


def test_parsing_needs_neither_keys_nor_an_unexpired_token() -> None:
    later = NOW + timedelta(days=400)
    other = build(secret="n" * 32, identity_secrets={})
    proof = {"identity_jwt": identity_jwt()}
    file = TEXT | {"type": "file", "attachment_id": attachment()}

    def kept(now: datetime) -> list[RawInbound]:
        return [
            http(path="/messages", body=TEXT, token=TOKEN, now=now),
            http(path="/identify", body=proof, token=TOKEN, now=now),
            http("DELETE", token=TOKEN, now=now),
            live(file, session=LEG, now=now),
        ]

    for early, late in zip(kept(NOW), kept(later), strict=True):
        assert other.parse(early) == CHAT.parse(early)
        assert other.parse(late)[0].id == CHAT.parse(early)[0].id


def test_typing_is_an_envelope_that_nobody_stores() -> None:
    raw = live({"t": "typing", "on": False}, session=LEG)
    heard = CHAT.hear(raw)
    assert getattr(heard, "envelope", None).body == Typing(on=False)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "raw",
    [
        live(TEXT, session=None),
        live(TEXT, session="nothing"),
        live(b"{", session=LEG),
        live({"t": "ping"}, session=LEG),
        live(TEXT | {"type": "text", "text": None}, session=LEG),
        live(TEXT | {"type": "other"}, session=LEG),
        live(TEXT | {"type": "file", "attachment_id": "wat_" + "W1tb" * 400 + ".x"}, session=LEG),
        http(path="/messages", body=TEXT),
        http(path="/messages", body=TEXT, token="wst_!.x"),
        http(path="/messages", body=b"[" * 9_000, token=TOKEN),
        http(path="/nothing", token=TOKEN),
        http(path="/identify", body={"identity_jwt": "a.b"}, token=TOKEN),
        http("GET", "/history", token=TOKEN),
        http(path="/identify", body={}, token=TOKEN),
        http(body={"identity_jwt": "e30.e30.e30"}),
        http(path="/messages", body=TEXT, token="wst_" + "W1tb" * 500 + ".x"),
    ],
)
def test_what_is_not_kept_is_malformed(raw: RawInbound) -> None:
    with pytest.raises(Malformed):
        CHAT.parse(raw)


@given(st.text(max_size=40), st.text(max_size=10))
def test_any_text_survives_the_way_into_the_store(text: str, title: str) -> None:
    reply = {"t": "msg", "cid": "c", "type": "reply", "reply": {"to": "m", "id": "a", "title": title}}
    for frame in (TEXT | {"text": text}, reply):
        first, second = parsed(frame), parsed(frame)
        assert first == second
        sealed, _ = seal(structs.replace(first, raw=None))
        assert decode(encode(sealed)) == sealed


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://a.b/c", True),
        ("http://a", True),
        ("javascript:alert(1)", False),
        ("https:", False),
        ("//a.b", False),
        ("data:text/html,x", False),
        ("https://[", False),
        ("https://a.b/\x00", False),
        ("", False),
        ("HTTPS://a.b", True),
    ],
)
def test_only_web_addresses_become_links(url: str, good: bool) -> None:
    assert is_web_url(url) is good
