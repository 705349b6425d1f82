"""What the simulated telephone company knows: recordings, what is to be told, and what it had to complain about."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec import Struct, field
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from adapters.base import Reply, Request

Fault = Literal["429", "500", "html", "401", "empty", "lost", "slow"]
FORM = "application/x-www-form-urlencoded"
SLOW_HEADER = "x-simulated-delay-s"
"""On a reply that the host of the simulator is to hold back; `never`: it is not to be given."""
OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
Fields = Mapping[str, str]


class Complaint(Struct, frozen=True):
    """What Twilio's debugger would list; a real caller may have heard of it."""

    code: int
    text: str


class Heard(Struct, frozen=True):
    """What comes out of the caller's receiver."""

    at: datetime
    text: str
    how: Literal["say", "relay", "play", "error"] = "say"


class Pending(Struct, eq=False):
    """A webhook that was not yet answered."""

    request: Request
    call: str
    kind: Literal["document", "callback"]
    at: datetime
    retries: int = 0
    """How often it comes again after a failure."""
    sent: bool = False


class Recording(Struct):
    sid: str
    call: str
    data: bytes
    there_from: datetime
    """Just after the call the file may not be there yet."""
    gone: bool = False


LATE_S = 8.0
"""How much later callbacks come that are late."""


class World(Struct):
    account_sid: str
    auth_token: str
    number: str
    voice_url: str
    ids: Iterator[str]
    api_url: str = "https://api.twilio.com"
    status_url: str | None = None
    """The number's own status callback."""
    plain: bool = False
    """Takes sockets and URLs without TLS, for a machine's own loopback."""
    recordings: dict[str, Recording] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next calls of the API, instead of an answer."""
    duplicates: bool = False
    """Status callbacks come twice."""
    reorder: bool = False
    """Of several callbacks that are due the newest comes first."""
    callbacks: Literal["on", "late", "missing"] = "on"
    expired_recordings: bool = False
    people: Literal["answer", "busy", "no-answer", "wait"] = "answer"
    """Whoever is called by us, or by a transfer; `wait`: it rings until somebody decides."""

    def sid(self, prefix: str) -> str:
        """Two letters and 32 hexadecimal digits."""
        return prefix + next(self.ids).encode().hex().rjust(32, "0")[-32:]

    def complain(self, code: int, text: str) -> None:
        self.complaints.append(Complaint(code, text))

    # --- webhooks -------------------------------------------------------------------------------------------------

    def tell(self, call: str, url: str, fields: Fields, now: datetime, *, method: str = "POST",
             kind: Literal["document", "callback"] = "document") -> None:  # fmt: skip
        request, retries = self.signed(url, fields, method)
        if kind == "callback" and self.callbacks == "missing":
            return
        late = LATE_S if kind == "callback" and self.callbacks == "late" else 0
        at = datetime.fromtimestamp(now.timestamp() + late, UTC)
        copies = 2 if kind == "callback" and self.duplicates else 1
        self.pending += [Pending(request, call, kind, at, retries) for _ in range(copies)]

    def signed(self, url: str, fields: Fields, method: str = "POST") -> tuple[Request, int]:
        """And how often the URL's fragment wants it repeated."""
        bare, _, fragment = url.partition("#")
        overrides = dict(parse_qsl(fragment))
        retries = int(overrides.get("rc", "0")) if overrides.get("rp") in ("all", "5xx") else 0
        if method == "GET":
            bare += ("&" if urlsplit(bare).query else "?") + urlencode(fields)
            return Request(method="GET", url=bare, headers=self.signature(bare, {})), retries
        headers = {"content-type": FORM, **self.signature(bare, fields)}
        return Request(method="POST", url=bare, headers=headers, body=urlencode(fields).encode()), retries

    def signature(self, url: str, fields: Fields) -> dict[str, str]:
        return {"x-twilio-signature": RequestValidator(self.auth_token).compute_signature(url, fields)}

    def due(self, now: datetime) -> Sequence[Request]:
        ready = [one for one in self.pending if not one.sent and one.at <= now]
        if self.reorder:
            ready.sort(key=lambda one: one.kind == "callback")
            documents = [one for one in ready if one.kind == "document"]
            ready = documents + [one for one in reversed(ready) if one.kind == "callback"]
        for one in ready:
            one.sent = True
        return [one.request for one in ready]

    def taken(self, request: Request) -> Pending | None:
        found = next((one for one in self.pending if one.sent and one.request is request), None)
        found = found or next((one for one in self.pending if one.sent and one.request == request), None)
        if found is not None:
            self.pending.remove(found)
        return found


def rfc2822(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


class Refusal(Exception):
    """The API's error answer."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = error_reply(status, code, text)


def error_reply(status: int, code: int, text: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_reply({"code": code, "message": text, "more_info": more, "status": status}, status)


def json_reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps(document).encode())
