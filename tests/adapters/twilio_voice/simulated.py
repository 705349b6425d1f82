"""The simulated telephone company at work with the adapter: a gateway of a few lines, without a store."""

from base64 import b64encode
from datetime import timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from adapters.base import Bind, Close, HttpCall, Keep, LegRead, Outcome, Placed, RawInbound, Reply, Request, Wire
from adapters.twilio_voice import Config, TwilioVoice
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_relay import Relay, Stream
from normalizer.envelope import Body, CallEvent, Envelope, Message
from normalizer.ids import EnvelopeId
from tests.adapters.twilio_voice.support import ACCOUNT, CALLER, NUMBER, SETTINGS, TOKEN, ctx, message, subject
from tests.kit import HOOK_URL, Driven, as_raw, drive_steps
from tests.kit.cases import ENDPOINT, NOW


class Exchange:
    """Both sides, and the time."""

    def __init__(self, **changes: Any) -> None:
        self.subject = subject(Config(**{**SETTINGS, **changes}))
        self.adapter = TwilioVoice(ENDPOINT, self.subject.config)
        ids = (str(number) for number in count(1000))
        self.twilio = Twilio(account_sid=ACCOUNT, auth_token=TOKEN, number=NUMBER, voice_url=HOOK_URL, ids=ids,
                             status_url=f"{HOOK_URL}/status")  # fmt: skip
        self.now = NOW
        self.holder: str | None = "ai"
        self.known = True
        """False: what room 2 makes of a request is not known in time."""
        self.down = False
        """The store can not keep anything."""
        self.silent = False
        """Nothing answers at all."""
        self.kept: list[Envelope] = []
        self.wires: list[Wire] = []
        self.binds: dict[str, Bind] = {}
        self._seq = 0

    # --- time and webhooks ----------------------------------------------------------------------------------------

    def ring(self, caller: str = CALLER, **facts: Any) -> Call:
        call = self.twilio.ring(caller, self.now, **facts)
        self.settle()
        return call

    def settle(self, seconds: float = 0) -> None:
        """Everything that is due by then, however often one thing leads to the next."""
        self.now += timedelta(seconds=seconds)
        for _ in range(50):
            requests = self.twilio.due(self.now)
            if not requests:
                return
            for request in requests:
                self.twilio.answered(request, self.reply(request), self.now)
        raise AssertionError("it never comes to rest")

    def reply(self, request: Request) -> Reply | None:
        if self.silent:
            return None
        raw = replace(as_raw(self.subject, request), received_at=self.now)
        verdict = self.adapter.verify(raw)
        if isinstance(verdict, Reply):
            return verdict
        if isinstance(verdict, LegRead):
            found = [wire for wire in self.wires if wire.seq > (verdict.after or 0)]
            return self.adapter.page(raw, verdict, found, False, self._seq)
        assert verdict is None
        if self.down:
            return self.adapter.unavailable(raw) or Reply(503)
        return self.adapter.respond(raw, self._keep(raw))

    def _keep(self, raw: RawInbound) -> Outcome | None:
        envelopes = list(self.adapter.parse(raw))
        self.kept += envelopes
        self._seq += len(envelopes)
        placed = tuple(Placed(EnvelopeId(one.id), seq=self._seq, wire_seq=self._seq) for one in envelopes)
        return Outcome(placed, None, self.holder) if self.known else None

    # --- sockets --------------------------------------------------------------------------------------------------

    def open(self) -> Relay:
        """The socket of the only relay that wants one."""
        (relay,) = self.twilio.sockets()
        self.shake(relay)
        self.hear(relay, *relay.opened(self.now))
        return relay

    def shake(self, one: Relay | Stream) -> None:
        request = one.handshake()
        public = request.url.replace("wss://", "https://")
        raw = RawInbound(id="raw-h", endpoint_id=ENDPOINT, origin="live", received_at=self.now, method="GET",
                         public_url=public, headers=dict(request.headers))  # fmt: skip
        assert self.adapter.verify(raw) is None

    def hear(self, one: Relay | Stream, *frames: str) -> list[Any]:
        """What the adapter makes of each; what it keeps is kept."""
        return [self._hear(one, frame) for frame in frames]

    def _hear(self, one: Relay | Stream, frame: str) -> Any:
        bind = self.binds.get(one.sid)
        raw = self._framed(frame, bind)
        found = self.adapter.hear(raw)
        assert not isinstance(found, Close), found
        if isinstance(found, Bind):
            self.binds[one.sid] = found
            raw = self._framed(frame, found)
        if isinstance(found, Keep | Bind):
            self._keep(raw)
        return found

    def _framed(self, frame: str, bind: Bind | None) -> RawInbound:
        self._seq += 1
        headers = {"x-session-note": bind.note} if bind is not None else {}
        return RawInbound(id=f"frame-{self._seq}", endpoint_id=ENDPOINT, origin="live", received_at=self.now,
                          method="GET", body=frame.encode(), headers=headers,
                          session=bind.address.value if bind is not None else None)  # fmt: skip

    # --- what is said ---------------------------------------------------------------------------------------------

    def line(self, body: dict[str, Any], relay: Relay | None = None, streamed: int = 0, **more: Any) -> Wire:
        """A line of the leg's wire; shown on the relay that is open."""
        self._seq += 1
        urls = {"aa": "https://gw.example/media/aa"}
        wire = Wire(seq=self._seq, envelope=message(body, **more), at=self.now, streamed=streamed, media_urls=urls)
        self.wires.append(wire)
        shown = self.adapter.show(wire) if relay is not None else None
        if relay is not None and shown is not None:
            relay.take(shown.decode(), self.now)
        return wire

    def sentence(self, relay: Relay, words: str, *, first: bool) -> None:
        relay.take(self.adapter.partial(words, first).decode(), self.now)

    def send(self, body: dict[str, Any], by: Any, **facts: Any) -> Driven[list[str]]:
        """Through the API of the telephone company."""
        facts = {"now": self.now, "last_inbound": None, **facts}
        return drive_steps(by, message(body), ctx(**facts), lambda call: self.twilio.answer(wired(call), self.now))

    # --- what was heard and kept ----------------------------------------------------------------------------------

    @property
    def bodies(self) -> list[Body]:
        return [one.body for one in self.kept]

    @property
    def events(self) -> list[str]:
        return [body.event for body in self.bodies if isinstance(body, CallEvent)]

    @property
    def turns(self) -> list[Message]:
        return [body for body in self.bodies if isinstance(body, Message)]

    @property
    def complaints(self) -> list[tuple[int, str]]:
        return [(one.code, one.text) for one in self.twilio.world.complaints]


def wired(call: Any) -> Request:
    """With the credential in its place."""
    assert isinstance(call, HttpCall)
    basic = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    headers = {**call.headers, **({"authorization": f"Basic {basic}"} if call.auth else {})}
    return Request(method=call.method, url=call.url, headers=headers, body=call.body)


def heard(call: Call) -> list[str]:
    return [one.text for one in call.heard]
