"""What goes out, and what becomes of it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import HttpCall
from normalizer.envelope import Envelope, Message, Text
from tests.adapters.slack.support import SUBJECT, ctx, message, outbound_cases
from tests.kit import OutboundCase, check_failures, check_outbound, check_rendered, drive_steps, given_reply

CASES = outbound_cases()
TEXT = message({"kind": "message", "parts": [{"type": "text", "text": "hello"}]})
POSTED = given_reply({"status": 200, "json": {"ok": True, "channel": "D1", "ts": "1764000001.000100"}})


def test_there_are_enough_cases() -> None:
    """And none is there twice."""
    assert len({case.label for case in CASES}) == len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_command_says_the_same(case: OutboundCase) -> None:
    check_rendered(SUBJECT, case)


def test_failures_land_in_their_class() -> None:
    """Whatever stands in the body, the status alone decides when there is no name."""
    check_failures(SUBJECT, TEXT, ctx())


@given(st.integers(100, 599), st.binary(max_size=40) | st.sampled_from([b'{"ok":null}', b'{"ok":true,"ts":5}']))
def test_any_answer_is_success_or_a_send_error(status: int, body: bytes) -> None:
    """No answer of theirs makes the adapter fall over; only an `ok` with an id is success."""
    reply = given_reply({"status": status, "body": body.decode("latin-1")})
    driven = drive_steps(SUBJECT.adapter, TEXT, ctx(), [reply])
    assert driven.error is not None
    assert driven.value == []


@given(st.text(min_size=1, max_size=300).filter(str.strip) | st.just("a\ud800b"))
def test_no_text_is_too_odd_to_send(text: str) -> None:
    """The body is JSON whatever the text, lone surrogates included."""
    odd = msgspec.structs.replace(TEXT, body=Message(parts=(Text(text),)))
    driven = drive_steps(SUBJECT.adapter, odd, ctx(), [POSTED])
    assert driven.error is None
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert json.loads(call.body)["text"]


@pytest.mark.parametrize(("length", "messages"), [(4000, 1), (4001, 2), (8000, 2), (8001, 3)])
def test_long_texts_are_several_messages(length: int, messages: int) -> None:
    """At the limit and one past it; nothing is cut off."""
    long = msgspec.structs.replace(TEXT, body=Message(parts=(Text("a" * length),)))
    driven = drive_steps(SUBJECT.adapter, long, ctx(), [POSTED] * messages)
    assert driven.error is None
    texts = [json.loads(call.body)["text"] for call in driven.calls if isinstance(call, HttpCall)]
    assert len(texts) == messages
    assert "".join(texts) == "a" * length


# --- permissions --------------------------------------------------------------------------------------------------

MISSING = given_reply({"status": 200, "json": {"ok": False, "error": "missing_scope", "needed": "x", "provided": "y"}})
REFUSED = given_reply({"status": 200, "json": {"ok": False, "error": "token_revoked"}})
PICTURE = message({"kind": "message", "parts": [{"type": "image", "media": {"stored": "a", "size": 5}}]})
THUMB = message({"kind": "reaction", "target": "D1:1764000000.000100", "emoji": "👍"})
NO_THUMB = message({"kind": "reaction", "target": "D1:1764000000.000100"})
WITHDRAWN = message({"kind": "revoke", "target": "D1:1764000000.000100"})


@pytest.mark.parametrize(
    ("what", "missing"),
    [
        (TEXT, "credentials_refused"),
        (WITHDRAWN, "credentials_refused"),
        (THUMB, "refused"),
        (NO_THUMB, "refused"),
        (PICTURE, "media_failed"),
    ],
)
def test_only_a_permission_that_texts_need_stops_the_channel(what: Envelope, missing: str) -> None:
    """A thumb without its permission would keep every customer waiting for a day."""
    codes = []
    for reply in (MISSING, REFUSED):
        error = drive_steps(SUBJECT.adapter, what, ctx(), [reply]).error
        assert error is not None
        codes.append(error.code)
    assert codes == [missing, "credentials_refused"]
