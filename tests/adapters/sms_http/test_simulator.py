"""The provider's side, against the adapter: each is a check of the other."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from adapters.base import HttpCall, Request
from adapters.sms_http.simulator import AGAIN_AFTER, Fault, SmsProvider
from normalizer.envelope import Message, Part, Receipt, Text
from tests.adapters.sms_http.support import NAMES, NUMBER, OTHER, SECRET, SUBJECT, TOKEN, URL, ctx, outbound
from tests.kit import HOOK_URL, Driven, Subject, as_raw, check_round_trip, drive_steps
from tests.kit.cases import NOW

LATER = NOW + timedelta(seconds=5)


def provider(**facts: Any) -> SmsProvider:
    ids = (f"id{number}" for number in count(1))
    return SmsProvider(number=NUMBER, token=TOKEN, secret=SECRET, url=URL, hook=HOOK_URL, ids=ids, **facts)


def on_the_wire(call: HttpCall, token: str = TOKEN) -> Request:
    headers = {**call.headers, "Authorization": f"Bearer {token}"}
    return Request(method=call.method, url=call.url, headers=headers, body=call.body)


def exchange(simulated: SmsProvider, *parts: Part, subject: Subject = SUBJECT, **facts: Any) -> Driven[list[str]]:
    def answer(call: HttpCall) -> Any:
        return simulated.answer(on_the_wire(call), NOW)

    return drive_steps(subject.adapter, outbound(*parts), ctx(**facts), answer)


def deliver(simulated: SmsProvider, subject: Subject = SUBJECT, now: Any = LATER) -> list[Any]:
    envelopes: list[Any] = []
    for request in simulated.due(now):
        raw = as_raw(subject, request)
        assert subject.adapter.verify(raw) is None
        envelopes += subject.adapter.parse(raw)
        simulated.delivered(request, 200)
    return envelopes


@pytest.mark.parametrize(("names", "subject"), [(None, SUBJECT), (NAMES, OTHER)])
def test_there_and_back(names: Any, subject: Subject) -> None:
    """What a person wrote is read; what we write is shown, and told with our key. With their names as with ours."""
    simulated = provider(names=names)
    simulated.send("+14155550101", " é + 😀 ", NOW)
    (request,) = simulated.due(NOW)
    check_round_trip(subject, request, [Message(parts=(Text(" é + 😀 "),))])
    simulated.delivered(request, 200)
    driven = exchange(simulated, Text("one"), Text("two"), subject=subject)
    assert [shown.text for shown in simulated.shown.values()] == ["one", "two"]
    told = deliver(simulated, subject)
    assert {e.echo_key for e in told} == {"cmd_1"}
    assert sorted({e.body.target for e in told}) == driven.value
    assert simulated.next_due() is None


def test_a_phone_that_is_off() -> None:
    simulated = provider()
    simulated.unreachable.add("+14155550101")
    exchange(simulated)
    assert [e.body.status.value for e in deliver(simulated)] == ["sent", "failed"]


def test_a_webhook_comes_until_it_is_taken() -> None:
    simulated = provider()
    simulated.send("+14155550101", "hi", NOW)
    (request,) = simulated.due(NOW)
    simulated.delivered(request, 503)
    assert simulated.due(NOW) == []
    assert simulated.due(NOW + AGAIN_AFTER) == [request]
    simulated.delivered(request, 200)
    assert simulated.next_due() is None


def test_doubled_out_of_order_and_missing() -> None:
    """The same keys all the same."""
    simulated = provider()
    simulated.duplicates = simulated.reorder = True
    exchange(simulated)
    told = deliver(simulated)
    assert [e.body.status.value for e in told if isinstance(e.body, Receipt)] == ["delivered"] * 2 + ["sent"] * 2
    assert len({e.dedupe_keys for e in told}) == 2
    simulated.receipts = False
    exchange(simulated)
    assert deliver(simulated) == []


@pytest.mark.parametrize(
    ("fault", "want"),
    [
        ("429", "Throttled"),
        ("500", "Unavailable"),
        ("503", "Unavailable"),
        ("401", "CredentialsRefused"),
        ("html", "Unavailable"),
        ("empty", "NoAnswer"),
    ],
)
def test_faults(fault: Fault, want: str) -> None:
    """One call each."""
    simulated = provider()
    simulated.faults.append(fault)
    assert type(exchange(simulated).error).__name__ == want
    assert exchange(simulated).error is None


def test_what_it_refuses() -> None:
    """A wrong token, place, sender, recipient and text."""
    good = HttpCall(method="POST", url=URL, body=b"from=%2B15017122661&to=%2B1&text=x&ref=r")
    simulated = provider()
    assert simulated.answer(on_the_wire(good), NOW).status == 200
    assert simulated.answer(on_the_wire(good, "wrong"), NOW).status == 401
    assert simulated.answer(on_the_wire(HttpCall(method="GET", url=URL)), NOW).status == 404
    for body in (b"from=x&to=%2B1&text=x", b"from=%2B15017122661&to=x&text=x", b"from=%2B15017122661&to=%2B1&text=+"):
        assert simulated.answer(on_the_wire(HttpCall(method="POST", url=URL, body=body)), NOW).status == 400
    long = b"from=%2B15017122661&to=%2B1&text=" + b"x" * 1601
    assert simulated.answer(on_the_wire(HttpCall(method="POST", url=URL, body=long)), NOW).status == 400
