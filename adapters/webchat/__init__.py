"""Web chat: our own channel, JSON frames over a WebSocket or, where sockets are blocked, over HTTP.

Rule: it lives from the store alone. Nothing here is remembered between two frames; a session is its token.
Rule: an `ack` follows the durable write and nothing else; the same `cid` again is always safe.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import structs

from adapters.base import (
    Bind,
    Capabilities,
    Close,
    Flow,
    Heard,
    Keep,
    LegRead,
    LegUpload,
    LiveLimits,
    LiveSession,
    Outcome,
    RawInbound,
    Registration,
    Relay,
    Reply,
    Say,
    SendContext,
    Sent,
    Unauthentic,
    Wire,
)
from adapters.webchat import identity, parse, routes, send, show, wire
from adapters.webchat.config import Config
from adapters.webchat.session import Session, Tokens, bearer, offered_token
from adapters.webchat.wire import BadFrame, Hello, Msg, Ping, Pong, Proof, Read, TypingSeen, nack
from normalizer.codec import clean_text
from normalizer.envelope import Envelope, MediaRef
from normalizer.ids import EndpointId

__all__ = ["REGISTRATION", "Config", "Webchat"]

FILENAME_MAX_CHARS = 255

CAPABILITIES = Capabilities(
    answers="processed",
    live=True,
    ordered=True,
    states=True,
    marks_read=True,
    shows_typing=True,
    text_limit=4_000,
    sends=frozenset({
        "text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
        "choices_offered", "choice_made",
    }),
    content_types=frozenset({"application/json"}),
)  # fmt: skip


class Webchat:
    """One widget's endpoint."""

    capabilities = CAPABILITIES
    subprotocols = (wire.SUBPROTOCOL,)

    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self.config = config
        self.widget = config.widget(endpoint_id)
        self.hello_ms = config.hello_ms
        self.max_frame_bytes = config.frame_max_bytes
        self.limits = LiveLimits(
            messages_per_s=config.messages_per_s,
            messages_burst=config.messages_burst,
            typing_every_s=config.typing_every_s,
            sockets_per_session=config.sockets_per_session,
            sockets_per_peer=config.sockets_per_peer,
        )
        self._tokens = Tokens(config, endpoint_id)

    # --- calls ----------------------------------------------------------------------------------------------------

    def headers(self, raw: RawInbound) -> dict[str, str]:
        """Belong on every answer to this caller, those of the gateway's own included (CORS)."""
        return routes.cors(raw, self.config)

    def verify(self, raw: RawInbound) -> Reply | LegRead | LegUpload | None:
        routes.check_origin(raw, self.config)
        if raw.origin == "live":
            if (token := offered_token(raw)) is not None:
                self._tokens.read(token, raw.received_at)
            return None
        if raw.method == "OPTIONS":
            return routes.preflight(raw, self.config)
        if raw.path not in routes.METHODS:
            return routes.refused(raw, self.config, 404, "not_found")
        if raw.method not in routes.METHODS[raw.path]:
            return routes.refused(raw, self.config, 405, "method_not_allowed")
        return self._route(raw)

    def _route(self, raw: RawInbound) -> Reply | LegRead | LegUpload | None:
        if len(raw.body) > self.max_frame_bytes:
            return routes.nacked(raw, self.config, nack("too_long"))
        try:
            if (raw.method, raw.path) == ("POST", "/session"):
                return self._session(raw)
            session = self._tokens.read(routes.known_token(raw), raw.received_at)
            match raw.path:
                case "/history" | "/events":
                    return routes.leg_read(raw, session, self.config)
                case "/uploads":
                    return routes.leg_upload(session, self.config)
                case "/messages":
                    return self._posted(raw, session)
                case "/identify":
                    return self._proved(raw, session, wire.read_proof(raw.body), renewed=True)
                case _:
                    return None
        except BadFrame as error:
            return routes.nacked(raw, self.config, nack("bad_frame", error.cid))
        except ValueError:
            return routes.refused(raw, self.config, 400, "bad_request")

    def _session(self, raw: RawInbound) -> Reply | None:
        request = wire.read_session_request(raw.body)
        if request.widget_key not in {None, self.widget}:
            return routes.refused(raw, self.config, 404, "unknown_widget")
        session, renewed = self._tokens.asked(request, raw, self.widget)
        if request.given:
            return self._proved(raw, session, request, renewed=renewed)
        return self._issued(raw, self._tokens.renewed(session, raw.received_at), renewed=renewed)

    def _proved(self, raw: RawInbound, session: Session, proof: Proof, *, renewed: bool) -> Reply | None:
        who = identity.check(proof, self.config, self.widget, raw.received_at)
        match routes.same_person(session, who):
            case "new":
                return None
            case "same":
                return self._issued(raw, self._tokens.renewed(session, raw.received_at), renewed=renewed)
            case "other":
                return routes.refused(raw, self.config, 409, "identity_taken")

    def _issued(self, raw: RawInbound, session: Session, *, renewed: bool) -> Reply:
        body = routes.session_reply(raw, self.config, session, self._tokens.sign(session), renewed=renewed)
        return routes.answered(raw, self.config, 200 if renewed else 201, body)

    def _posted(self, raw: RawInbound, session: Session) -> Reply | None:
        frame = wire.read_posted(raw.body)
        if isinstance(frame, Read):
            return None
        code = parse.check_message(frame, session.address.value, raw, self._tokens, self.config.text_limit)
        return routes.nacked(raw, self.config, nack(code, frame.cid)) if code else None

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return parse.parse(raw, self.widget, self._tokens)

    # --- answers --------------------------------------------------------------------------------------------------

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        if raw.origin == "live":
            return Reply(body=self._framed_answer(raw, outcome))
        match raw.path:
            case "/messages":
                return self._posted_answer(raw, outcome)
            case "/session" if raw.method == "DELETE":
                return self._unless_troubled(raw, outcome) or routes.answered(raw, self.config, 204)
            case _:
                return self._unless_troubled(raw, outcome) or self._identified_answer(raw)

    def _framed_answer(self, raw: RawInbound, outcome: Outcome | None) -> bytes:
        try:
            frame = wire.read_frame(raw.body)
        except BadFrame as error:
            return wire.encode(nack("bad_frame", error.cid))
        return wire.encode(routes.verdict(frame.cid, outcome, raw.received_at)) if isinstance(frame, Msg) else b""

    def _posted_answer(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        try:
            frame = wire.read_posted(raw.body)
        except BadFrame as error:
            return routes.nacked(raw, self.config, nack("bad_frame", error.cid))
        if isinstance(frame, Read):
            return self._unless_troubled(raw, outcome, placed=False) or routes.answered(raw, self.config, 204)
        told = routes.verdict(frame.cid, outcome, raw.received_at)
        if isinstance(told, wire.Nack):
            return routes.nacked(raw, self.config, told)
        return routes.answered(raw, self.config, 200 if told.dup else 201, told)

    def _unless_troubled(self, raw: RawInbound, outcome: Outcome | None, *, placed: bool = True) -> Reply | None:
        if outcome is None:
            return routes.refused(raw, self.config, 503, "unavailable")
        if outcome.error == "identity_taken":
            return routes.refused(raw, self.config, 409, "identity_taken")
        code = routes.trouble(outcome, placed=placed)
        return routes.refused(raw, self.config, routes.STATUS[code], code) if code else None

    def _identified_answer(self, raw: RawInbound) -> Reply:
        if raw.path == "/session":
            request: Proof = (asked := wire.read_session_request(raw.body))
            session, renewed = self._tokens.asked(asked, raw, self.widget)
        else:
            request, renewed = wire.read_proof(raw.body), True
            session = self._tokens.read(bearer(raw) or "", raw.received_at)
        who = identity.read(request, self.widget)
        return self._issued(raw, self._tokens.rotated(session, who, raw.received_at), renewed=renewed)

    # --- the socket -----------------------------------------------------------------------------------------------

    def hear(self, raw: RawInbound) -> Heard:
        if len(raw.body) > self.max_frame_bytes:
            return Close(wire.CLOSE_TOO_BIG, "frame too big")
        if raw.session is None:
            return self._greeted(raw)
        try:
            frame = wire.read_frame(raw.body)
        except BadFrame as error:
            return Say(wire.encode(nack("bad_frame", error.cid)))
        match frame:
            case Msg(cid=cid):
                code = parse.check_message(frame, raw.session, raw, self._tokens, self.config.text_limit)
                return Say(wire.encode(nack(code, cid))) if code else Keep()
            case Read():
                return Keep()
            case TypingSeen(on=on):
                return Relay(parse.typing(raw, self.widget, on=on))
            case Ping():
                return Say(wire.encode(Pong()))
            case Pong():
                return Say(b"")
            case Hello():
                return Say(wire.encode(nack("bad_frame")))

    def _greeted(self, raw: RawInbound) -> Bind | Close:
        try:
            frame = wire.read_frame(raw.body)
        except BadFrame:
            return Close(wire.CLOSE_BAD_FRAME, "not a hello")
        if not isinstance(frame, Hello) or frame.v != wire.VERSION:
            return Close(wire.CLOSE_BAD_FRAME, "not a hello")
        try:
            session = self._tokens.read(frame.token or offered_token(raw) or "", raw.received_at)
        except Unauthentic:
            return Close(wire.CLOSE_UNAUTHENTICATED, "session token refused")
        return Bind(address=session.address, issued_at=session.issued_at, resume_from=frame.resume_from)

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        """What a client is told whose frame came too fast and is dropped. None: nothing."""
        try:
            frame = wire.read_frame(raw.body)
        except BadFrame as error:
            return wire.encode(nack("rate_limited", error.cid, retry_after_ms))
        return wire.encode(nack("rate_limited", frame.cid, retry_after_ms)) if isinstance(frame, Msg) else None

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]:
        ready = wire.Ready(
            v=wire.VERSION,
            session_id=parse.sid_of(session.address.value),
            conversation_id=session.conversation_id,
            seq=session.head,
            oldest=session.oldest,
            server_time=now,
            limits=routes.limits(self.config),
            features=("upd", "upload", "typing", "read"),
        )
        return (wire.encode(ready),)

    def show(self, line: Wire) -> bytes | None:
        return wire.encode(show.frame(line, line.media_urls))

    def synced(self, head: int) -> bytes:
        return wire.encode(wire.Synced(head))

    def farewell(self, reconnect_after_ms: int) -> bytes:
        return wire.encode(wire.CloseSoon(reconnect_after_ms))

    # --- reading and uploads --------------------------------------------------------------------------------------

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply:
        lines = sorted(wires, key=lambda line: line.seq, reverse=read.after is None)
        frames = [show.frame(line, line.media_urls) for line in lines]
        if read.after is None:
            body = {"messages": frames, "has_more": more, "seq": head}
            return routes.answered(raw, self.config, 200, body)
        if lines and lines[0].seq > read.after + 1:
            return routes.refused(raw, self.config, 410, "resync")
        last = lines[-1].seq if lines else read.after
        return routes.answered(raw, self.config, 200, {"events": frames, "seq": last, "more": more})

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> Reply:
        if media is None or media.stored is None:
            status, code = routes.UPLOAD_ERRORS.get(error or "", (503, "unavailable"))
            return routes.refused(raw, self.config, status, code)
        session = self._tokens.read(bearer(raw) or "", raw.received_at)
        media = structs.replace(media, filename=clean_text(media.filename or "")[:FILENAME_MAX_CHARS] or None)
        token = self._tokens.attach(media, session, raw.received_at)
        body = routes.UploadReply(token, media.filename, media.size, media.sniffed or media.mime)
        return routes.answered(raw, self.config, 201, body)

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return send.send(message, ctx)


REGISTRATION = Registration(type="webchat", config=Config, build=Webchat)
