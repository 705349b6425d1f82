"""Webhooks of a call as envelopes.

Rule: who calls stands in the ticket of the URL, where there is one: callbacks about recordings and streams name nobody.
Rule: a fetch of the next document is a fact about the call too, and is kept as such. What the same document would be
fetched for again bears the provider's id; nothing else has a key.
Rule: keys that a caller pressed are his words; they stand in envelopes alone, never in a reason or an error.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from adapters._twilio import Form, form_of, query_of
from adapters.base import Malformed, RawInbound
from adapters.twilio_voice.ticket import peek
from adapters.twilio_voice.wire import ALIVE, OVER, TYPE, Caller, call_of, caller_of, dialable, route_of, whole
from normalizer.envelope import (
    AddressClaim,
    Body,
    CallEvent,
    ChoiceMade,
    Edit,
    Envelope,
    Failure,
    MediaRef,
    Message,
    Party,
    Receipt,
    Status,
    Text,
    Unsupported,
    Voice,
    inbound_id,
)
from normalizer.ids import ExternalId

STEPS = {
    "queued": "initiated",
    "initiated": "initiated",
    "ringing": "ringing",
    "in-progress": "connected",
    "completed": "ended",
}
"""Values of `CallStatus`, as our events; whatever else ends a call is `ended` too, with the provider's word."""
RECEIPTS = {
    "queued": Status.SENT,
    "initiated": Status.SENT,
    "ringing": Status.SENT,
    "in-progress": Status.DELIVERED,
    "completed": Status.DELIVERED,
}
"""Of a call that we placed to say something."""
MISSED = {
    "busy": "the line is busy",
    "failed": "the call could not be put through",
    "canceled": "the call was taken back",
}
"""Why such a call was not heard."""
CALLBACK = ChoiceMade(id="callback", title="Please call me back")


class Arrived:
    """One webhook, read."""

    def __init__(self, raw: RawInbound, account: str | None) -> None:
        self.raw, self.account = raw, account
        self.form, self.query = form_of(raw), query_of(raw)
        if not self.form:
            raise Malformed("a webhook without fields")
        self.call = call_of(self.form)
        self.caller = caller_in(self.form, self.query)
        self.route = route_of(raw.path, self.form)

    def envelope(self, body: Body, *, key: str | None = None, at: datetime | None = None,
                 external_id: str | None = None, echo_key: str | None = None,
                 locale: str | None = None) -> Envelope:  # fmt: skip
        """`key`: of the event, below the call's own id; None: this very request."""
        full = f"{self.call}/{key}" if key else ""
        name = self.form.text("CallerName").strip() or None
        claims = (AddressClaim(self.caller.address, self.caller.evidence),) if self.caller else ()
        return Envelope(
            id=inbound_id(self.raw.endpoint_id, self.account, full or self.raw.id),
            direction="in",
            channel_type=TYPE,
            endpoint_id=self.raw.endpoint_id,
            account=self.account,
            party=Party(claims=claims, name=name),
            occurred_at=at or self.raw.received_at,
            received_at=self.raw.received_at,
            external_id=ExternalId(external_id) if external_id else None,
            dedupe_keys=(full,) if full else (),
            echo_key=echo_key,
            locale=locale,
            body=body,
            raw=self.form.slice(),
        )

    def event(self, event: str, *, key: str | None = None, at: datetime | None = None, duration: str = "",
              detail: str = "") -> Envelope:  # fmt: skip
        assert self.call is not None
        direction: Literal["in", "out"] = "out" if self.caller is not None and self.caller.outward else "in"
        body = CallEvent(
            call=ExternalId(self.call), event=event, direction=direction, duration_s=whole(duration or None),
            detail=detail or None,
        )  # fmt: skip
        return self.envelope(body, key=key, at=at)

    def unknown(self, what: str) -> Envelope:
        return self.envelope(Unsupported(what=what, visible=False))


def caller_in(form: Form, query: Form) -> Caller | None:
    """By the ticket that we gave, else by the fields of the call."""
    found = peek(query.text("t"))
    return Caller(found.who, found.sureness, found.outward) if found is not None else caller_of(form)


def parse(raw: RawInbound, account: str | None) -> Sequence[Envelope]:
    arrived = Arrived(raw, account)
    if arrived.call is None:
        return (arrived.unknown(f"no_call:{raw.path}"),)
    if arrived.caller is None:
        # The other end of a transfer: its number is a colleague's, and nobody's conversation.
        return (arrived.unknown("other_leg"),)
    return _routed(arrived)


def _routed(it: Arrived) -> Sequence[Envelope]:
    form = it.form
    match it.route:
        case "":
            return (it.event("ringing", key="ringing"),)
        case "/after":
            return (_session(it),)
        case "/turn" | "/menu":
            return _turned(it)
        case "/queue":
            return (it.event("queued"),)
        case "/queue-done":
            return (it.event("left_queue", key=_key("queue", form.text("QueueSid")), duration=form.text("QueueTime"),
                             detail=form.text("QueueResult")),)  # fmt: skip
        case "/dial-done":
            return (_dialled(it),)
        case "/voicemail":
            return (it.event("recorded", key=_key("recorded", form.text("RecordingSid")),
                             duration=form.text("RecordingDuration")),)  # fmt: skip
        case "/recording":
            return (_recording(it),)
        case "/status":
            return _status(it)
        case "/stream":
            event, stream = form.text("StreamEvent"), form.text("StreamSid")
            return (it.event(event or "stream", key=_key("stream", stream, event), at=_rfc3339(form.text("Timestamp")),
                             detail=form.text("StreamError")),)  # fmt: skip
        case path:
            return (it.unknown(f"route:{path[:60]}"),)


def _key(kind: str, *parts: str) -> str | None:
    """None where a part is missing: then there is no telling one event from the next."""
    return "/".join((kind, *parts)) if all(parts) else None


def _session(it: Arrived) -> Envelope:
    status, session = it.form.text("SessionStatus"), it.form.text("SessionId")
    said = " ".join(filter(None, (it.form.text("ErrorCode"), it.form.text("ErrorMessage")[:200])))
    failed = status == "failed" or bool(it.form.text("ErrorCode"))
    return it.event("session_failed" if failed else "session_ended", key=_key("session", session),
                    duration=it.form.text("SessionDuration"), detail=said or status)  # fmt: skip


def session_end(call: str, session: str) -> str:
    """The key of what is told at the end of a relay session."""
    return f"{call}/{_key('session', session)}"


# --- turns --------------------------------------------------------------------------------------------------------


def _turned(it: Arrived) -> Sequence[Envelope]:
    """Speech is a turn. A key is one where it answers the AI; in our own menu it is a key, or a wish to be called."""
    words, keys = it.form.text("SpeechResult").strip(), it.form.text("Digits").strip()
    if words:
        return (_turn(it, Message(parts=(Text(words),))),)
    if not keys:
        return (it.event("silence"),)
    if it.route == "/turn":
        return (_turn(it, Message(parts=(ChoiceMade(id=keys, title=keys),))),)
    if keys[:1] == "2" and it.caller is not None and dialable(it.caller.address):
        return (_turn(it, Message(parts=(CALLBACK,))),)
    return (it.event("key", detail=keys),)


def _turn(it: Arrived, message: Message) -> Envelope:
    """Its id names the call: whoever answers finds the call by it."""
    assert it.call is not None
    locale = it.form.text("Language") or it.query.text("l") or None
    return it.envelope(message, external_id=turn_id(it.call, it.raw.id), locale=locale)


def turn_id(call: str, unique: str) -> str:
    return f"{call}/{unique}"


def call_in(external_id: str | None) -> str | None:
    """The call that a turn was said in. None: it is no turn's id."""
    call, slash, _ = (external_id or "").partition("/")
    return call if slash and call_of(Form({"CallSid": [call]})) else None


# --- people and messages ------------------------------------------------------------------------------------------


def _dialled(it: Arrived) -> Envelope:
    status = it.form.text("DialCallStatus")
    event = "accepted" if status in ("completed", "answered") else "rejected"
    return it.event(event, key=_key("dial", it.form.text("DialCallSid")), duration=it.form.text("DialCallDuration"),
                    detail=status)  # fmt: skip


def _recording(it: Arrived) -> Envelope:
    """A message that was left; what was understood of it comes later, and changes it."""
    form, recording = it.form, it.form.text("RecordingSid")
    if not recording:
        return it.unknown("recording:nameless")
    media = MediaRef(external_id=recording, url=form.text("RecordingUrl") or None, mime="audio/mpeg")
    if transcription := form.text("TranscriptionSid"):
        if form.text("TranscriptionStatus") != "completed":
            return it.event("transcription_failed", key=_key("transcription", transcription))
        voice = Voice(media, form.text("TranscriptionText").strip() or None)
        return it.envelope(Edit(ExternalId(recording), (voice,)), key=_key("transcription", transcription))
    if (status := form.text("RecordingStatus")) not in ("", "completed"):
        return it.event(f"recording_{status[:40]}", key=_key("recording", recording, status))
    return it.envelope(Message(parts=(Voice(media),)), key=_key("recording", recording), external_id=recording)


# --- the call itself ----------------------------------------------------------------------------------------------


def _status(it: Arrived) -> Sequence[Envelope]:
    form, status = it.form, it.form.text("CallStatus")
    if status not in ALIVE | OVER:
        return (it.unknown(f"call_status:{status[:40]}"),)
    number = form.text("SequenceNumber")
    key, at = f"status/{number or status}", _rfc2822(form.text("Timestamp"))
    detail = "" if status in STEPS else status
    event = it.event(STEPS.get(status, "ended"), key=key, at=at, duration=form.text("CallDuration"), detail=detail)
    echo = it.query.text("k")
    return (_receipt(it, status, echo, key, at), event) if echo else (event,)


def _receipt(it: Arrived, status: str, echo: str, key: str, at: datetime | None) -> Envelope:
    assert it.call is not None
    found = RECEIPTS.get(status, Status.FAILED)
    failure = Failure(code="unreachable", text=MISSED.get(status, "nobody answered"), provider_code=status)
    receipt = Receipt(status=found, target=ExternalId(it.call), failure=failure if found is Status.FAILED else None)
    return it.envelope(receipt, key=f"{key}/receipt", at=at, echo_key=echo)


def _rfc2822(text: str) -> datetime | None:
    try:
        return _utc(parsedate_to_datetime(text)) if len(text) < 64 else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _rfc3339(text: str) -> datetime | None:
    """With up to nine digits of a second, of which six count."""
    try:
        return _utc(datetime.fromisoformat(text)) if len(text) < 64 else None
    except (ValueError, OverflowError):
        return None


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
