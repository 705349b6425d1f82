"""A plain SMS provider seen from the other side: phones, its one call, and its webhooks. Pure and stateful.

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
Rule: a webhook comes again, every ten seconds if it is not told otherwise, until it is answered with a 2xx.
"""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from adapters.base import Reply, Request

FORM = "application/x-www-form-urlencoded"
AGAIN_AFTER = timedelta(seconds=10)
TEXT_MAX = 1600
Fault = Literal["429", "500", "503", "401", "html", "empty"]
_FAULTS: Mapping[str, Reply] = {
    "429": Reply(429, {"retry-after": "2"}, b"{}"),
    "500": Reply(500, {}, b"{}"),
    "503": Reply(503, {}, b"{}"),
    "401": Reply(401, {}, b"{}"),
    "html": Reply(502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>"),
    "empty": Reply(200, {}, b""),
}


class Pending(Struct, eq=False):
    request: Request
    at: datetime


class Shown(Struct, eq=False):
    """A message on a phone."""

    id: str
    to: str
    text: str
    ref: str
    status: str = "sent"


class SmsProvider:
    """`Provider` for one number; `names` as in the adapter's `fields`."""

    def __init__(
        self, *, number: str, token: str, secret: str, url: str, hook: str, ids: Iterator[str],
        names: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.number, self._token, self._secret, self._url, self._hook, self._ids = number, token, secret, url, hook, ids
        self._names = dict(names or {})
        self.shown: dict[str, Shown] = {}
        self.faults: list[Fault] = []
        """What becomes of the next calls, instead of an answer."""
        self.unreachable: set[str] = set()
        """Phones that are off for good: what is sent to them fails."""
        self.receipts = True
        self.duplicates = False
        self.reorder = False
        self.again_after = AGAIN_AFTER
        self._pending: list[Pending] = []

    def answer(self, request: Request, now: datetime) -> Reply:
        if self.faults:
            return _FAULTS[self.faults.pop(0)]
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self._token}":
            return _error(401, "wrong token")
        if (request.method, request.url) != ("POST", self._url):
            return _error(404, "not found")
        given = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        form = {name: given.get(self._name(name), "") for name in ("from", "to", "text", "ref")}
        if form["from"] != self.number or not form["to"].lstrip("+").isdecimal():
            return _error(400, "wrong number")
        if not 0 < len(form["text"].strip()) <= TEXT_MAX:
            return _error(400, "no text, or a too long one")
        return self._take(form, now)

    def _take(self, form: Mapping[str, str], now: datetime) -> Reply:
        shown = Shown(next(self._ids), form["to"], form["text"], form["ref"])
        self.shown[shown.id] = shown
        last = "failed" if shown.to in self.unreachable else "delivered"
        for place, status in enumerate(("sent", last)):
            self.tell(shown.id, status, now + timedelta(milliseconds=200 * place))
        return Reply(200, {"content-type": "application/json"}, json.dumps({self._name("id"): shown.id}).encode())

    def send(self, sender: str, text: str, now: datetime) -> str:
        """A person writes; by the message's id."""
        id_ = next(self._ids)
        self._post({"id": id_, "from": sender, "to": self.number, "text": text}, now)
        return id_

    def tell(self, id_: str, status: str, at: datetime) -> None:
        """Any status of a message of ours, at any time."""
        shown = self.shown[id_]
        shown.status = status
        if self.receipts:
            self._post({"id": id_, "to": shown.to, "status": status, "ref": shown.ref}, at)

    def due(self, now: datetime) -> Sequence[Request]:
        due = sorted((one for one in self._pending if one.at <= now), key=lambda one: one.at, reverse=self.reorder)
        for pending in due:
            pending.at = now + self.again_after
        return [pending.request for pending in due]

    def next_due(self) -> datetime | None:
        return min((pending.at for pending in self._pending), default=None)

    def delivered(self, request: Request, status: int) -> None:
        """How the gateway answered."""
        found = next((one for one in self._pending if one.request == request), None)
        if found and 200 <= status < 300:
            self._pending.remove(found)

    @property
    def undelivered(self) -> int:
        return len(self._pending)

    def _post(self, form: Mapping[str, str], at: datetime) -> None:
        body = urlencode({self._name(name): value for name, value in form.items()}).encode()
        signature = hmac.new(self._secret.encode(), body, "sha256").hexdigest()
        headers = {"content-type": FORM, "x-signature": signature}
        request = Request(method="POST", url=self._hook, headers=headers, body=body)
        self._pending += [Pending(request, at) for _ in range(2 if self.duplicates else 1)]

    def _name(self, ours: str) -> str:
        return self._names.get(ours, ours)


def _error(status: int, text: str) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps({"error": text}).encode())
