"""One call on the provider's side: it plays the documents that the gateway gives, verb by verb.

Rule: pure; a verb that takes time says until when. `Call.doing` is what the caller is in now.
Rule: a document that Twilio would refuse ends the call as it would there: with an error that the caller hears.
"""

from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

from adapters.base import Reply
from adapters.twilio_voice.simulator_doing import (
    Dialling,
    Doing,
    Ended,
    Fetching,
    Gathering,
    Node,
    Pausing,
    Queued,
    RecordingIt,
    Relaying,
)
from adapters.twilio_voice.simulator_relay import Ended as SessionEnded
from adapters.twilio_voice.simulator_relay import Relay, Stream
from adapters.twilio_voice.simulator_world import OVER, Fields, Heard, Recording, World, rfc2822

ERROR = "We are sorry, an application error has occurred. Goodbye."
MAX_DOCUMENT = 64 * 1024
KNOWN = frozenset(
    {"Say", "Play", "Pause", "Redirect", "Gather", "Record", "Dial", "Enqueue", "Connect", "Start", "Hangup", "Reject"}
)
IN_QUEUE = frozenset({"Play", "Say", "Pause", "Gather", "Redirect", "Leave", "Hangup"})


class Call:
    """`outward`: the gateway has placed it."""

    def __init__(self, world: World, caller: str, *, outward: bool = False, facts: Fields | None = None) -> None:
        self.world, self.sid, self.caller, self.outward = world, world.sid("CA"), caller, outward
        self.status = "queued" if outward else "ringing"
        self.heard: list[Heard] = []
        self.streams: list[Stream] = []
        self.doing: Doing = Fetching()
        self.status_url = world.status_url
        self.status_events: frozenset[str] = frozenset({"completed"})
        self._facts = dict(facts or {})
        self._verbs: list[Node] = []
        self._base_url = world.voice_url
        self._number = 0
        self.began: datetime | None = None
        self.twiml = b""
        """What is played when somebody answers a call that was placed."""

    # --- what the provider sends ----------------------------------------------------------------------------------

    @property
    def base(self) -> dict[str, str]:
        """Fields of every request."""
        ours, theirs = self.world.number, self.caller
        sender, to = (ours, theirs) if self.outward else (theirs, ours)
        return {
            "CallSid": self.sid, "AccountSid": self.world.account_sid, "ApiVersion": "2010-04-01",
            "Direction": "outbound-api" if self.outward else "inbound", "CallStatus": self.status,
            "From": sender, "To": to, "Caller": sender, "Called": to, "FromCity": "", "FromCountry": "", "ToCity": "",
            **self._facts,
        }  # fmt: skip

    def fetch(self, url: str, now: datetime, method: str = "POST", **fields: str) -> None:
        """The next document."""
        self.doing = Fetching()
        self._ask(url, now, method, fields)

    def _ask(self, url: str, now: datetime, method: str, fields: Fields) -> None:
        full = urljoin(self._base_url, url)
        if urlsplit(full).scheme != "https" and not self.world.plain:
            self.world.complain(11205, "not a secure URL")
        self.world.tell(self.sid, full, {**self.base, **fields}, now, method=method or "POST")

    def callback(self, url: str, now: datetime, fields: Fields) -> None:
        self.world.tell(self.sid, urljoin(self._base_url, url), fields, now, kind="callback")

    def tell_status(self, event: str, now: datetime) -> None:
        """`event` is the word of StatusCallbackEvent; `status` the one of CallStatus."""
        if self.status_url is None or event not in self.status_events:
            return
        fields = {**self.base, "CallbackSource": "call-progress-events", "Timestamp": rfc2822(now),
                  "SequenceNumber": str(self._number)}  # fmt: skip
        self._number += 1
        if self.status == "completed":
            fields |= {"CallDuration": str(self.seconds(now)), "Duration": "1"}
        self.callback(self.status_url, now, fields)

    def seconds(self, now: datetime) -> int:
        return 0 if self.began is None else int((now - self.began).total_seconds())

    # --- what the gateway answers ---------------------------------------------------------------------------------

    def answered(self, reply: Reply | None, now: datetime) -> None:
        """A document came. None: nothing did."""
        verbs = self._document(reply)
        if self.status in OVER:
            self.doing = Ended()
            return
        if verbs is None:
            self.heard.append(Heard(now, ERROR, "error"))
            self.end("completed", now)
            return
        if self.status in ("ringing", "queued"):
            self.status, self.began = "in-progress", now
        if isinstance(self.doing, Queued):
            self.doing.verbs, self.doing.fetching = verbs, False
            self._wait_in_queue(self.doing, now)
        else:
            self._verbs = verbs
            self.run(now)

    def _document(self, reply: Reply | None) -> list[Node] | None:
        if reply is None or not 200 <= reply.status < 300:
            self.world.complain(11200, f"status {reply.status if reply else 'none'}")
            return None
        kind = next((value for name, value in reply.headers.items() if name.lower() == "content-type"), "")
        if kind.partition(";")[0].strip() not in ("text/xml", "application/xml", "text/html"):
            self.world.complain(12300, f"content type {kind!r}")
            return None
        if len(reply.body) > MAX_DOCUMENT:
            self.world.complain(11750, "the document is too large")
            return None
        return self.read(reply.body)

    def read(self, body: bytes) -> list[Node] | None:
        try:
            root = ET.fromstring(body)  # noqa: S314  of our own gateway, on this machine
        except ET.ParseError:
            self.world.complain(12100, "not XML")
            return None
        if root.tag != "Response" or any(verb.tag not in KNOWN | IN_QUEUE for verb in root):
            self.world.complain(12200, "not TwiML")
            return None
        return list(root)

    def play(self, body: bytes, now: datetime) -> None:
        """TwiML that came by the API."""
        self._verbs = self.read(body) or []
        self.run(now)

    # --- verbs ----------------------------------------------------------------------------------------------------

    def run(self, now: datetime) -> None:
        """Until a verb takes time; at the document's end the provider hangs up."""
        while self._verbs and self.status not in OVER:
            doing = self._verb(self._verbs.pop(0), now)
            if doing is not None:
                self.doing = doing
                return
        self.end("completed", now)

    def _verb(self, node: Node, now: datetime) -> Doing | None:
        match node.tag:
            case "Say" | "Play":
                self._sound(node, now)
            case "Pause":
                return Pausing(now + timedelta(seconds=float(node.get("length", "1"))))
            case "Redirect":
                self._ask((node.text or "").strip(), now, node.get("method", "POST"), {})
                return Fetching()
            case "Gather":
                for inner in node:
                    self._sound(inner, now)
                return Gathering(node, now + timedelta(seconds=float(node.get("timeout", "5"))))
            case "Record":
                return RecordingIt(node)
            case "Dial":
                return self._dial(node)
            case "Enqueue":
                return self._enqueue(node, now)
            case "Connect":
                return self._connect(node)
            case "Start":
                self._start(node)
            case "Hangup" | "Reject":
                self._verbs = []
            case _:
                pass
        return None

    def _sound(self, node: Node, now: datetime) -> None:
        if node.tag in ("Say", "Play"):
            self.heard.append(Heard(now, (node.text or "").strip(), "say" if node.tag == "Say" else "play"))

    def _dial(self, node: Node) -> Doing:
        inner = next(iter(node), None)
        prefix = {"Client": "client:"}.get(inner.tag, "") if inner is not None else ""
        return Dialling(node, prefix + ((inner.text if inner is not None else node.text) or "").strip())

    def _enqueue(self, node: Node, now: datetime) -> Doing:
        queued = Queued(node, (node.text or "").strip(), now, self.world.sid("QU"), [])
        self._wait_in_queue(queued, now)
        return queued

    def _connect(self, node: Node) -> Doing | None:
        inner = next(iter(node), None)
        if inner is None or inner.tag != "ConversationRelay":
            self.world.complain(12200, "nothing to connect to")
            return None
        url = inner.get("url", "")
        relay = Relay(self.world, url, dict(inner.attrib), _parameters(inner), self.base, self.heard)
        if not url.startswith("wss://") and not (self.world.plain and url.startswith("ws://")):
            self.world.complain(64101, "the relay's URL is not wss")
            relay.lost(connected=False)
        return Relaying(node, relay)

    def _start(self, node: Node) -> None:
        for inner in node:
            if inner.tag == "Stream":
                self.streams.append(Stream(self.world, inner.get("url", ""), _parameters(inner), self.base))

    # --- what happens in a verb -----------------------------------------------------------------------------------

    def presses(self, digits: str, now: datetime) -> list[str]:
        """Keys. The frames, when a relay listens."""
        match self.doing:
            case Relaying(relay=relay):
                return relay.presses(digits)
            case Gathering(node=node) if "dtmf" in node.get("input", "dtmf"):
                self._gathered(node, now, Digits=digits[: int(node.get("numDigits", "99"))])
            case _:
                pass
        return []

    def says(self, text: str, now: datetime, confidence: str = "0.92") -> list[str]:
        """Words. The frames, when a relay listens."""
        match self.doing:
            case Relaying(relay=relay):
                return relay.says(text)
            case Gathering(node=node) if "speech" in node.get("input", "dtmf"):
                self._gathered(node, now, SpeechResult=text, Confidence=confidence)
            case RecordingIt():
                self.leaves(text, now)
            case _:
                pass
        return []

    def _gathered(self, node: Node, now: datetime, **fields: str) -> None:
        self.fetch(node.get("action", ""), now, node.get("method", "POST"), **fields)

    def leaves(self, text: str, now: datetime, seconds: int = 7, *, hangs_up: bool = False) -> Recording | None:
        """A message after the tone."""
        if not isinstance(self.doing, RecordingIt):
            return None
        node, sid = self.doing.node, self.world.sid("RE")
        there = now + timedelta(seconds=2)
        found = Recording(sid, self.sid, b"ID3\x03" + text.encode(), there, gone=self.world.expired_recordings)
        self.world.recordings[sid] = found
        url = f"{self.world.api_url}/2010-04-01/Accounts/{self.world.account_sid}/Recordings/{sid}"
        fields = {"RecordingSid": sid, "RecordingUrl": url, "RecordingDuration": str(seconds)}
        if hangs_up:
            self.end("completed", now)
        self.fetch(node.get("action", ""), now, node.get("method", "POST"),
                   **fields, Digits="hangup" if hangs_up else "#")  # fmt: skip
        own = {"AccountSid": self.world.account_sid, "CallSid": self.sid, **fields}
        if told := node.get("recordingStatusCallback"):
            status = {"RecordingStatus": "completed", "RecordingChannels": "1", "RecordingSource": "RecordVerb"}
            self.callback(told, now, {**own, **status})
        if (told := node.get("transcribeCallback")) and node.get("transcribe") == "true":
            written = {"TranscriptionSid": self.world.sid("TR"), "TranscriptionText": text}
            self.callback(told, now, {**self.base, **own, **written, "TranscriptionStatus": "completed"})
        return found

    def colleague(self, status: Literal["completed", "busy", "no-answer", "failed", "canceled"], now: datetime,
                  seconds: int = 60) -> None:  # fmt: skip
        """What became of the transfer."""
        if not isinstance(self.doing, Dialling):
            return
        fields = {"DialCallStatus": status, "DialCallSid": self.world.sid("CA"),
                  "DialBridged": str(status == "completed").lower()}  # fmt: skip
        if status == "completed":
            fields["DialCallDuration"] = str(seconds)
        self.fetch(self.doing.node.get("action", ""), now, **fields)

    def leaves_queue(self, result: str, now: datetime) -> None:
        """`bridged`, `hangup`, `leave`, `redirected`, `queue-full`, `error`, `system-error`."""
        if isinstance(self.doing, Queued):
            queue = self.doing
            if result == "hangup":
                self.end("completed", now)
            self.fetch(queue.node.get("action", ""), now, QueueResult=result, QueueSid=queue.sid,
                       QueueTime=str(int((now - queue.since).total_seconds())))  # fmt: skip

    def _wait_in_queue(self, queue: Queued, now: datetime) -> None:
        queue.until = None
        while queue.verbs:
            node = queue.verbs.pop(0)
            if node.tag not in IN_QUEUE:
                self.world.complain(12200, f"<{node.tag}> while waiting in a queue")
            match node.tag:
                case "Leave":
                    self.doing = queue
                    self.leaves_queue("leave", now)
                    return
                case "Pause":
                    queue.until = now + timedelta(seconds=float(node.get("length", "1")))
                    return
                case _:
                    self._sound(node, now)
        if (url := queue.node.get("waitUrl")) and not queue.fetching:
            queue.fetching = True
            waited = str(int((now - queue.since).total_seconds()))
            fields = {"QueuePosition": "1", "CurrentQueueSize": "1", "QueueTime": waited, "QueueSid": queue.sid}
            self._ask(url, now, queue.node.get("waitUrlMethod", "POST"), fields)

    def relay_ended(self, now: datetime) -> None:
        """The session is over: the action's URL is asked what comes next."""
        if not isinstance(self.doing, Relaying) or self.doing.relay.ended is None:
            return
        relay, node, how = self.doing.relay, self.doing.node, self.doing.relay.ended
        fields = {"SessionId": relay.sid, "SessionStatus": how.status, "SessionDuration": str(relay.seconds(now))}
        fields |= {"HandoffData": how.handoff} if how.handoff is not None else {}
        fields |= {"ErrorCode": str(how.error), "ErrorMessage": how.text} if how.error is not None else {}
        if action := node.get("action"):
            self.fetch(action, now, node.get("method", "POST"), **fields)
        else:
            self.run(now)

    # --- time and the end -----------------------------------------------------------------------------------------

    def passes(self, now: datetime) -> None:
        """What was waiting for its time."""
        match self.doing:
            case Pausing(until=until) if until <= now:
                self.run(now)
            case Gathering(node=node, until=until) if until <= now:
                if node.get("actionOnEmptyResult") == "true":
                    self._gathered(node, now, Digits="")
                else:
                    self.run(now)
            case Queued(until=until) if until is not None and until <= now:
                self._wait_in_queue(self.doing, now)
            case Dialling() if self.world.people in ("busy", "no-answer"):
                unanswered: Any = self.world.people
                self.colleague(unanswered, now)
            case Relaying(relay=relay) if relay.ended is not None:
                self.relay_ended(now)
            case _:
                pass

    @property
    def until(self) -> datetime | None:
        """When `passes` has something to do."""
        match self.doing:
            case Pausing(until=until) | Gathering(until=until) | Queued(until=until):
                return until
            case _:
                return None

    def hangs_up(self, now: datetime) -> None:
        """The caller. What was going on is told once more, and its answer is heard by nobody."""
        doing = self.doing
        match doing:
            case RecordingIt():
                self.leaves("", now, 1, hangs_up=True)
                return
            case Queued():
                self.leaves_queue("hangup", now)
                return
            case Relaying(relay=relay):
                relay.ended, relay.open = relay.ended or SessionEnded("completed"), False
                self.end("completed", now)
                self.doing = doing
                self.relay_ended(now)
            case _:
                pass
        self.end("completed", now)

    def end(self, status: str, now: datetime) -> None:
        if self.status in OVER:
            return
        self.status, self.doing, self._verbs = status, Ended(), []
        self.tell_status("completed", now)


def _parameters(node: Node) -> dict[str, str]:
    return {inner.get("name", ""): inner.get("value", "") for inner in node if inner.tag == "Parameter"}
