"""Frames as bytes. Expected bytes are typed by hand."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webchat import wire
from adapters.webchat.wire import (
    BadFrame,
    Hello,
    Msg,
    PageSeen,
    Ping,
    Pong,
    Read,
    ReplyChoice,
    TypingSeen,
    encode,
    nack,
    read_frame,
    read_posted,
    read_proof,
    read_session_request,
)

TS = datetime(2026, 11, 22, 18, 0, 0, 5000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (b'{"t":"hello","v":1,"token":"wst_x","resume_from":41,"caps":["upd"]}', Hello(1, "wst_x", 41)),
        (b'{"t":"hello"}', Hello()),
        (b'{"t":"msg","cid":"7d0e","type":"text","text":"hi"}', Msg("7d0e", "text", "hi")),
        (b'{"type":"text","t":"msg","text":"hi","cid":"7d0e","new":{"a":[1]}}', Msg("7d0e", "text", "hi")),
        (
            b'{"t":"msg","cid":"7d0e","type":"reply","reply":{"to":"m43","id":"a"}}',
            Msg("7d0e", "reply", reply=ReplyChoice("m43", "a")),
        ),
        (
            b'{"t":"msg","cid":"c","type":"text","text":"x","locale":"de","page":{"url":"https://a.b","title":"T"}}',
            Msg("c", "text", "x", locale="de", page=PageSeen("https://a.b", "T")),
        ),
        (b'{"t":"read","seq":44}', Read(44)),
        (b'{"t":"typing"}', TypingSeen(True)),
        (b'{"t":"typing","on":false}', TypingSeen(False)),
        (b'{"t":"ping"}', Ping()),
        (b' {"t":"pong"}\n', Pong()),
        (b'{"t":"msg","cid":"c","type":"text","text":"\\ud83d\\ude00"}', Msg("c", "text", "\U0001f600")),
        (b'{"t":"msg","cid":"c","type":"text","text":"cut \\ud83d"}', Msg("c", "text", "cut \ufffd")),
    ],
)
def test_what_a_client_may_send(data: bytes, frame: object) -> None:
    assert read_frame(data) == frame


BAD = [
    b"",
    b"x",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"msg"',
    b"\xff\xfe",
    b'{"t":"msg","cid":"\xff"}',
    b"\x00",
    b"{}",
    b'{"t":null}',
    b'{"t":7}',
    b'{"t":"nothing"}',
    b'{"t":["msg"]}',
    b'{"t":"ready"}',
    b'{"t":"msg"}',
    b'{"t":"read"}',
    b'{"t":"read","seq":-1}',
    b'{"t":"read","seq":1.5}',
    b'{"t":"read","seq":"1"}',
    b'{"t":"read","seq":null}',
    b'{"t":"read","seq":99999999999999999999}',
    b'{"t":"typing","on":1}',
    b'{"t":"hello","v":"1"}',
    b'{"t":"hello","resume_from":-1}',
    b'{"t":"hello","token":{}}',
    b'{"t":"msg","cid":7,"type":"text"}',
    b'{"t":"msg","cid":"","type":"text"}',
    b'{"t":"msg","cid":"a b","type":"text"}',
    b'{"t":"msg","cid":"a:b","type":"text"}',
    b'{"t":"msg","cid":"a\\n","type":"text"}',
    b'{"t":"msg","cid":"' + b"a" * 65 + b'","type":"text"}',
    b'{"t":"msg","cid":"\\u0661","type":"text"}',
    b'{"t":"msg","cid":"a"}',
    b'{"t":"msg","cid":"a","type":null}',
    b'{"t":"msg","cid":"a","type":"text","text":7}',
    b'{"t":"msg","cid":"a","type":"text","text":["x"]}',
    b'{"t":"msg","cid":"a","type":"reply","reply":{}}',
    b'{"t":"msg","cid":"a","type":"reply","reply":{"to":"","id":"a"}}',
    b'{"t":"msg","cid":"a","type":"text","reply_to":"' + b"x" * 257 + b'"}',
    b'{"t":"ping"}x',
    b'{"t":"ping"}{"t":"ping"}',
    b'{"t":"msg","cid":"a","type":"text","text":NaN}',
    b"[" * 60_000,
    b'{"t":"ping","x":' + b"[" * 30_000,
    b'{"t":"msg","cid":"a","type":"text","text":"x","y":' + b"[" * 9_000 + b"]" * 9_000 + b"}",
]


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_frame(data: bytes) -> None:
    with pytest.raises(BadFrame):
        read_frame(data)


@pytest.mark.parametrize(
    ("data", "cid"),
    [
        (b'{"t":"nothing","cid":"c1"}', "c1"),
        (b'{"t":"msg","cid":"c1"}', "c1"),
        (b'{"t":"msg","cid":"c1","type":"text","text":"\\ud800","reply_to":7}', "c1"),
        (b'{"t":"msg","cid":"a b","type":"text"}', None),
        (b'{"t":"msg","cid":["c1"]}', None),
        (b'{"t":"msg","cid":"c1"', None),
        (b"[]", None),
    ],
)
def test_a_refusal_names_the_message_if_it_can(data: bytes, cid: str | None) -> None:
    with pytest.raises(BadFrame) as caught:
        read_frame(data)
    assert caught.value.cid == cid


READERS = (read_frame, read_posted, read_proof, read_session_request)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WHOLE: dict[str, Any] = {
    "t": "msg",
    "cid": "c1",
    "type": "file",
    "text": "x",
    "attachment_id": "wat_x.y",
    "reply": {"to": "m", "id": "a"},
    "reply_to": "m1",
    "locale": "de",
    "page": {"url": "https://a.b", "title": "T", "referrer": "R"},
    "v": 1,
    "seq": 4,
    "token": "wst_x.y",
    "resume_from": 3,
    "on": True,
    "identity_jwt": "a.b.c",
    "session_token": "wst_x",
}


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    for reader in READERS:
        try:
            reader(data)
        except BadFrame:
            continue


@given(st.sampled_from(sorted(WHOLE)), st.sampled_from(["msg", "hello", "read", "typing", "ping"]), JSON)
def test_a_field_of_any_type_is_read_or_refused(name: str, kind: str, value: Any) -> None:
    data = json.dumps({**WHOLE, "t": kind, name: value}).encode()
    for reader in READERS:
        try:
            reader(data)
        except BadFrame:
            continue


def test_the_name_may_be_left_out_where_only_messages_are_posted() -> None:
    assert read_posted(b'{"cid":"c","type":"text","text":"x"}') == Msg("c", "text", "x")
    assert read_posted(b'{"t":"read","seq":3}') == Read(3)
    for data in (b'{"t":"hello"}', b'{"t":"ping"}', b'{"seq":3}', b"{}", b"["):
        with pytest.raises(BadFrame):
            read_posted(data)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (
            wire.Ack(cid="7d0e", id="m44", seq=44, ts=TS, dup=False),
            b'{"t":"ack","cid":"7d0e","id":"m44","seq":44,"ts":"2026-11-22T18:00:00.005000Z","dup":false}',
        ),
        (nack("cid_conflict", "7d0e"), b'{"t":"nack","cid":"7d0e","code":"cid_conflict","retryable":false}'),
        (nack("bad_frame"), b'{"t":"nack","code":"bad_frame","retryable":false}'),
        (
            nack("rate_limited", "c", 800),
            b'{"t":"nack","cid":"c","code":"rate_limited","retryable":true,"retry_after_ms":800}',
        ),
        (wire.Synced(43), b'{"t":"synced","seq":43}'),
        (wire.CloseSoon(4200), b'{"t":"close_soon","reconnect_after_ms":4200}'),
        (wire.Skip(7), b'{"t":"skip","seq":7}'),
        (Pong(), b'{"t":"pong"}'),
        (
            wire.TypingShown(on=True, ttl_ms=6000, sender=wire.From("agent")),
            b'{"t":"typing","on":true,"ttl_ms":6000,"from":{"kind":"agent"}}',
        ),
        (
            wire.Upd(seq=45, id="m46", type="text", content={"text": "x"}, final=True, ts=TS),
            b'{"t":"upd","seq":45,"id":"m46","type":"text","content":{"text":"x"},"final":true,'
            b'"ts":"2026-11-22T18:00:00.005000Z"}',
        ),
    ],
)
def test_what_the_server_says(frame: Any, data: bytes) -> None:
    assert encode(frame) == data


def test_the_retryable_refusals_are_those_that_may_pass() -> None:
    assert {code for code in wire.NackCode.__args__ if nack(code).retryable} == {  # type: ignore[attr-defined]
        "rate_limited",
        "unavailable",
        "internal",
    }
