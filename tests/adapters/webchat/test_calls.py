"""Calls that are kept: messages and identities over HTTP, and what their senders are told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import LegRead, Outcome, Placed, RawInbound, Reply, Unauthentic
from normalizer.ids import EnvelopeId
from tests.adapters.webchat.support import NOW, body, build, http, identity_jwt, open_session, problem
from tests.kit import mutations

CHAT = build()
TOKEN, LEG = open_session(CHAT)
STORED = Outcome((Placed(EnvelopeId("env_1"), wire_seq=4, at=NOW),))
MSG = {"t": "msg", "cid": "c1", "type": "text", "text": "hello"}

# --- identity -----------------------------------------------------------------------------------------------------


def identify(token: str = TOKEN, **changes: Any) -> RawInbound:
    return http(path="/identify", body={"identity_jwt": identity_jwt(**changes)}, token=token, id="raw-5")


def test_an_identity_is_kept_and_its_answer_holds_a_new_token() -> None:
    raw = identify()
    assert CHAT.verify(raw) is None
    reply = CHAT.respond(raw, STORED)
    given = body(reply)
    assert reply.status == 200
    assert given["identified"] is True
    assert given["session_id"] == LEG.removeprefix("w1/")
    assert given["session_token"] != TOKEN
    read = CHAT.verify(http("GET", "/history", token=given["session_token"]))
    assert isinstance(read, LegRead)
    assert read.issued_at == raw.received_at


@pytest.mark.parametrize("changes", [{"aud": "w2"}, {"key": "f" * 32}, {"kid": "k2"}, {"sub": ""}, {"exp": 1}])
def test_a_bad_identity_is_refused_whichever_call_brings_it(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthentic):
        CHAT.verify(identify(**changes))
    with pytest.raises(Unauthentic):
        CHAT.verify(http(body={"identity_jwt": identity_jwt(**changes)}))


def test_the_same_proof_again_is_answered_and_not_kept() -> None:
    fresh = body(CHAT.respond(identify(), STORED))["session_token"]
    again = CHAT.verify(identify(fresh))
    assert isinstance(again, Reply)
    assert (again.status, body(again)["identified"]) == (200, True)
    assert CHAT.verify(identify(fresh, email="ana@example.com")) is None, "what the site says has changed"


def test_a_session_is_one_persons() -> None:
    fresh = body(CHAT.respond(identify(), STORED))["session_token"]
    other = CHAT.verify(identify(fresh, sub="u2"))
    assert isinstance(other, Reply)
    assert (other.status, body(other)["code"]) == (409, "identity_taken")
    joined = CHAT.verify(http(body={"session_token": fresh, "identity_jwt": identity_jwt(sub="u2")}))
    assert isinstance(joined, Reply)
    assert joined.status == 409


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (None, 503, "unavailable"),
        (Outcome(error="identity_taken"), 409, "identity_taken"),
        (Outcome(error="ended"), 401, "unauthenticated"),
        (Outcome(error="something"), 503, "internal"),
        (Outcome(), 503, "internal"),
    ],
)
def test_an_identity_that_came_to_nothing_gets_no_token(outcome: Outcome | None, status: int, code: str) -> None:
    for raw in (identify(), http(body={"identity_jwt": identity_jwt()})):
        reply = CHAT.respond(raw, outcome)
        assert (reply.status, body(reply)) == (status, problem(status, code))


def test_a_session_may_be_identified_from_its_start() -> None:
    raw = http(body={"widget_key": "w1", "identity_jwt": identity_jwt()}, id="raw-7")
    assert CHAT.verify(raw) is None
    (envelope,) = CHAT.parse(raw)
    reply = CHAT.respond(raw, STORED)
    assert reply.status == 201
    assert envelope.party.address is not None
    assert envelope.party.address.value == f"w1/{body(reply)['session_id']}"


def test_the_older_hash_needs_its_own_secret() -> None:
    proof = {"user_id": "u1", "user_hash": "39536bc0c20e6efcd22ec30bb96eec5aff9be6a37fe8e9db166b4cc950c94e7e"}
    raw = http(path="/identify", body=proof, token=TOKEN)
    with pytest.raises(Unauthentic):
        CHAT.verify(raw)
    assert build(user_hash_secret="0123456789abcdef0123456789abcdef").verify(raw) is None


# --- messages -----------------------------------------------------------------------------------------------------


def test_a_message_over_http_is_kept_and_answered_by_what_became_of_it() -> None:
    raw = http(path="/messages", body=MSG, token=TOKEN)
    assert CHAT.verify(raw) is None
    first = CHAT.respond(raw, STORED)
    ack = {"t": "ack", "cid": "c1", "id": "env_1", "seq": 4, "ts": "2026-11-22T18:00:00Z", "dup": False}
    assert (first.status, body(first)) == (201, ack)
    again = CHAT.respond(raw, Outcome((Placed(EnvelopeId("env_1"), wire_seq=4, at=NOW, duplicate=True),)))
    assert (again.status, body(again)) == (200, ack | {"dup": True})


@pytest.mark.parametrize(
    ("outcome", "status", "code", "retryable"),
    [
        (None, 503, "unavailable", True),
        (Outcome((Placed(EnvelopeId("e"), duplicate=True, conflict=True),)), 409, "cid_conflict", False),
        (Outcome(error="conflict"), 409, "cid_conflict", False),
        (Outcome(error="ended"), 401, "unauthenticated", False),
        (Outcome(error="conversation_closed"), 409, "conversation_closed", False),
        (Outcome(error="malformed"), 400, "bad_frame", False),
        (Outcome(error="unknown_account"), 503, "internal", True),
        (Outcome(), 503, "internal", True),
    ],
)
def test_what_went_wrong_is_said(outcome: Outcome | None, status: int, code: str, *, retryable: bool) -> None:
    reply = CHAT.respond(http(path="/messages", body=MSG, token=TOKEN), outcome)
    assert reply.status == status
    assert body(reply) == {"t": "nack", "cid": "c1", "code": code, "retryable": retryable}
    assert ("retry-after" in reply.headers) is (status == 503)


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        (MSG | {"text": "x" * 4001}, 413, "too_long"),
        (MSG | {"text": " "}, 400, "bad_frame"),
        (MSG | {"cid": "a b"}, 400, "bad_frame"),
        (MSG | {"type": "video_call"}, 422, "unsupported_type"),
        (MSG | {"type": "file", "attachment_id": "wat_x.y"}, 422, "attachment_unknown"),
        ({"t": "hello", "v": 1}, 400, "bad_frame"),
        ({"t": "typing"}, 400, "bad_frame"),
        (b"{", 400, "bad_frame"),
        (b"x" * 65_537, 413, "too_long"),
    ],
)
def test_a_message_that_can_not_be_taken_is_not_kept(frame: Any, status: int, code: str) -> None:
    reply = CHAT.verify(http(path="/messages", body=frame, token=TOKEN))
    assert isinstance(reply, Reply)
    assert (reply.status, body(reply)["code"]) == (status, code)


def test_the_name_of_the_frame_may_be_left_out() -> None:
    short = {name: value for name, value in MSG.items() if name != "t"}
    assert CHAT.verify(http(path="/messages", body=short, token=TOKEN)) is None
    assert CHAT.parse(http(path="/messages", body=short, token=TOKEN))[0].dedupe_keys[0].endswith(":c1")


def test_reading_is_told_over_http_as_well() -> None:
    raw = http(path="/messages", body={"t": "read", "seq": 3}, token=TOKEN)
    assert CHAT.verify(raw) is None
    for outcome, status in ((STORED, 204), (Outcome(), 204), (None, 503), (Outcome(error="ended"), 401)):
        assert CHAT.respond(raw, outcome).status == status, "a receipt has no place of its own in the conversation"


@pytest.mark.parametrize("path", ["/session", "/identify", "/messages"])
def test_a_body_is_as_long_as_a_frame_at_most(path: str) -> None:
    reply = CHAT.verify(http(path=path, body=b"{" + b" " * 65_535 + b"}", token=TOKEN))
    assert isinstance(reply, Reply)
    assert (reply.status, body(reply)["code"]) == (413, "too_long")


# --- whatever comes -----------------------------------------------------------------------------------------------


@given(
    st.sampled_from(
        [("/messages", MSG), ("/identify", {"identity_jwt": identity_jwt()}), ("/session", {"session_token": TOKEN})]
    ),
    st.data(),
)
def test_a_mutated_call_is_answered_kept_or_refused(call: tuple[str, dict[str, Any]], data: Any) -> None:
    path, document = call
    _, changed = data.draw(mutations(document))
    raw = http(path=path, body=changed, token=TOKEN)
    try:
        verdict = CHAT.verify(raw)
    except Unauthentic:
        return
    if verdict is None:
        assert len(CHAT.parse(raw)) == 1
        assert CHAT.respond(raw, STORED).status in {200, 201}
    else:
        assert isinstance(verdict, Reply)


@given(st.text(), st.text(), st.text())
def test_headers_of_any_kind_are_refused(token: str, origin: str, scheme: str) -> None:
    for headers in ({"authorization": f"{scheme} {token}"}, {"authorization": token}, {"origin": origin}):
        with pytest.raises(Unauthentic):
            CHAT.verify(http("GET", "/history", headers=headers))
