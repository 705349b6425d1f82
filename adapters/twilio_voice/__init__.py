"""Calls over Twilio: ConversationRelay on a socket, turns over webhooks where that is not wanted, people behind both.

Setting it up: docs/adapters/twilio_voice.md. Their format: wire.py. In: parse.py (webhooks), live.py (the socket).
What happens next in a call: plan.py; as TwiML: twiml.py. Out: send.py.

Rule: a route that a caller waits at always answers with TwiML, and while the call is up never with an empty one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from adapters._twilio import FORM, NOTHING, Api, Form, Signatures, addressed, basic, form_of, query_of, signed_url
from adapters.base import (
    CallContext,
    Capabilities,
    Fetched,
    Flow,
    Health,
    Heard,
    LegRead,
    LiveLimits,
    LiveSession,
    Malformed,
    Outcome,
    RawInbound,
    Registration,
    Reply,
    SendContext,
    Sent,
    Unauthentic,
    Wire,
)
from adapters.twilio_voice import live
from adapters.twilio_voice.config import Config
from adapters.twilio_voice.parse import caller_in, parse, turn_id
from adapters.twilio_voice.plan import Nothing, Planner, Step, Told, Voicemail
from adapters.twilio_voice.send import Line, fetch, probe, send
from adapters.twilio_voice.ticket import Tickets
from adapters.twilio_voice.twiml import Scene, Writer, live_url
from adapters.twilio_voice.wire import OVER, call_of, dialable, route_of, whole
from normalizer.envelope import Envelope, MediaRef
from normalizer.ids import EndpointId

__all__ = ["REGISTRATION", "Config", "TwilioVoice"]

_HOOK = re.compile(r"\A/hooks/[^/]+")
TOLD = frozenset({"/status", "/recording", "/stream"})
"""Routes that nobody waits at: they are told something, and want no TwiML."""
CAPABILITIES = Capabilities(
    answers="processed",
    ordered=True,
    live=True,
    states=True,
    echo=True,
    streams=True,
    text_limit=6_000,
    sends=frozenset({"text", "choices_offered", "choice_made", "audio", "voice"}),
    content_types=frozenset({FORM}),
)


class TwilioVoice:
    """One number's endpoint."""

    capabilities = CAPABILITIES
    subprotocols: tuple[str, ...] = ()
    limits = LiveLimits(messages_per_s=20.0, messages_burst=200, frames_per_s=150.0, frames_burst=1_000)
    """A Media Stream alone is 50 frames a second; what a caller does never comes that fast."""

    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self.config = config
        self.hello_ms, self.max_frame_bytes = config.hello_ms, config.frame_max_bytes
        self._signatures = Signatures(config.auth_tokens)
        self._tickets = Tickets(config.ticket_secrets or config.auth_tokens or ("",), endpoint_id)
        self._planner = Planner(config)
        self._writer = Writer(config, self._tickets)

    # --- webhooks -------------------------------------------------------------------------------------------------

    def verify(self, raw: RawInbound) -> Reply | LegRead | None:
        url = signed_url(raw, self.config.public_url)
        if raw.origin == "live":
            url = live_url(url)
        try:
            self._signatures.check(raw, url)
        except Unauthentic:
            if raw.origin != "live":
                raise
            # Some handshakes are signed with a slash at the end of the path, some without.
            self._signatures.check(raw, url[:-1] if url.endswith("/") else f"{url}/")
        if raw.origin == "live":
            return None
        match route_of(raw.path, Form()):
            case "/wait" as route:
                return self._document(raw, self._planner.step(route, self._told(raw, None)))
            case "/answer":
                return self._look(raw)
            case _:
                return None

    def _look(self, raw: RawInbound) -> Reply | LegRead:
        """What was answered is read from the leg, in the caller's own request."""
        form, query = form_of(raw), query_of(raw)
        caller, after = caller_in(form, query), whole(query.text("a"))
        if form.text("CallStatus") in OVER:
            return self._document(raw, Nothing())
        call = call_of(form)
        if call is None or caller is None or after is None:
            return self._document(raw, self._planner.people(raw.received_at))
        return LegRead(
            address=caller.address, evidence=caller.evidence, issued_at=raw.received_at, after=after,
            wait_ms=self._planner.patience_ms(query), turns=turn_id(call, ""),
        )  # fmt: skip

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply:
        found = live.lines(wires, self.config.takeover, more=more)
        return self._document(raw, self._planner.answered(query_of(raw), raw.received_at, found))

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        if raw.origin == "live":
            return Reply(body=b"" if outcome is not None else live.unheard(raw.body))
        try:
            told = self._told(raw, outcome)
        except Malformed:
            return NOTHING
        route = route_of(raw.path, told.form)
        return NOTHING if route in TOLD else self._document(raw, self._planner.step(route, told))

    def unavailable(self, raw: RawInbound) -> Reply | None:
        """The store can not keep it: the caller hears so, and may leave a message, which is told again and again."""
        if raw.origin == "live":
            return None
        try:
            form = form_of(raw)
        except Malformed:
            return NOTHING
        if route_of(raw.path, form) in TOLD:
            return None
        over = form.text("CallStatus") in OVER
        return self._document(raw, Nothing() if over else Voicemail((self.config.say_apology,)))

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        if raw.origin == "live":
            return live.parse_frame(raw, self.config.account)
        return parse(raw, self.config.account)

    def _told(self, raw: RawInbound, outcome: Outcome | None) -> Told:
        settled = outcome is not None and outcome.error is None
        placed = outcome.placed if outcome is not None else ()
        form, query = form_of(raw), query_of(raw)
        caller = caller_in(form, query)
        return Told(
            form=form, query=query, now=raw.received_at, settled=settled,
            can_be_called=caller is not None and dialable(caller.address) is not None,
            holder=outcome.holder if outcome is not None else None,
            wire_seq=next((one.wire_seq for one in placed if one.wire_seq is not None), None),
        )  # fmt: skip

    def _document(self, raw: RawInbound, step: Step) -> Reply:
        form, query = form_of(raw), query_of(raw)
        call, caller = call_of(form), caller_in(form, query)
        if call is None or caller is None:
            return NOTHING
        carried = query.text("t")
        ticket = carried if self._tickets.read(carried) is not None else None
        scene = Scene(base=self._base(raw), call=call, caller=caller, now=raw.received_at, ticket=ticket)
        return self._writer.reply(step, scene)

    def _base(self, raw: RawInbound) -> str:
        """The endpoint's own address. Outside of the gateway a path may have been given whole, from its root on."""
        below = _HOOK.sub("", raw.path)
        return addressed(raw.public_url, raw.path, self.config.public_url).partition("?")[0].removesuffix(below)

    # --- the socket -----------------------------------------------------------------------------------------------

    def headers(self, raw: RawInbound) -> Mapping[str, str]:
        return {}

    def hear(self, raw: RawInbound) -> Heard:
        return live.hear(raw, self._tickets, self.max_frame_bytes)

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        """Nobody reads our answer, but each frame is a turn: they are paced as messages."""
        return b""

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]:
        return ()

    def show(self, line: Wire) -> bytes | None:
        return live.show(line, self.config.takeover)

    def partial(self, text: str, first: bool) -> bytes:
        return live.partial(text, first)

    def language(self, locale: str, before: str | None, heard: str | None) -> bytes | None:
        return live.language(locale, before or self.config.language, heard or self.config.language)

    def broken_off(self) -> bytes:
        return live.broken_off()

    def once(self, envelope: Envelope) -> bool:
        return live.once(envelope)

    def ends(self, envelope: Envelope, note: str) -> bool:
        return live.ends(envelope, note, self.config.takeover)

    def synced(self, head: int) -> bytes:
        return b""

    def farewell(self, reconnect_after_ms: int) -> bytes:
        return live.farewell()

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> NoReturn:
        raise Unauthentic("nothing can be uploaded in a call")

    # --- out ------------------------------------------------------------------------------------------------------

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from send(self._line(ctx.hook_url), message, ctx))

    def fetch(self, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
        return (yield from fetch(self._line(ctx.hook_url), media, ctx))

    def probe(self, ctx: CallContext) -> Flow[Health]:
        return (yield from probe(self._line(ctx.hook_url), ctx))

    def _line(self, hook_url: str) -> Line:
        config = self.config
        account = config.account_sid or ""
        api = Api(account_sid=account, api_url=config.api_url, auth=basic(account, config.api_key_sid))
        base = addressed(hook_url, "", config.public_url)
        return Line(config=config, api=api, writer=self._writer, base=base)


def _build(endpoint_id: EndpointId, config: Config) -> TwilioVoice:
    return TwilioVoice(endpoint_id, config)


REGISTRATION = Registration(type="twilio_voice", config=Config, build=_build)
