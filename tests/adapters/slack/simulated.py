"""The simulated workspace at work with the adapter, for tests."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from adapters.base import HttpCall, Request
from adapters.slack.simulator import Workspace
from adapters.slack.simulator_world import Person, Room
from normalizer.envelope import Body, Envelope
from tests.adapters.slack.support import APP_TOKEN, SECRET, SUBJECT, TOKEN, ctx, message
from tests.kit import HOOK_URL, Driven, as_raw, drive_steps
from tests.kit.cases import NOW

ADAPTER = SUBJECT.adapter
LATER = NOW + timedelta(seconds=5)


def workspace(**switches: Any) -> Workspace:
    ids = (str(number) for number in count(1000))
    simulated = Workspace(
        signing_secret=SECRET, bot_token=TOKEN, app_token=APP_TOKEN, webhook_url=HOOK_URL, ids=ids, team="T1",
        bot_user="UBOT", bot_id="B1", app_id="A1",
    )  # fmt: skip
    for name, value in switches.items():
        setattr(simulated.line if hasattr(simulated.line, name) else simulated.world, name, value)
    return simulated


def ana() -> Person:
    return Person("U1", "Ana Ribeiro", "T1", "ana")


def stranger() -> Person:
    return Person("U9", "Bo", "T9", "bo")


def envelopes(simulated: Workspace, now: datetime = NOW) -> list[Envelope]:
    """All that is told by now, verified, read, and answered with 200."""
    found: list[Envelope] = []
    for request in simulated.due(now):
        raw = as_raw(SUBJECT, request)
        raw = msgspec.structs.replace(raw, received_at=now)
        assert ADAPTER.verify(raw) is None
        found += ADAPTER.parse(raw)
        simulated.delivered(request, 200)
    return found


def bodies(simulated: Workspace, now: datetime = NOW) -> list[Body]:
    return [envelope.body for envelope in envelopes(simulated, now)]


def exchange(
    simulated: Workspace, body: Mapping[str, Any], now: datetime = NOW, *, data: bytes = b"BYTES", **facts: Any
) -> Driven[list[str]]:
    """Send through the adapter, with the simulated API's answers."""
    return drive_steps(
        ADAPTER, message(body), ctx(**facts), lambda call: simulated.answer(on_the_wire(call, data), now)
    )


def on_the_wire(call: HttpCall, data: bytes = b"BYTES") -> Request:
    """With the credential and the bytes in their places."""
    headers = {**call.headers, "Authorization": f"Bearer {TOKEN}"} if call.auth else dict(call.headers)
    body = call.body
    if call.upload:
        headers["content-type"] = "multipart/form-data; boundary=b"
        head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{call.upload.filename}"\r\n\r\n'
        body = head.encode() + data + b"\r\n--b--\r\n"
    return Request(method=call.method, url=call.url, headers=headers, body=body)


def call(
    simulated: Workspace, method: str, now: datetime = NOW, *, token: str = TOKEN, **fields: Any
) -> dict[str, Any]:
    """The API, asked by hand."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json; charset=utf-8"}
    url = f"{simulated.world.api_url}/{method}"
    reply = simulated.answer(Request(method="POST", url=url, headers=headers, body=json.dumps(fields).encode()), now)
    answer: dict[str, Any] = json.loads(reply.body)
    return answer


def text(body: str = "hello") -> dict[str, Any]:
    return {"kind": "message", "parts": [{"type": "text", "text": body}]}


def room(simulated: Workspace, id: str = "C1", **facts: Any) -> Room:
    return simulated.room(id, **facts)
