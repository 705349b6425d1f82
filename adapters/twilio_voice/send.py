"""Words out: to the line that is open, else, where it is configured, by calling.

Rule: what is said stands on the leg's wire. A send wakes the socket that reads it there; to wake twice does no harm.
Rule: a call that was perhaps placed is looked for before another one is placed.
Rule: where nobody is on the line, or somebody who has not asked for it, that is said: a voice has no mailbox.
"""

import re
from datetime import timedelta
from urllib.parse import urlencode

from msgspec import Struct

from adapters import _twilio_media
from adapters._files import stored_size
from adapters._http import header
from adapters._twilio import Api, ask, send_error
from adapters.base import (
    CallContext,
    Fetched,
    Flow,
    Health,
    HttpCall,
    MediaFailed,
    NoAnswer,
    NotReached,
    PushCall,
    Refused,
    Reply,
    SendContext,
    SendError,
    Sent,
    TemplateRefused,
    Unavailable,
    Unreachable,
)
from adapters.twilio_voice.codes import CODES
from adapters.twilio_voice.config import Config
from adapters.twilio_voice.parse import call_in
from adapters.twilio_voice.plan import Said, worded
from adapters.twilio_voice.speech import keys, recordings, words
from adapters.twilio_voice.twiml import Scene, Writer
from adapters.twilio_voice.wire import Caller, dialable
from normalizer.envelope import (
    AddressChange,
    CallEvent,
    Edit,
    Envelope,
    Evidence,
    MediaRef,
    Message,
    Note,
    Part,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Template,
    Typing,
    Unsupported,
)
from normalizer.ids import ExternalId

TWIML_CHARS = 4_000
"""Of TwiML in a request of the API."""
LINE_WAIT_S = 3.0
"""A line that was lost comes back within this time, or it does not."""
STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")
LOOK_BACK = timedelta(minutes=2)
KEYS = re.compile(r"[0-9*#w]{1,200}")
LIVE = frozenset({"queued", "ringing", "in-progress"})


class CallShown(Struct, frozen=True):
    """A call, as the API shows it."""

    sid: str = ""
    status: str = ""
    direction: str | None = None


class CallList(Struct, frozen=True):
    calls: tuple[CallShown, ...] = ()


class NumberShown(Struct, frozen=True):
    voice_url: str | None = None


class NumberList(Struct, frozen=True):
    incoming_phone_numbers: tuple[NumberShown, ...] = ()


class Line(Struct, frozen=True, kw_only=True):
    """One number of ours, as a way out."""

    config: Config
    api: Api
    writer: Writer
    base: str
    """The endpoint's own URL."""


def send(line: Line, message: Envelope, ctx: SendContext) -> Flow[Sent]:
    match message.body:
        case Message(parts=parts):
            _check(parts, line.config)
            if ctx.step > 0:
                return Sent()
            return (yield from _say(line, message, words(parts), ctx))
        case StateChange() | CallEvent():
            yield PushCall()
            return Sent()
        case Edit() | Revoke():
            raise Refused("what was spoken can not be taken back")
        case Receipt() | Reaction() | Typing() | AddressChange() | SessionEnded() | Note() | Unsupported() as body:
            raise Refused(f"a call has no way to show {type(body).__name__}")


def _check(parts: tuple[Part, ...], config: Config) -> None:
    if any(isinstance(part, Template) for part in parts):
        raise TemplateRefused("a call has no templates")
    if pressed := keys(parts):
        _check_keys(parts, pressed[0], config)
        return
    text, played = words(parts).strip(), recordings(parts)
    if not text and not played:
        raise Refused("there is nothing that can be spoken")
    if played and (text or len(played) > 1):
        raise Refused("a recording is played by itself: one in a message, and no words beside it")
    if any(part.media.stored is None for part in played):
        raise MediaFailed("the recording is not stored here")


def _check_keys(parts: tuple[Part, ...], pressed: str, config: Config) -> None:
    if config.mode != "relay":
        raise Refused("keys are pressed over a relay only")
    if len(parts) > 1 or not KEYS.fullmatch(pressed):
        raise Refused("keys are pressed by themselves: 0 to 9, * and #, and w for half a second")


def _say(line: Line, message: Envelope, text: str, ctx: SendContext) -> Flow[Sent]:
    woken: Reply = yield PushCall()
    said = Sent((ExternalId(message.id),))
    if woken.status == 410:
        raise Unreachable("it answers what was asked in a call before")
    if woken.status != 204:
        return said
    call = call_in(ctx.leg.last_inbound)
    if line.config.mode == "gather" and call is not None and (yield from _is_up(line.api, call)):
        return said  # the next document of that call reads it
    if ctx.attempt == 1 and line.config.mode == "relay" and call is not None:
        raise NotReached("nobody is on the line; it may come back", retry_after_s=LINE_WAIT_S)
    if line.config.call_out == "never" or (line.config.call_out == "agents" and message.author != "agent"):
        raise Unreachable("nobody is on the line")
    return (yield from _call(line, text, message.locale, ctx))


def _is_up(api: Api, call: str) -> Flow[bool]:
    """Where that can not be known it is: the next answer to whoever may be on the line waits for this one."""
    try:
        found = yield from ask(api.get(api.url(f"/Calls/{call}.json")), CallShown, CODES)
    except SendError as error:
        return not isinstance(error, Refused | Unreachable)
    return found.status in LIVE


# --- calling ------------------------------------------------------------------------------------------------------


def _call(line: Line, text: str, locale: str | None, ctx: SendContext) -> Flow[Sent]:
    to = dialable(ctx.leg.address)
    if to is None:
        raise Unreachable("this caller has withheld the number")
    if not text:
        raise Refused("a call is placed for words, not for a recording")
    if ctx.attempt > 1 and (placed := (yield from _placed(line, to, ctx))):
        return Sent((ExternalId(placed),))
    request = _request(line, to, worded(text, locale), ctx)
    made = yield from ask(request, CallShown, CODES)
    if not made.sid:
        raise NoAnswer("accepted without an id")
    return Sent((ExternalId(made.sid),))


def _request(line: Line, to: str, words: Said, ctx: SendContext) -> HttpCall:
    scene = Scene(base=line.base, call="", caller=Caller(ctx.leg.address, Evidence.CHANNEL, outward=True), now=ctx.now)
    document = line.writer.outbound(words, scene)
    if len(document) > TWIML_CHARS:
        raise Refused("too long to be said in a call that we place")
    callback = line.writer.url(scene, "/status") + "&" + urlencode({"k": ctx.echo_key})
    return line.api.post(
        line.api.url("/Calls.json"),
        {
            "To": to, "From": line.config.account or "", "Twiml": document, "Timeout": str(line.config.ring_out_s),
            "StatusCallback": callback, "StatusCallbackMethod": "POST", "StatusCallbackEvent": STATUS_EVENTS,
        },
    )  # fmt: skip


def _placed(line: Line, to: str, ctx: SendContext) -> Flow[str]:
    """A call that the attempt before may have placed; empty: there is none."""
    since = (ctx.now - LOOK_BACK).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = urlencode({"To": to, "From": line.config.account or "", "StartTime>": since, "PageSize": "20"})
    listed = yield from ask(line.api.get(line.api.url(f"/Calls.json?{query}")), CallList, CODES)
    ours = (call.sid for call in listed.calls if call.direction == "outbound-api" and call.status != "failed")
    return next(ours, "")


# --- recordings and probes ----------------------------------------------------------------------------------------


def fetch(line: Line, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
    """The bytes of a recording. Just after its callback there may be none yet, so that is no reason to give up."""
    if media.external_id is None or not media.external_id.isalnum():
        raise MediaFailed("a recording without an id")
    url = line.api.url(f"/Recordings/{media.external_id}.mp3")
    return _fetched((yield from _twilio_media.get(line.api, url)))


def _fetched(reply: Reply) -> Fetched:
    if reply.status == 404:
        raise Unavailable("the recording is not there yet", retry_after_s=10.0)
    if reply.status == 410:
        raise MediaFailed("the recording is gone")
    if not 200 <= reply.status < 300:
        raise send_error(reply, CODES)
    stored = header(reply, "x-stored")
    if not stored:
        raise NoAnswer("the recording came without its bytes")
    return Fetched(stored=stored, mime=header(reply, "x-stored-mime") or None, size=stored_size(reply))


def probe(line: Line, ctx: CallContext) -> Flow[Health]:
    """Asks for the number (address and credentials are right if it is there), and whether it calls us."""
    query = urlencode({"PhoneNumber": line.config.account or ""})
    url = line.api.url(f"/IncomingPhoneNumbers.json?{query}")
    try:
        found = yield from ask(line.api.get(url), NumberList, CODES)
    except SendError as error:
        return Health(ok=False, detail=f"{error.code}: {error.text}")
    if not found.incoming_phone_numbers:
        return Health(ok=False, detail="the account has no such number")
    voice_url = (found.incoming_phone_numbers[0].voice_url or "").partition("#")[0].rstrip("/")
    if line.base and voice_url not in (line.base, f"{line.base}/incoming"):
        return Health(ok=False, detail="the number is there; its voice URL leads elsewhere, so no call will come in")
    return Health(ok=True, detail="the number is there, and calls come in here")
