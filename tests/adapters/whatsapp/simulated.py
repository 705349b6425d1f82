"""The simulated provider at work with the adapter, for tests."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from adapters.base import HttpCall, Request
from adapters.whatsapp import simulator_content as content
from adapters.whatsapp.simulator import Meta
from adapters.whatsapp.simulator_world import Customer, Number
from tests.adapters.whatsapp.support import ACCOUNT, SECRET, SUBJECT, TOKEN, VERIFY_TOKEN, ctx, message
from tests.kit import Driven, drive_steps
from tests.kit.cases import NOW

ADAPTER = SUBJECT.adapter
LATER = NOW + timedelta(seconds=5)


def meta(**switches: Any) -> Meta:
    ids = (str(number) for number in count(1000))
    simulated = Meta(
        app_secret=SECRET,
        access_token=TOKEN,
        verify_token=VERIFY_TOKEN,
        webhook_url="https://gateway.example.org/hooks/wa",
        numbers=[Number(ACCOUNT, "15550783881"), Number("222", "15550783882")],
        ids=ids,
    )
    for name, value in switches.items():
        setattr(simulated, name, value)
    return simulated


def sheena() -> Customer:
    return Customer(name="Sheena", phone="16505551234", user_id="US.13491208655302741918")


def exchange(simulated: Meta, body: dict[str, Any], now: datetime = NOW, **facts: Any) -> Driven[list[str]]:
    """Send through the adapter, with the simulated API's answers."""
    return drive_steps(ADAPTER, message(body), ctx(**facts), lambda call: simulated.answer(on_the_wire(call), now))


def on_the_wire(call: HttpCall) -> Request:
    """With the credential and the bytes in their places."""
    headers = {**call.headers, "Authorization": f"Bearer {TOKEN}"} if call.auth else dict(call.headers)
    body = call.body
    if call.upload:
        headers["content-type"] = "multipart/form-data; boundary=b"
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in call.upload.fields.items()
        ]
        head = f'--b\r\nContent-Disposition: form-data; name="{call.upload.field}"; filename="f"\r\n'
        parts.append(f"{head}Content-Type: {call.upload.mime}\r\n\r\nBYTES\r\n--b--\r\n")
        body = "".join(parts).encode()
    return Request(method=call.method, url=call.url, headers=headers, body=body)


def text(body: str = "hello") -> dict[str, Any]:
    return {"kind": "message", "parts": [{"type": "text", "text": body}]}


def deliver(simulated: Meta, now: datetime = LATER) -> list[Any]:
    """The bodies of all that is told by now, answered with 200."""
    bodies = []
    for request in simulated.due(now):
        bodies += [e.body for e in ADAPTER.parse(SUBJECT.raw(request.body, headers=request.headers))]
        simulated.delivered(request, 200)
    return bodies


def outcome(simulated: Meta, body: dict[str, Any], **facts: Any) -> tuple[str, str | None]:
    error = exchange(simulated, body, **facts).error
    return (type(error).__name__, error.provider_code) if error else ("sent", None)


def opened(**switches: Any) -> tuple[Meta, Customer]:
    simulated, customer = meta(**switches), sheena()
    simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated, NOW)
    return simulated, customer
