"""Twilio's telephony seen from the other side: callers, its webhooks, relay sockets, and its API. Pure and stateful.

It rings the gateway, plays what that answers, and refuses what Twilio refuses: TwiML that is none, frames that are not
documented, a wrong token, numbers that can not be called. The socket itself belongs to whoever hosts the simulator:

    call = twilio.ring("+15550001111", now)     a caller; `call.doing` is what he is in, `call.heard` what he hears
    for request in twilio.due(now): ...         webhooks to deliver; each answer to `answered(request, reply, now)`
    twilio.sockets()                            relays that want a socket: `handshake()`, then send `opened(now)`
    relay.take(frame, now)                      each frame that the gateway sends
    call.says("...", now), call.presses("1", now), relay.interrupts()    frames to send (none while no relay listens)
    relay.lost(); call.hangs_up(now)            the end, from either side; then `due` again

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from adapters.base import Reply, Request
from adapters.twilio_voice import simulator_api
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Dialling, Relaying
from adapters.twilio_voice.simulator_relay import Relay
from adapters.twilio_voice.simulator_world import Pending, World

RETRY_S = 5.0


class Twilio:
    """`Provider` for one number."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        number: str,
        voice_url: str,
        ids: Iterator[str],
        api_url: str = "https://api.twilio.com",
        status_url: str | None = None,
        plain: bool = False,
    ) -> None:
        self.world = World(
            account_sid=account_sid, auth_token=auth_token, number=number, voice_url=voice_url, ids=ids,
            api_url=api_url, status_url=status_url, plain=plain,
        )  # fmt: skip
        self.calls: dict[str, Call] = {}

    # --- callers --------------------------------------------------------------------------------------------------

    def ring(self, caller: str, now: datetime, *, attested: bool = True, **facts: str) -> Call:
        """`attested`: the caller's carrier vouches for the number."""
        verstat = {"StirVerstat": "TN-Validation-Passed-A" if attested else "TN-Validation-Passed-C"}
        call = Call(self.world, caller, facts={**(verstat if caller.startswith("+") else {}), **facts})
        self.calls[call.sid] = call
        call.fetch(self.world.voice_url, now)
        return call

    def pick_up(self, call: Call, now: datetime) -> None:
        """Somebody answers a call that the gateway has placed."""
        simulator_api.pick_up(call, now)

    def not_reached(self, call: Call, status: str, now: datetime) -> None:
        """`busy`, `no-answer`, `failed` or `canceled`."""
        if call.status in ("queued", "ringing"):
            call.end(status, now)

    def sockets(self) -> list[Relay]:
        """Relays that want a socket and have none."""
        relays = [call.doing.relay for call in self.calls.values() if isinstance(call.doing, Relaying)]
        return [relay for relay in relays if not relay.open and relay.ended is None]

    def transfers(self) -> list[Call]:
        """Calls for which a colleague's telephone rings."""
        return [call for call in self.calls.values() if isinstance(call.doing, Dialling)]

    # --- Provider -------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        return simulator_api.answer(self.world, self.calls, request, now)

    def due(self, now: datetime) -> Sequence[Request]:
        for call in list(self.calls.values()):
            simulator_api.rings(call, now)
            call.passes(now)
        return self.world.due(now)

    def next_due(self) -> datetime | None:
        """When `due` has something next; None: nothing waits for its time."""
        times = [one.at for one in self.world.pending if not one.sent]
        times += [call.until for call in self.calls.values() if call.until is not None]
        return min(times, default=None)

    def answered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        """What the gateway said to a webhook. None: it said nothing in time."""
        pending = self.world.taken(request)
        if pending is None:
            return
        call = self.calls.get(pending.call)
        if pending.kind == "document" and call is not None:
            call.answered(reply, now)
        elif reply is None or reply.status >= 400:
            self._again(pending, now)

    def _again(self, pending: Pending, now: datetime) -> None:
        self.world.complain(11200, "a callback failed")
        if pending.retries > 0:
            at = datetime.fromtimestamp(now.timestamp() + RETRY_S, now.tzinfo)
            self.world.pending.append(Pending(pending.request, pending.call, "callback", at, pending.retries - 1))
