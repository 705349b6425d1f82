"""The kit fails where an adapter breaks the contract."""

import msgspec
import pytest

from adapters.base import Flow, HttpCall, RawInbound, Refused, Reply, SendContext, Sent
from normalizer.envelope import Envelope
from tests.adapters.whatsapp.support import SUBJECT, ctx, delivery, encoded, message, text_message, value
from tests.kit import InboundCase, OutboundCase, Subject, check_failures, check_inbound, check_outbound, check_refused
from tests.kit.mutate import DROPPED, mutated, paths

TEXT = message({"kind": "message", "parts": [{"type": "text", "text": "hello"}]})
BODY = encoded(delivery(value(messages=[text_message()])))
OK = Reply(200, {}, b'{"messages":[{"id":"wamid.1"}]}')


def test_an_unused_reply_fails() -> None:
    """A case that gives more answers than are asked for is wrong about the adapter."""
    case = OutboundCase("twice", TEXT, ctx(), [OK, OK], calls=[{"method": "POST"}], ids=["wamid.1"])
    with pytest.raises(AssertionError):
        check_outbound(SUBJECT, case)


def test_a_missing_reply_fails() -> None:
    """So is one that gives fewer."""
    with pytest.raises(AssertionError, match="no answer for"):
        check_outbound(SUBJECT, OutboundCase("none", TEXT, ctx(), [], calls=[]))


def test_other_envelopes_fail() -> None:
    """A want that is not what came out."""
    with pytest.raises(AssertionError):
        check_inbound(SUBJECT, InboundCase("none", BODY, []))


def test_a_request_that_verifies_is_not_refused() -> None:
    """Junk that an adapter takes is a failure."""
    with pytest.raises(AssertionError, match="accepted"):
        check_refused(SUBJECT, SUBJECT.raw(BODY))


def test_a_secret_that_can_be_seen_fails() -> None:
    """Here the customer's own number stands for a secret."""
    leaky = Subject(SUBJECT.registration, SUBJECT.config, SUBJECT.sign, ["16505551234"])
    with pytest.raises(AssertionError):
        check_outbound(leaky, OutboundCase("leak", TEXT, ctx(), [OK], calls=[{"method": "POST"}], ids=["wamid.1"]))


class Careless:
    """Takes every answer for a refusal of the message."""

    capabilities = SUBJECT.adapter.capabilities

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        reply = yield HttpCall(method="POST", url="https://example.org")
        if reply.status != 200:
            raise Refused("something")
        return Sent()


def test_a_careless_adapter_fails() -> None:
    """429 is no refusal of the message."""
    registration = msgspec.structs.replace(SUBJECT.registration, build=lambda *_: Careless())
    with pytest.raises(AssertionError, match="throttled"):
        check_failures(Subject(registration, None, SUBJECT.sign, []), TEXT, ctx())


def test_mutations() -> None:
    """Every place but the root, once; the original stays as it was."""
    document = {"a": [1, {"b": 2}]}
    assert list(paths(document)) == [("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
    assert mutated(document, ("a", 1, "b"), DROPPED) == {"a": [1, {}]}
    assert mutated(document, ("a", 0), None) == {"a": [None, {"b": 2}]}
    assert document == {"a": [1, {"b": 2}]}


def test_raw_is_signed_unless_headers_are_given() -> None:
    """As the provider would, or as somebody else."""
    assert isinstance(SUBJECT.raw(b"x"), RawInbound)
    assert SUBJECT.raw(b"x").headers
    assert SUBJECT.raw(b"x", headers={}).headers == {}
