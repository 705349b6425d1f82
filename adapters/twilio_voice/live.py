"""A call as a socket: what the relay and a Media Stream send, and what is spoken.

Rule: a turn is a prompt that is finished (`last`); whatever is unfinished, empty or only sound is heard and not kept.
Rule: a socket is bound by our own ticket, which must be of the very call that the socket is for.
Rule: what was said last is said again on a line that came back; keys that were pressed are not pressed again, and count
as pressed before they are (`once`).
Rule: `last: true` ends a talk cycle and comes once: with the line itself, also when its words were spoken before, or
when something else is said before its end.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from adapters.base import Bind, Close, Heard, Keep, Malformed, RawInbound, Say, Wire
from adapters.twilio_voice.parse import session_end, turn_id
from adapters.twilio_voice.plan import Lines, handoff, reason_of, worded
from adapters.twilio_voice.speech import keys, recordings, spoken, token, words
from adapters.twilio_voice.ticket import Tickets
from adapters.twilio_voice.wire import (
    TYPE,
    Frame,
    Note,
    covers,
    frame_of,
    kind_of,
    note_text,
    read_note,
    sid,
    slice_of,
    whole,
    word,
)
from normalizer.envelope import (
    AddressClaim,
    Body,
    CallEvent,
    Envelope,
    Message,
    Part,
    Party,
    StateChange,
    Text,
    Unsupported,
    inbound_id,
)
from normalizer.ids import ExternalId

NOTE = "x-session-note"
SILENCE = Say(b"")
"""Heard, and nothing is made of it."""
PROGRESS = frozenset({"agentSpeaking", "clientSpeaking", "tokensPlayed"})
"""Names of `info` frames that come with every sentence."""
SOUND = frozenset({"stream/connected", "stream/media", "stream/mark"})
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
BAD_FRAME = 4400
UNAUTHENTICATED = 4401
TOO_BIG = 1009


# --- hearing ------------------------------------------------------------------------------------------------------


def hear(raw: RawInbound, tickets: Tickets, max_bytes: int) -> Heard:
    if len(raw.body) > max_bytes:
        return Close(TOO_BIG, "frame too big")
    frame = frame_of(raw.body)
    kind = kind_of(frame) if frame is not None else ""
    if raw.session is None:
        return _greeted(frame or {}, kind, tickets)
    if frame is not None and _passes(frame, kind):
        return SILENCE
    return Keep()


def _passes(frame: Frame, kind: str) -> bool:
    match kind:
        case "prompt":
            return frame.get("last") is False or not word(frame, "voicePrompt").strip()
        case "info":
            return word(frame, "name") in PROGRESS
        case _:
            return kind in SOUND


def _greeted(frame: Frame, kind: str, tickets: Tickets) -> Heard:
    match kind:
        case "stream/connected":
            return SILENCE
        case "setup":
            call, session, inner = sid(frame.get("callSid")), word(frame, "sessionId"), frame
        case "stream/start":
            start = frame.get("start")
            inner = start if isinstance(start, dict) else {}
            call, session = sid(inner.get("callSid")), word(frame, "streamSid")
        case _:
            return Close(BAD_FRAME, "not a setup")
    found = tickets.read(word(inner, "customParameters", "ticket"))
    if found is None or call is None or found.call not in ("", call):
        return Close(UNAUTHENTICATED, "ticket refused")
    return Bind(
        address=found.who, evidence=found.sureness, issued_at=found.issued_at,
        since=found.since_at if kind == "setup" else NEVER,  # a stream is not spoken to
        turns=turn_id(call, ""),
        note=note_text(Note(call, session, found.address, found.evidence, found.outward)), keep=True,
    )  # fmt: skip


# --- frames as envelopes ------------------------------------------------------------------------------------------


def parse_frame(raw: RawInbound, account: str | None) -> Sequence[Envelope]:
    note = read_note(raw.headers.get(NOTE, ""))
    if note is None:
        raise Malformed("a frame of nobody's call")
    frame = frame_of(raw.body)
    if frame is None:
        return (_envelope(raw, account, note, frame, Unsupported(what="malformed:frame", visible=False)),)
    kind = kind_of(frame)
    if _passes(frame, kind):
        return ()
    return (_framed(raw, account, note, frame, kind),)


def _framed(raw: RawInbound, account: str | None, note: Note, frame: Frame, kind: str) -> Envelope:
    def kept(body: Body, **facts: Any) -> Envelope:
        return _envelope(raw, account, note, frame, body, **facts)

    def event(name: str, detail: str | None = None, key: str | None = None, duration_s: int | None = None) -> Envelope:
        body = CallEvent(call=ExternalId(note.call), event=name, direction="out" if note.outward else "in",
                         duration_s=duration_s, detail=detail)  # fmt: skip
        return kept(body, key=key)

    match kind:
        case "setup":
            return event("connected", key=f"{note.session}/setup")
        case "prompt":
            text = Message(parts=(Text(word(frame, "voicePrompt").strip()),))
            return kept(text, external_id=turn_id(note.call, raw.id), locale=word(frame, "lang") or None)
        case "dtmf":
            return event("key", word(frame, "digit"))
        case "interrupt":
            ms = whole(frame.get("durationUntilInterruptMs"))
            heard = word(frame, "utteranceUntilInterrupt")  # empty, when he heard nothing of it
            return event("interrupted", heard, duration_s=None if ms is None else round(ms / 1000))
        case "error":
            return event("error", word(frame, "description")[:400])
        case "stream/start":
            return event("stream_started", note.session, key=_numbered(note, frame))
        case "stream/dtmf":
            return event("key", word(frame, "dtmf", "digit"), key=_numbered(note, frame))
        case "stream/stop":
            return event("stream_stopped", _count(frame), key=_numbered(note, frame))
        case "info":
            return kept(Unsupported(what=f"info:{word(frame, 'name')[:60]}", visible=False))
        case _:
            return kept(Unsupported(what=f"frame:{kind[:60]}", visible=False))


def _numbered(note: Note, frame: Frame) -> str | None:
    number = whole(frame.get("sequenceNumber"))
    return None if number is None else f"{note.session}/{number}"


def _count(frame: Frame) -> str | None:
    """Sound is not kept, but how much there was of it."""
    number = whole(frame.get("sequenceNumber"))
    return None if number is None else f"{number} frames"


def _envelope(
    raw: RawInbound, account: str | None, note: Note, frame: Frame | None, body: Body, *,
    key: str | None = None, external_id: str | None = None, locale: str | None = None,
) -> Envelope:  # fmt: skip
    caller = note.caller
    return Envelope(
        id=inbound_id(raw.endpoint_id, account, key or raw.id),
        direction="in",
        channel_type=TYPE,
        endpoint_id=raw.endpoint_id,
        account=account,
        party=Party(claims=(AddressClaim(caller.address, caller.evidence),)),
        occurred_at=raw.received_at,
        received_at=raw.received_at,
        external_id=ExternalId(external_id) if external_id else None,
        dedupe_keys=(key,) if key else (),
        locale=locale,
        body=body,
        raw=slice_of(raw.body, frame),
    )


# --- speaking -----------------------------------------------------------------------------------------------------


def partial(text: str, first: bool) -> bytes:
    """Sentences are joined as they were written; a space keeps two of them apart."""
    said = token(text)
    return _frame(type="text", token=said if first or said[:1].isspace() else f" {said}", last=False)


def broken_off() -> bytes:
    return _frame(type="text", token="", last=True)


def language(locale: str, before: str, heard: str) -> bytes | None:
    """Who is understood already is not told how to be: the relay may be finding out by itself what he speaks."""
    if covers(locale, before):
        return None
    understood = {} if covers(locale, heard) else {"transcriptionLanguage": locale}
    return _frame(type="language", ttsLanguage=locale, **understood)


def show(line: Wire, takeover: str) -> bytes | None:
    """The frame of a line. Only one recording or one row of keys can be played in it; `send` refuses others."""
    envelope = line.envelope
    if envelope.direction == "in" or line.withdrawn:
        return None
    match envelope.body:
        case Message(parts=parts):
            return _message(line, parts, envelope.locale)
        case CallEvent(event="key", detail=str(digits)):
            return _pressed(line, digits)
        case body:
            why = _parting(body, takeover)
            return None if why is None else _end(why)


def once(envelope: Envelope) -> bool:
    match envelope.body:
        case Message(parts=parts):
            return bool(keys(parts))
        case body:
            return isinstance(body, CallEvent) and body.event == "key"


def _parting(body: Body, takeover: str) -> Literal["agent", "done"] | None:
    """Why we end the session with it. None: we do not."""
    match body:
        case StateChange(state="queue"):
            return "agent"
        case StateChange(state="agent"):
            return "agent" if takeover == "phone" else None
        case StateChange(state="nobody") | CallEvent(event="ended"):
            return "done"
        case _:
            return None


def ends(envelope: Envelope, note_text: str, takeover: str) -> bool:
    """With our own `end`; with that of its call, whoever tells; with that of its session, though the call goes on."""
    if envelope.direction == "out":
        return _parting(envelope.body, takeover) is not None
    note = read_note(note_text)
    if note is None or not isinstance(envelope.body, CallEvent) or envelope.body.call != note.call:
        return False
    told = inbound_id(envelope.endpoint_id, envelope.account, session_end(note.call, note.session))
    return envelope.body.event == "ended" or envelope.id == told


def _message(line: Wire, parts: tuple[Part, ...], locale: str | None) -> bytes | None:
    if pressed := keys(parts):
        return _pressed(line, pressed[0])
    urls = played(parts, line)
    text = words(parts)
    if urls and not text:
        return _frame(type="play", source=urls[0], loop=1, interruptible=True, preemptible=False)
    lang = {"lang": locale} if locale else {}
    if line.streamed and not line.closed:
        return _frame(type="text", token=token(text[line.streamed :]), last=True, **lang)
    said = spoken(text[line.streamed :])
    return _frame(type="text", token=said, last=True, **lang) if said else None


def _pressed(line: Wire, digits: str) -> bytes | None:
    """Twice would choose twice: a line that came back presses only what has surely not gone out yet."""
    if line.again and line.status is not None:
        return None
    return _frame(type="sendDigits", digits=digits)


def played(parts: tuple[Part, ...], line: Wire) -> tuple[str, ...]:
    stored = [part.media.stored or "" for part in recordings(parts)]
    return tuple(line.media_urls[one] for one in stored if one in line.media_urls)


def unheard(body: bytes) -> bytes:
    """To a turn that could not be kept: nobody would answer it here."""
    frame = frame_of(body)
    return _end("agent") if frame is not None and kind_of(frame) == "prompt" else b""


def farewell() -> bytes:
    """The gateway stops: the call comes back by the action's URL, and finds whoever runs by then."""
    return _end("reconnect")


def _end(reason: Literal["agent", "done", "reconnect"]) -> bytes:
    return _frame(type="end", handoffData=handoff(reason))


def _frame(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


def lines(wires: Sequence[Wire], takeover: str, *, more: bool) -> Lines:
    """The same lines, for a call that is led turn by turn."""
    frames = [(line, msgspec.json.decode(frame)) for line in wires if (frame := show(line, takeover)) is not None]
    ends = [(line.seq, word(frame, "handoffData")) for line, frame in frames if frame["type"] == "end"]
    say = tuple(worded(word(one, "token"), word(one, "lang")) for _, one in frames if one["type"] == "text")
    play = tuple(word(frame, "source") for _, frame in frames if frame["type"] == "play")
    last = wires[-1].seq if wires else 0
    if not ends:
        return Lines(say=say, play=play, last=last, more=more)
    # What stands behind the change that ends the talk is its explanation: it is said as well.
    then: Literal["people", "goodbye"] = "people" if reason_of(ends[0][1]) == "agent" else "goodbye"
    return Lines(say=say, play=play, then=then, last=last)
