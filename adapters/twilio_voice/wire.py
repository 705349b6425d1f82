"""Twilio's words for calls, as far as we read them: fields of webhooks, callers, frames of the relay and of streams.

Rule: whatever arrives is read with these functions; a field of another type than documented is not there.
Rule: only a phone number is an identity. Twilio's stand-ins for a withheld number look like numbers and are none.
See https://www.twilio.com/docs/voice/twiml#request-parameters and
https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters._twilio import Form
from normalizer.address import Address, Scheme, parse_address
from normalizer.envelope import Evidence

TYPE = "twilio_voice"
ALIVE = frozenset({"queued", "initiated", "ringing", "in-progress"})
ROUTES = frozenset(
    {
        "/after", "/turn", "/answer", "/menu", "/queue", "/wait", "/queue-done", "/dial-done", "/voicemail",
        "/recording", "/status", "/stream",
    }
)  # fmt: skip
"""Ours, below the endpoint; a call comes in at the endpoint itself."""
TOLD_BY = {
    "CallbackSource": "/status", "SessionId": "/after", "SessionStatus": "/after", "DialCallStatus": "/dial-done",
    "QueueResult": "/queue-done", "StreamEvent": "/stream", "TranscriptionSid": "/recording",
    "RecordingStatus": "/recording", "RecordingSid": "/voicemail", "SpeechResult": "/turn", "Digits": "/turn",
}  # fmt: skip
"""Fields that only one route is told of; the first counts."""
OVER = frozenset({"completed", "canceled", "busy", "no-answer", "failed"})
"""Values of `CallStatus`."""
WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8566696687", "+86282452253", "+464"})
"""ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE on a keypad, and what some carriers make of them."""
ATTESTED = "TN-Validation-Passed-A"
"""The caller's own carrier vouches for the number."""
_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_CALL = re.compile(r"CA[0-9A-Za-z]{1,64}")
_SIP = re.compile(r"sips?:([^@;?\s]{1,100})@([^@;:?\s]{1,200})", re.IGNORECASE)
_CLIENT = re.compile(r"client:([^\s]{1,120})", re.IGNORECASE)
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
MAX_FRAME_CHARS = 4_000
"""Of a frame that can not be read and is kept as it came."""


class Caller(Struct, frozen=True):
    """The outside person of a call."""

    address: Address
    evidence: Evidence
    outward: bool = False
    """We called."""


def caller_of(form: Form) -> Caller | None:
    """None: no call is named, or it is the other end of a transfer and so no customer."""
    call = call_of(form)
    if call is None or form.text("Direction") == "outbound-dial":
        return None
    outward = form.text("Direction").startswith("outbound")
    number = form.text("To" if outward else "From") or form.text("Called" if outward else "Caller")
    address, evidence = who(number.strip(), call)
    # Whoever answers a number that we have called is reached at it; who calls may claim any.
    attested = outward or form.text("StirVerstat") == ATTESTED
    if address.scheme is Scheme.TEL:
        evidence = Evidence.CHANNEL if attested else Evidence.CLAIMED
    return Caller(address, evidence, outward)


def who(number: str, call: str) -> tuple[Address, Evidence]:
    """Where nobody can be told apart from anybody, the call itself is the caller: somebody new each time."""
    if _NUMBER.fullmatch(number) and number not in WITHHELD:
        return Address(Scheme.TEL, number), Evidence.CLAIMED
    if found := _SIP.match(number):
        return Address(Scheme.SIP, f"{found[1]}@{found[2].lower()}"), Evidence.CLAIMED
    if found := _CLIENT.fullmatch(number):
        # The name of a softphone stands in a token that the account's owner has signed.
        return Address(Scheme.SIP, f"client/{found[1]}"), Evidence.CHANNEL
    return Address(Scheme.CALL, call), Evidence.CHANNEL


def route_of(path: str, form: Form) -> str:
    """Which of our routes was asked for: by its name, and where it has none of ours by what it is told.

    Empty: a call comes in, whatever its webhook is called. The path itself: nobody knows.
    """
    name = "/" + path.rstrip("/").rpartition("/")[2]
    if name in ROUTES:
        return name
    told = next((route for field, route in TOLD_BY.items() if form.text(field)), None)
    if told is None and form.text("CallStatus") in OVER:
        return "/status"
    is_entrance = path.rstrip("/") in ("", "/incoming") or form.text("CallStatus") == "ringing"
    return told or ("" if is_entrance else path)


def call_of(form: Form) -> str | None:
    return sid(form.text("CallSid"))


def sid(text: object) -> str | None:
    return text if isinstance(text, str) and _CALL.fullmatch(text) else None


def dialable(address: Address) -> str | None:
    """As the provider takes it in `To`. None: nobody can be called there."""
    match address.scheme:
        case Scheme.TEL if _NUMBER.fullmatch(address.value):
            return address.value
        case Scheme.SIP if address.value.startswith("client/"):
            return "client:" + address.value.removeprefix("client/")
        case Scheme.SIP:
            return "sip:" + address.value
        case _:
            return None


def whole(text: object) -> int | None:
    """A count that comes as a number, as text or with decimals. None: it is none of these."""
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    try:
        found = round(float(text))
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < 2**31 else None


def tag(text: str) -> str | None:
    """A language, like `en-US` (RFC 5646). None: it is none."""
    return text if _TAG.fullmatch(text) else None


def covers(wanted: str, language: str) -> bool:
    """`en` is any English, `en-GB` is not that of the United States (RFC 4647, section 3.3.1)."""
    return f"{language}-".casefold().startswith(f"{wanted}-".casefold())


# --- frames -------------------------------------------------------------------------------------------------------

Frame = Mapping[str, Any]


def frame_of(body: bytes) -> Frame | None:
    """None: it is no JSON object, or nested beyond reason."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def word(frame: Frame, *path: str) -> str:
    """A text somewhere inside of a frame; empty where there is none."""
    found: Any = frame
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def kind_of(frame: Frame) -> str:
    """`type` of the relay, `stream/<event>` of Media Streams; empty: neither."""
    if kind := word(frame, "type"):
        return kind
    event = word(frame, "event")
    return f"stream/{event}" if event else ""


def slice_of(body: bytes, frame: Frame | None) -> Raw:
    """For `Envelope.raw`: the frame itself, or its text where it can not be read."""
    if frame is not None:
        return Raw(body)
    return Raw(msgspec.json.encode(body[:MAX_FRAME_CHARS].decode("utf-8", "replace")))


class Note(Struct, frozen=True, array_like=True):
    """What the frames of a socket do not say themselves, and the gateway hands back with each of them."""

    call: str
    session: str
    address: str
    evidence: int
    outward: bool = False

    @property
    def caller(self) -> Caller:
        return Caller(parse_address(self.address), Evidence(self.evidence), self.outward)


def note_text(note: Note) -> str:
    return msgspec.json.encode(note).decode()


def read_note(text: str) -> Note | None:
    try:
        found = msgspec.json.decode(text.encode(), type=Note)
        found.caller  # noqa: B018  raises for values that are none
    except (ValueError, RecursionError):
        return None
    return found
