"""How the simulated workspace delivers what it has to tell: by POST, or over sockets that the gateway opened.

Rule: an answer must come within 3 s. What was not taken comes again at once, after a minute and after five more
minutes, under the same event id; then it is lost.
Rule: over sockets each envelope goes to one of them, and is acknowledged on that one; what was not goes to another.
See https://docs.slack.dev/apis/events-api and https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlencode

from msgspec import Struct, field

from adapters.base import Request

ANSWER_WITHIN = timedelta(seconds=3)
REPEATS = (timedelta(0), timedelta(minutes=1), timedelta(minutes=5))
"""From one failure to the next attempt."""
SOCKETS_MAX = 10
SocketType = Literal["events_api", "interactive", "slash_commands"]


class Told(Struct, eq=False):
    """Something to be delivered."""

    at: datetime
    type: SocketType
    payload: dict[str, Any]
    tries: int = 0
    deadline: datetime | None = None
    """Set: it is on its way, and must be taken by then."""
    reason: str = ""
    """Why it comes again."""


class Socket(Struct, eq=False):
    """One connection of the gateway's."""

    id: str
    frames: list[str] = field(default_factory=list)
    unacknowledged: dict[str, Told] = field(default_factory=dict)
    is_leaving: bool = False
    """It was asked to go: it gets nothing new."""


class Line:
    """The deliveries of one app."""

    def __init__(self, *, signing_secret: str, webhook_url: str, app_id: str, ids: Iterator[str]) -> None:
        self.duplicates = False
        """Tell everything twice."""
        self.reorder = False
        """Tell the newest first."""
        self.lost: list[dict[str, Any]] = []
        """What was never taken."""
        self.sockets: list[Socket] = []
        self.webhook_url = webhook_url
        self._signing_secret = signing_secret
        self._app_id, self._ids = app_id, ids
        self._told: list[Told] = []
        self._tickets: set[str] = set()
        self._posted: list[tuple[Request, Told]] = []

    def tell(self, type: SocketType, payload: dict[str, Any], now: datetime) -> None:
        self._told += [Told(now, type, payload) for _ in range(2 if self.duplicates else 1)]

    @property
    def waiting(self) -> int:
        return len(self._told)

    def next_due(self) -> datetime | None:
        """None: never."""
        return min((told.deadline or told.at for told in self._told), default=None)

    # --- POST -----------------------------------------------------------------------------------------------------

    def due(self, now: datetime) -> Sequence[Request]:
        return [self._request(told, now) for told in self._taken(now)]

    def delivered(self, request: Request, status: int, now: datetime | None = None) -> None:
        """How the gateway answered. Anything but 2xx within 3 s lets it come again. `now` None: in time."""
        found = next(((sent, told) for sent, told in self._posted if sent is request or sent == request), None)
        if found is None:
            return
        self._posted.remove(found)
        told = found[1]
        if told.deadline is None or (now is not None and now > told.deadline):
            return
        if 200 <= status < 300:
            self._told.remove(told)
        else:
            self._failed(told, "http_error", now or told.at)

    def signed(self, body: bytes, content_type: str, now: datetime, **more: str) -> Request:
        seconds = str(int(now.timestamp()))
        base = b"v0:" + seconds.encode() + b":" + body
        digest = hmac.new(self._signing_secret.encode(), base, sha256).hexdigest()
        headers = {"content-type": content_type, "x-slack-request-timestamp": seconds}
        headers |= {"x-slack-signature": f"v0={digest}", **more}
        return Request(method="POST", url=self.webhook_url, headers=headers, body=body)

    def _taken(self, now: datetime) -> list[Told]:
        """What is to go out now, each with the time by which it must be taken."""
        for told in tuple(self._told):
            if told.deadline is not None and told.deadline < now:
                self._failed(told, "http_timeout", told.deadline)
        self._posted = [(sent, told) for sent, told in self._posted if told in self._told and told.deadline]
        due = [told for told in self._told if told.deadline is None and told.at <= now]
        due.sort(key=lambda told: told.at, reverse=self.reorder)
        for told in due:
            told.tries += 1
            told.deadline = now + ANSWER_WITHIN
        return due

    def _failed(self, told: Told, reason: str, now: datetime) -> None:
        if told.tries > len(REPEATS):
            self._told.remove(told)
            self.lost.append(told.payload)
            return
        told.at, told.deadline, told.reason = now + REPEATS[told.tries - 1], None, reason

    def _request(self, told: Told, now: datetime) -> Request:
        body, type_ = _body(told)
        more = {}
        if told.tries > 1:
            more = {"x-slack-retry-num": str(told.tries - 1), "x-slack-retry-reason": told.reason}
        request = self.signed(body, type_, now, **more)
        self._posted.append((request, told))
        return request

    # --- sockets --------------------------------------------------------------------------------------------------

    def open_ticket(self) -> str:
        ticket = next(self._ids)
        self._tickets.add(ticket)
        return f"wss://wss-primary.slack.com/link/?ticket={ticket}&app_id={self._app_id}"

    def connect(self, url: str) -> Socket | None:
        """None: the address was used before, or is none of ours."""
        ticket = url.partition("ticket=")[2].partition("&")[0]
        if ticket not in self._tickets:
            return None
        self._tickets.remove(ticket)
        socket = Socket(next(self._ids))
        if len(self.sockets) >= SOCKETS_MAX:
            self.disconnect(socket, "too_many_websockets")
            return socket
        self.sockets.append(socket)
        hello = {"type": "hello", "num_connections": len(self.sockets), "connection_info": {"app_id": self._app_id}}
        debug = {"host": "simulated", "approximate_connection_time": 18060}
        socket.frames.append(json.dumps({**hello, "debug_info": debug}))
        return socket

    def frames(self, socket: Socket, now: datetime) -> list[str]:
        """What this connection is to be sent now."""
        self._unanswered(now)
        staying = [one for one in self.sockets if not one.is_leaving]
        if socket in staying:
            for place, told in enumerate(self._taken(now)):
                self._envelope(staying[place % len(staying)], told)
        frames, socket.frames = socket.frames, []
        return frames

    def heard(self, socket: Socket, frame: str) -> None:
        """An acknowledgement; of another connection's envelope it is none."""
        try:
            id = json.loads(frame)["envelope_id"]
        except (ValueError, KeyError, TypeError):
            return
        told = socket.unacknowledged.pop(id, None)
        if told is not None and told in self._told:
            self._told.remove(told)

    def disconnect(self, socket: Socket, reason: str) -> None:
        """Asks a connection to go: `warning`, `refresh_requested`, `link_disabled`, `too_many_websockets`."""
        socket.is_leaving = True
        debug = {"host": "simulated"}
        socket.frames.append(json.dumps({"type": "disconnect", "reason": reason, "debug_info": debug}))

    def closed(self, socket: Socket, now: datetime) -> None:
        """What it did not acknowledge goes to another one."""
        self.sockets = [one for one in self.sockets if one is not socket]
        for told in socket.unacknowledged.values():
            if told in self._told and told.deadline is not None:
                self._failed(told, "connection_failed", now)
        socket.unacknowledged.clear()

    def _envelope(self, socket: Socket, told: Told) -> None:
        id = next(self._ids)
        socket.unacknowledged[id] = told
        frame: dict[str, Any] = {"envelope_id": id, "type": told.type, "payload": told.payload}
        frame |= {"accepts_response_payload": told.type != "events_api"}
        if told.type == "events_api":
            frame |= {"retry_attempt": told.tries - 1, "retry_reason": "timeout" if told.tries > 1 else ""}
        socket.frames.append(json.dumps(frame))

    def _unanswered(self, now: datetime) -> None:
        for socket in self.sockets:
            late = [id for id, told in socket.unacknowledged.items() if told.deadline and told.deadline < now]
            for id in late:
                del socket.unacknowledged[id]


def _body(told: Told) -> tuple[bytes, str]:
    """Events are JSON, the others are forms."""
    form = "application/x-www-form-urlencoded"
    match told.type:
        case "events_api":
            return json.dumps(told.payload).encode(), "application/json"
        case "interactive":
            return urlencode({"payload": json.dumps(told.payload)}).encode(), form
        case "slash_commands":
            return urlencode(told.payload).encode(), form
