"""What leaves for a visitor is a wake-up."""

import json
from typing import Any

import pytest

from adapters.base import LegView, PushCall, Refused, Reply, SendContext, SendError, Sent, TemplateRefused
from normalizer.address import Address, Scheme
from normalizer.envelope import (
    AddressChange,
    Body,
    CallEvent,
    Choice,
    ChoicesOffered,
    Edit,
    Message,
    Note,
    Order,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Status,
    Template,
    Text,
    Typing,
    Unsupported,
)
from normalizer.ids import ExternalId
from tests.adapters.webchat.support import NOW, build, outbound


def sent(body: Body, *, address: Address | None = None, author: str = "ai", **facts: Any) -> tuple[list[Any], Sent]:
    leg = LegView(address=address or Address(Scheme.WEB, "w1/s1"))
    flow = build().send(outbound(body, id="m46", author=author), SendContext(now=NOW, leg=leg, echo_key="k", **facts))
    calls = []
    try:
        call = next(flow)
        while True:
            calls.append(call)
            call = flow.send(Reply())
    except StopIteration as stop:
        return calls, stop.value


@pytest.mark.parametrize(
    "body",
    [
        Message(parts=(Text("hello"),)),
        Message(parts=(Text("a"), ChoicesOffered("b", (Choice("1", "One"),)))),
        Message(parts=(Text("x" * 100_000),)),
        Edit(ExternalId("m1"), (Text("b"),)),
        Revoke(ExternalId("m1")),
        StateChange(state="queue", reason="unsure"),
    ],
)
def test_a_message_wakes_the_sockets_and_is_known_by_its_own_id(body: Body) -> None:
    assert sent(body) == ([PushCall()], Sent((ExternalId("m46"),)))


def test_typing_is_shown_once_and_leaves_no_trace() -> None:
    calls, outcome = sent(Typing(on=False), author="agent")
    assert outcome == Sent()
    assert [json.loads(call.frame) for call in calls] == [
        {"t": "typing", "on": False, "ttl_ms": 6000, "from": {"kind": "agent"}}
    ]


def test_a_receipt_may_show_typing_too() -> None:
    assert sent(Receipt(status=Status.READ, up_to=4)) == ([PushCall()], Sent())
    (call,), outcome = sent(Receipt(status=Status.READ, up_to=4, typing=True))
    assert json.loads(call.frame)["from"] == {"kind": "bot"}
    assert outcome == Sent()


def test_a_step_past_the_last_one_does_nothing() -> None:
    assert sent(Message(parts=(Text("hello"),)), step=1) == ([], Sent())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Message(parts=(Template("t", "de"),)), TemplateRefused),
        (Message(parts=(Text("a"), Order(()))), Refused),
        (Message(parts=()), Refused),
        (Edit(ExternalId("m1"), ()), Refused),
        (Note("between us"), Refused),
        (Reaction(ExternalId("m1"), "+"), Refused),
        (CallEvent(call=ExternalId("c"), event="ended"), Refused),
        (AddressChange(new=(), reason="x"), Refused),
        (SessionEnded(), Refused),
        (Unsupported(what="x"), Refused),
    ],
)
def test_what_can_not_be_shown_is_refused_for_certain(body: Body, error: type[SendError]) -> None:
    with pytest.raises(error) as caught:
        sent(body)
    assert (caught.value.certain, caught.value.retryable) == (True, False)
    assert "between us" not in str(caught.value)


def test_other_legs_are_refused() -> None:
    with pytest.raises(Refused):
        sent(Message(parts=(Text("x"),)), address=Address(Scheme.TEL, "+4930901820"))
