"""The provider's API on loopback: takes messages and gives them ids, or does what the test scripted."""

from __future__ import annotations

import json
from typing import Any

from tests.gateway.provider import Answer, Behaviour, Provider, Seen


class Graph(Provider):
    """Without a script every message is accepted, with the ids `out.1`, `out.2` ... in the order of the calls."""

    _accepted = 0

    @property
    def usual(self) -> Behaviour:
        return self._answer(self.calls[-1])

    @usual.setter
    def usual(self, behaviour: Behaviour) -> None:
        """What is usual here is fixed."""

    def _answer(self, call: Seen) -> Answer:
        if call.method != "POST":
            return Answer(404, body=b'{"error":{"code":100,"message":"none"}}')
        if b'"status":"read"' in call.body.replace(b" ", b""):
            return Answer(body=b'{"success":true}')
        self._accepted += 1
        return accepted(f"out.{self._accepted}")

    @property
    def sent(self) -> list[dict[str, Any]]:
        """What was asked to be sent to customers, whatever became of it."""
        posted = [json.loads(call.body) for call in self.calls if call.method == "POST"]
        return [one for one in posted if "type" in one]

    @property
    def texts(self) -> list[str]:
        return [one["text"]["body"] for one in self.sent if one["type"] == "text"]


def accepted(id: str) -> Answer:
    return Answer(body=json.dumps({"messaging_product": "whatsapp", "messages": [{"id": id}]}).encode())


def refused(status: int, code: int) -> Answer:
    return Answer(status, body=json.dumps({"error": {"code": code, "message": "no"}}).encode())
