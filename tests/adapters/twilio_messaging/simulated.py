"""The simulated provider at work with the adapter, for tests."""

import base64
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from adapters.base import Auth, HttpCall, Reply, Request
from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator import Twilio
from adapters.twilio_messaging.simulator_world import Customer
from normalizer.envelope import Envelope
from tests.adapters.twilio_messaging.support import ACCOUNT_SID, RCS, SERVICE, SMS, SUBJECT, TOKEN, WA, ctx, message
from tests.kit import HOOK_URL, Driven, as_raw, drive_steps
from tests.kit.cases import NOW

ADAPTER: Any = SUBJECT.adapter
LATER = NOW + timedelta(seconds=5)
POOLED = "+15550009999"


def twilio(webhook_url: str = HOOK_URL, **switches: Any) -> Twilio:
    ids = (f"{number:032x}" for number in count(1))
    simulated = Twilio(
        account_sid=ACCOUNT_SID,
        auth_token=TOKEN,
        webhook_url=webhook_url,
        senders=[WA, SMS, RCS],
        services={SERVICE: [POOLED]},
        ids=ids,
    )
    for name, value in switches.items():
        setattr(simulated, name, value)
    return simulated


def sheena(**facts: Any) -> Customer:
    return Customer(name="Sheena", phone="+16505551234", **facts)


def opened(to: str = WA, **facts: Any) -> tuple[Twilio, Customer]:
    """With a customer who has written, and whose message was taken."""
    simulated, customer = twilio(), sheena(**facts)
    simulated.send(customer, content.text("hi"), NOW, to=to)
    deliver(simulated, NOW)
    return simulated, customer


def on_the_wire(call: HttpCall) -> Request:
    """With the credential in its place."""
    headers = dict(call.headers)
    if call.auth:
        assert call.auth == Auth("auth_token", scheme="basic", user=ACCOUNT_SID)
        headers["Authorization"] = "Basic " + base64.b64encode(f"{call.auth.user}:{TOKEN}".encode()).decode()
    return Request(method=call.method, url=call.url, headers=headers, body=call.body)


def exchange(simulated: Twilio, body: dict[str, Any], now: datetime = NOW, **facts: Any) -> Driven[list[str]]:
    """Send through the adapter, with the simulated API's answers."""

    def answer(call: HttpCall) -> Reply:
        return simulated.answer(on_the_wire(call), now)

    return drive_steps(ADAPTER, message(body), ctx(**facts), answer)


def outcome(simulated: Twilio, body: dict[str, Any], **facts: Any) -> tuple[str, str | None]:
    error = exchange(simulated, body, **facts).error
    return (type(error).__name__, error.provider_code) if error else ("sent", None)


def text(body: str = "hello") -> dict[str, Any]:
    return {"kind": "message", "parts": [{"type": "text", "text": body}]}


def read(simulated: Twilio, now: datetime = LATER, status: int = 200) -> list[Envelope]:
    """All that is told by now, and answered so."""
    envelopes: list[Envelope] = []
    for request in simulated.due(now):
        raw = as_raw(SUBJECT, request)
        assert ADAPTER.verify(raw) is None
        envelopes += ADAPTER.parse(raw)
        simulated.delivered(request, status, now)
    return envelopes


def deliver(simulated: Twilio, now: datetime = LATER) -> list[Any]:
    return [envelope.body for envelope in read(simulated, now)]
