"""A visitor: the widget's side, pure. It keeps an outbox, resumes, and notes whatever the server does wrong.

Rule: it believes nothing. Numbers without holes, nothing twice, its own words in its own order, an ack that holds for
ever: what contradicts that is a line in `violations`.
Rule: it knows the frames from the documents alone; the server's code for making them is not used here.
"""

import json
from typing import Any, Literal

from msgspec import Struct

from adapters.base import Reply, Request

NUMBERED = frozenset({"msg", "upd", "del", "conv", "read", "skip"})
UNNUMBERED = frozenset({"ready", "ack", "nack", "synced", "typing", "close_soon", "ping", "pong"})
Frame = dict[str, Any]


class Said(Struct):
    """One message of the visitor's, and what the server told about it."""

    cid: str
    frame: bytes
    attempts: int = 0
    id: str | None = None
    seq: int | None = None
    acked: bool = False
    refused: str | None = None
    shown: bool = False


class Visitor:
    """One tab. Several tabs of one browser share `token`."""

    def __init__(self, *, base_url: str, endpoint: str, origin: str | None, widget_key: str, token: str | None = None):
        self.hooks = f"{base_url}/hooks/{endpoint}"
        self.ws_url = f"{base_url}/live/{endpoint}".replace("http", "ws", 1)
        self.widget_key = widget_key
        self.origin = origin
        self.token = token
        self.cursor = 0
        self.state: Literal["down", "greeting", "replaying", "live"] = "down"
        self.said: dict[str, Said] = {}
        self.shown: dict[int, Frame] = {}
        self.withdrawn: set[str] = set()
        self.violations: list[str] = []
        self.reconnect_after_ms: int | None = None
        self.resynced = False
        self._in_flight: str | None = None
        self._ids: dict[str, int] = {}
        self._head = 0

    # --- the session ----------------------------------------------------------------------------------------------

    def session_request(self, identity_jwt: str | None = None) -> Request:
        body = {"widget_key": self.widget_key, "session_token": self.token, "identity_jwt": identity_jwt}
        return self._request("POST", "/session", {name: value for name, value in body.items() if value is not None})

    def identify_request(self, identity_jwt: str) -> Request:
        return self._request("POST", "/identify", {"identity_jwt": identity_jwt})

    def session_given(self, reply: Reply) -> bool:
        """The answer to either. False: none was given."""
        if reply.status not in {200, 201}:
            return False
        fields = json.loads(reply.body)
        self.token, self.ws_url = fields["session_token"], fields["ws_url"]
        return True

    def leave_request(self) -> Request:
        return self._request("DELETE", "/session")

    # --- the socket -----------------------------------------------------------------------------------------------

    def handshake(self) -> Request:
        return Request(method="GET", url=self.ws_url, headers={"origin": self.origin} if self.origin else {})

    def opened(self) -> list[bytes]:
        self.state = "greeting"
        return [_frame("hello", v=1, token=self.token, resume_from=self.cursor)]

    def closed(self) -> None:
        self.state, self._in_flight = "down", None

    def take(self, data: bytes) -> list[bytes]:
        """A frame from the server; what is to be sent because of it."""
        try:
            frame = json.loads(data)
            kind = frame["t"]
        except (ValueError, TypeError, KeyError):
            self._wrong("a frame that is no JSON object with `t`")
            return []
        if self.state == "greeting" and kind not in {"ready", "nack", "ping"}:
            self._wrong(f"{kind} before ready")
        if kind in NUMBERED:
            self._numbered(kind, frame)
        elif kind in UNNUMBERED:
            return self._unnumbered(kind, frame)
        else:
            self._wrong(f"unknown frame {kind!r}")
        return []

    def _unnumbered(self, kind: str, frame: Frame) -> list[bytes]:
        if kind == "ready":
            self._ready(frame)
        elif kind == "synced":
            return self._synced(frame)
        elif kind in {"ack", "nack"}:
            self._told(kind, frame)
            return self._next() if kind == "ack" or not frame["retryable"] else []
        elif kind == "close_soon":
            self.reconnect_after_ms = frame["reconnect_after_ms"]
        elif kind == "ping":
            return [_frame("pong")]
        return []

    def _ready(self, frame: Frame) -> None:
        if self.state != "greeting":
            self._wrong("ready twice")
        if frame["seq"] < self.cursor:
            self._wrong(f"head {frame['seq']} is behind what was seen, {self.cursor}")
        if frame["oldest"] > self.cursor + 1:
            self.resynced, self.cursor = True, frame["oldest"] - 1
        self.state, self._head = "replaying", frame["seq"]

    def _synced(self, frame: Frame) -> list[bytes]:
        if self.state != "replaying":
            self._wrong("synced without a replay")
        if not self._head <= self.cursor == frame["seq"]:
            self._wrong(f"synced {frame['seq']}, head {self._head}, but seen up to {self.cursor}")
        self.state = "live"
        return self._next()

    # --- speaking -------------------------------------------------------------------------------------------------

    def say(self, text: str, cid: str) -> list[bytes]:
        return self._speak(cid, type="text", text=text)

    def choose(self, to: str, option: str, title: str, cid: str) -> list[bytes]:
        return self._speak(cid, type="reply", reply={"to": to, "id": option, "title": title})

    def attach(self, attachment_id: str, cid: str, text: str | None = None) -> list[bytes]:
        return self._speak(cid, type="file", attachment_id=attachment_id, **({"text": text} if text else {}))

    def saw(self) -> bytes:
        return _frame("read", seq=self.cursor)

    def typing(self, *, on: bool = True) -> bytes:
        return _frame("typing", on=on)

    def retry(self) -> list[bytes]:
        """Five seconds went by, or a nack said that it may be tried again."""
        self._in_flight = None
        return self._next()

    def _speak(self, cid: str, **fields: Any) -> list[bytes]:
        assert cid not in self.said, "a cid is used once"
        self.said[cid] = Said(cid, _frame("msg", cid=cid, **fields))
        return self._next()

    def _next(self) -> list[bytes]:
        """One in flight, in order."""
        waiting = self._waiting()
        if self.state != "live" or self._in_flight is not None or waiting is None:
            return []
        waiting.attempts += 1
        self._in_flight = waiting.cid
        return [waiting.frame]

    def _waiting(self) -> Said | None:
        return next((said for said in self.said.values() if not said.acked and said.refused is None), None)

    def _told(self, kind: str, frame: Frame) -> None:
        said = self.said.get(frame.get("cid", ""))
        if said is None:
            self._wrong(f"{kind} for a cid that was never sent")
            return
        if self._in_flight == said.cid:
            self._in_flight = None
        if kind == "ack":
            self._acked(said, frame)
        elif said.acked:
            self._wrong(f"nack {frame['code']} for what was acknowledged")
        elif not frame["retryable"]:
            said.refused = frame["code"]

    def _acked(self, said: Said, frame: Frame) -> None:
        if frame["dup"] and said.attempts <= 1:
            self._wrong("dup for a first attempt")
        self._place(said, frame["id"], frame.get("seq"))
        said.acked = True

    def _place(self, said: Said, message_id: str, seq: int | None) -> None:
        if seq is None:
            self._wrong("a message of ours without seq")
        elif said.seq is not None and (said.id, said.seq) != (message_id, seq):
            self._wrong(f"one message at two places: {said.seq} and {seq}")
        else:
            said.id, said.seq = message_id, seq

    # --- seeing ---------------------------------------------------------------------------------------------------

    def _numbered(self, kind: str, frame: Frame) -> None:
        seq = frame.get("seq")
        if seq is None:
            if kind != "upd" or frame["final"]:
                self._wrong(f"{kind} without seq")
            return
        if seq != self.cursor + 1:
            self._wrong(f"{'twice' if seq in self.shown else 'out of order'}: {seq} after {self.cursor}")
        self.cursor = max(self.cursor, seq)
        self.shown[seq] = frame
        if kind == "del":
            self.withdrawn.add(frame["id"])
        if kind == "msg":
            self._message(frame, seq)

    def _message(self, frame: Frame, seq: int) -> None:
        if self._ids.setdefault(frame["id"], seq) != seq:
            self._wrong(f"one message under two numbers: {self._ids[frame['id']]} and {seq}")
        said = self.said.get(frame.get("cid") or "")
        if said is not None:
            self._own(said, frame, seq)

    def _own(self, said: Said, frame: Frame, seq: int) -> None:
        if frame["from"]["kind"] != "visitor":
            self._wrong("our cid under another's name")
        if frame["type"] == "text" and frame["content"]["text"] != json.loads(said.frame).get("text"):
            self._wrong("our message came back changed")
        if any(other.seq is not None and other.seq > seq for other in self._before(said)):
            self._wrong("our messages out of our order")
        said.shown = True
        self._place(said, frame["id"], seq)

    def _before(self, said: Said) -> list[Said]:
        messages = list(self.said.values())
        return messages[: messages.index(said)]

    def audit(self) -> list[str]:
        """Everything wrong so far; at rest and in sync also: what was acknowledged and is not there."""
        lost = [
            f"acknowledged and lost: {said.cid}"
            for said in self.said.values()
            if said.acked and not said.shown and said.id not in self.withdrawn and not self.resynced
        ]
        return self.violations + lost

    # --- without a socket -----------------------------------------------------------------------------------------

    def post_request(self) -> Request | None:
        """The first message that waits, over HTTP."""
        waiting = self._waiting()
        if waiting is None:
            return None
        waiting.attempts += 1
        return self._request("POST", "/messages", json.loads(waiting.frame))

    def posted(self, reply: Reply) -> None:
        frame = json.loads(reply.body)
        expected = {201: False, 200: True}.get(reply.status)
        if frame.get("t") == "ack" and frame["dup"] is not expected:
            self._wrong(f"status {reply.status} with dup {frame['dup']}")
        if frame.get("t") in {"ack", "nack"}:
            self._told(frame["t"], frame)

    def poll_request(self, wait_s: int = 0) -> Request:
        return self._request("GET", f"/events?after={self.cursor}&wait={wait_s}")

    def polled(self, reply: Reply) -> None:
        if reply.status == 410:
            self.resynced = True
            return
        page = json.loads(reply.body)
        for frame in page["events"]:
            self._numbered(frame["t"], frame)
        if page["seq"] != self.cursor:
            self._wrong(f"a page that ends at {page['seq']}, but seen up to {self.cursor}")

    def _request(self, method: str, path: str, body: Frame | None = None) -> Request:
        headers = {"content-type": "application/json"} if body is not None else {}
        headers |= {"origin": self.origin} if self.origin else {}
        headers |= {"authorization": f"Bearer {self.token}"} if self.token else {}
        data = json.dumps(body).encode() if body is not None else b""
        return Request(method=method, url=self.hooks + path, headers=headers, body=data)

    def _wrong(self, what: str) -> None:
        self.violations.append(what)


def _frame(kind: str, **fields: Any) -> bytes:
    return json.dumps({"t": kind, **fields}).encode()
