"""The socket: what is heard, what is said."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import REGISTRY
from adapters.base import Adapter, Bind, Close, Keep, LiveSession, Outcome, Placed, Relay, Say, Unauthentic
from adapters.webchat import REGISTRATION, Config, Webchat
from normalizer.address import Address, Scheme
from normalizer.envelope import MediaRef, Typing
from normalizer.ids import EnvelopeId
from tests.adapters.webchat.support import ENDPOINT, NOW, body, build, http, live, open_session

CHAT = build()
TOKEN, LEG = open_session(CHAT)
OTHER, OTHERS_LEG = open_session(CHAT, id="raw-2")
TEXT = {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}
HELLO = {"t": "hello", "v": 1, "token": TOKEN}
STORED = Outcome((Placed(EnvelopeId("env_1"), wire_seq=4, at=NOW),))


def nack(code: str, cid: str | None = None, *, retryable: bool = False) -> Say:
    named = {"cid": cid} if cid else {}
    return Say(json.dumps({"t": "nack", **named, "code": code, "retryable": retryable}, separators=(",", ":")).encode())


def test_it_is_registered() -> None:
    assert REGISTRY["webchat"] == REGISTRATION
    built: Adapter = REGISTRATION.build(ENDPOINT, Config(secret="s" * 32))
    assert built.capabilities.live
    assert built.capabilities.answers == "processed"


# --- before the hello ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resume", "expected"),
    [({}, None), ({"resume_from": None}, None), ({"resume_from": 0}, 0), ({"resume_from": 41}, 41)],
)
def test_a_hello_binds_the_socket_to_its_session(resume: dict[str, Any], expected: int | None) -> None:
    assert CHAT.hear(live(HELLO | resume)) == Bind(
        address=Address(Scheme.WEB, LEG), issued_at=NOW, resume_from=expected
    )


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"t": "ping"}, 4400),
        (TEXT, 4400),
        ({"t": "read", "seq": 1}, 4400),
        ({"t": "typing"}, 4400),
        (b"{", 4400),
        (b"", 4400),
        (b"\xff\x00", 4400),
        ({"t": "new"}, 4400),
        (HELLO | {"v": 2}, 4400),
        (HELLO | {"resume_from": -1}, 4400),
        (b"[" * 60_000, 4400),
        ({"t": "hello", "v": 1}, 4401),
        (HELLO | {"token": ""}, 4401),
        (HELLO | {"token": "x"}, 4401),
        (HELLO | {"token": TOKEN[:-1]}, 4401),
        (HELLO | {"token": TOKEN + " "}, 4401),
        (b"x" * 65_537, 1009),
    ],
)
def test_anything_else_closes_an_unbound_socket(frame: Any, code: int) -> None:
    heard = CHAT.hear(live(frame))
    assert isinstance(heard, Close)
    assert heard.code == code


def test_an_expired_token_binds_nothing() -> None:
    heard = CHAT.hear(live(HELLO, now=NOW + timedelta(days=30)))
    assert isinstance(heard, Close)
    assert heard.code == 4401


def test_the_token_may_come_with_the_handshake() -> None:
    offered = {"sec-websocket-protocol": f"v1.chat, t.{TOKEN}"}
    assert CHAT.verify(live(headers=offered)) is None
    heard = CHAT.hear(live({"t": "hello", "v": 1, "resume_from": 3}, headers=offered))
    assert heard == Bind(address=Address(Scheme.WEB, LEG), issued_at=NOW, resume_from=3)
    assert CHAT.subprotocols == ("v1.chat",)


def test_a_bad_token_in_the_handshake_is_refused_at_once() -> None:
    with pytest.raises(Unauthentic):
        CHAT.verify(live(headers={"sec-websocket-protocol": "v1.chat, t.wst_x.y"}))


# --- after it -----------------------------------------------------------------------------------------------------


def heard(frame: Any, **changes: Any) -> Any:
    return CHAT.hear(live(frame, session=LEG, **changes))


@pytest.mark.parametrize(
    "frame",
    [
        TEXT,
        TEXT | {"text": "x" * 4000},
        TEXT | {"text": "\U0001f600" * 4000},
        {"t": "read", "seq": 0},
        {"t": "msg", "cid": "c", "type": "reply", "reply": {"to": "m43", "id": "a"}},
        TEXT | {"unknown": [1]},
    ],
)
def test_messages_and_reading_are_kept(frame: dict[str, Any]) -> None:
    assert heard(frame) == Keep()


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (TEXT | {"text": "x" * 4001}, nack("too_long", "c1")),
        (TEXT | {"text": ""}, nack("bad_frame", "c1")),
        (TEXT | {"text": " \n"}, nack("bad_frame", "c1")),
        ({"t": "msg", "cid": "c1", "type": "text"}, nack("bad_frame", "c1")),
        ({"t": "msg", "cid": "c1", "type": "reply"}, nack("bad_frame", "c1")),
        ({"t": "msg", "cid": "c1", "type": "file"}, nack("bad_frame", "c1")),
        ({"t": "msg", "cid": "c1", "type": "file", "attachment_id": "wat_x.y"}, nack("attachment_unknown", "c1")),
        ({"t": "msg", "cid": "c1", "type": "poll"}, nack("unsupported_type", "c1")),
        ({"t": "msg", "cid": "c1"}, nack("bad_frame", "c1")),
        ({"t": "msg", "cid": "a b", "type": "text", "text": "x"}, nack("bad_frame")),
        ({"t": "new", "cid": "c1"}, nack("bad_frame", "c1")),
        (HELLO, nack("bad_frame")),
        (b"{", nack("bad_frame")),
        (b"\xff\xfe", nack("bad_frame")),
        (b"[" * 60_000, nack("bad_frame")),
        ({"t": "ping"}, Say(b'{"t":"pong"}')),
        ({"t": "pong"}, Say(b"")),
        (b" " * 65_537, Close(1009, "frame too big")),
    ],
)
def test_everything_else_is_answered_without_the_store(frame: Any, answer: object) -> None:
    assert heard(frame) == answer


def test_a_frame_at_the_limit_is_read() -> None:
    data = json.dumps(TEXT).encode()
    assert heard(data + b" " * (65_536 - len(data))) == Keep()


def test_typing_is_relayed() -> None:
    relay = heard({"t": "typing"})
    assert isinstance(relay, Relay)
    assert relay.envelope.body == Typing(on=True)
    assert relay.envelope.party.address == Address(Scheme.WEB, LEG)


def test_a_file_is_its_sessions_and_lasts_an_hour() -> None:
    stored = MediaRef(stored="ab" * 32, sniffed="image/png", size=5)
    given = body(CHAT.uploaded(http(path="/uploads", token=TOKEN), stored, None))
    frame = {"t": "msg", "cid": "c1", "type": "file", "attachment_id": given["attachment_id"]}
    assert heard(frame) == Keep()
    assert heard(frame, now=NOW + timedelta(hours=1)) == nack("attachment_unknown", "c1")
    assert CHAT.hear(live(frame, session=OTHERS_LEG)) == nack("attachment_unknown", "c1")
    assert heard(frame | {"attachment_id": "wat" + TOKEN.removeprefix("wst")}) == nack("attachment_unknown", "c1")


@pytest.mark.parametrize(
    ("frame", "outcome", "answer"),
    [
        (TEXT, STORED, {"t": "ack", "cid": "c1", "id": "env_1", "seq": 4, "ts": "2026-11-22T18:00:00Z", "dup": False}),
        (
            TEXT,
            Outcome((Placed(EnvelopeId("env_1"), wire_seq=4, at=NOW, duplicate=True),)),
            {"t": "ack", "cid": "c1", "id": "env_1", "seq": 4, "ts": "2026-11-22T18:00:00Z", "dup": True},
        ),
        (
            TEXT,
            Outcome((Placed(EnvelopeId("env_1"), duplicate=True, conflict=True),)),
            {"t": "nack", "cid": "c1", "code": "cid_conflict", "retryable": False},
        ),
        (TEXT, None, {"t": "nack", "cid": "c1", "code": "unavailable", "retryable": True}),
        (TEXT, Outcome(error="ended"), {"t": "nack", "cid": "c1", "code": "unauthenticated", "retryable": False}),
        (TEXT, Outcome(error="boom"), {"t": "nack", "cid": "c1", "code": "internal", "retryable": True}),
        (TEXT, Outcome(), {"t": "nack", "cid": "c1", "code": "internal", "retryable": True}),
        ({"t": "read", "seq": 4}, STORED, None),
        ({"t": "read", "seq": 4}, None, None),
        (b"{", STORED, {"t": "nack", "code": "bad_frame", "retryable": False}),
    ],
)
def test_a_kept_frame_is_answered_by_what_became_of_it(frame: Any, outcome: Outcome | None, answer: Any) -> None:
    said = CHAT.respond(live(frame, session=LEG), outcome).body
    assert (json.loads(said) if said else None) == answer


def test_without_a_time_of_the_store_the_arrival_counts() -> None:
    said = CHAT.respond(live(TEXT, session=LEG), Outcome((Placed(EnvelopeId("e"), wire_seq=1),)))
    assert json.loads(said.body)["ts"] == "2026-11-22T18:00:00Z"


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (TEXT, {"t": "nack", "cid": "c1", "code": "rate_limited", "retryable": True, "retry_after_ms": 800}),
        ({"t": "typing"}, None),
        ({"t": "read", "seq": 1}, None),
        (
            {"t": "x", "cid": "c2"},
            {"t": "nack", "cid": "c2", "code": "rate_limited", "retryable": True, "retry_after_ms": 800},
        ),
    ],
)
def test_too_fast(frame: Any, answer: Any) -> None:
    said = CHAT.limited(live(frame, session=LEG), 800)
    assert (json.loads(said) if said else None) == answer


# --- what the gateway says by itself ------------------------------------------------------------------------------


def test_a_bound_socket_is_greeted() -> None:
    session = LiveSession(address=Address(Scheme.WEB, LEG), conversation_id="conv_1", head=43, oldest=7)
    (ready,) = CHAT.greet(session, NOW)
    assert json.loads(ready) == {
        "t": "ready",
        "v": 1,
        "session_id": LEG.removeprefix("w1/"),
        "conversation_id": "conv_1",
        "seq": 43,
        "oldest": 7,
        "server_time": "2026-11-22T18:00:00Z",
        "limits": {"text": 4000, "file": 20_000_000, "frame": 65_536},
        "features": ["upd", "upload", "typing", "read"],
    }


def test_a_session_that_has_no_conversation_yet_is_greeted_too() -> None:
    (ready,) = CHAT.greet(LiveSession(address=Address(Scheme.WEB, LEG), conversation_id=None, head=0), NOW)
    frame = json.loads(ready)
    assert (frame["seq"], frame["oldest"], "conversation_id" in frame) == (0, 1, False)


def test_the_end_of_the_replay_and_of_the_server() -> None:
    assert CHAT.synced(43) == b'{"t":"synced","seq":43}'
    assert CHAT.farewell(4200) == b'{"t":"close_soon","reconnect_after_ms":4200}'


def test_its_settings_are_those_of_the_config() -> None:
    chat = build(hello_ms=900, frame_max_bytes=2048)
    assert (chat.hello_ms, chat.max_frame_bytes, chat.config.messages_burst) == (900, 2048, 5)
    assert chat.hear(live(b" " * 2049, session=LEG)) == Close(1009, "frame too big")


# --- whatever comes -----------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FRAMES: list[dict[str, Any]] = [
    TEXT,
    HELLO,
    {"t": "read", "seq": 4},
    {"t": "typing", "on": True},
    {"t": "ping"},
    {"t": "msg", "cid": "c1", "type": "file", "attachment_id": "wat_x.y", "text": "x"},
    {
        "t": "msg",
        "cid": "c1",
        "type": "reply",
        "reply": {"to": "m", "id": "a", "title": "A"},
        "page": {"url": "https://a.b"},
    },
]


def lives_through(chat: Webchat, data: bytes) -> None:
    for session in (None, LEG):
        raw = live(data, session=session)
        found = chat.hear(raw)
        assert isinstance(found, Keep | Say | Bind | Relay | Close)
        if isinstance(found, Keep):
            assert len(chat.parse(raw)) == 1
        chat.respond(raw, None)
        chat.limited(raw, 1)


@given(st.sampled_from(FRAMES), st.data())
def test_a_mutated_frame_never_raises(frame: dict[str, Any], data: Any) -> None:
    name = data.draw(st.sampled_from(sorted(frame)))
    dropped = {key: value for key, value in frame.items() if key != name}
    lives_through(CHAT, json.dumps(dropped).encode())
    lives_through(CHAT, json.dumps(frame | {name: data.draw(JSON)}).encode())


@given(st.sampled_from(FRAMES), st.integers(0, 200), st.binary(max_size=4))
def test_a_cut_or_dirty_frame_never_raises(frame: dict[str, Any], place: int, dirt: bytes) -> None:
    data = json.dumps(frame).encode()
    lives_through(CHAT, data[:place] + dirt + data[place:])
    lives_through(CHAT, data[:place] + dirt)
