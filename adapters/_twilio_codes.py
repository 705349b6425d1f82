"""The error catalogue of Twilio: its numbers, what they mean here, and what becomes of a send. One space of numbers for
all of its products.

Rule: decided by the number, in an answer of the API and in a status callback alike; the words are ours, because
Twilio's name the customer's number.
See https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping

from adapters._twilio import COMMON, UNKNOWN, Codes, Meaning, build
from adapters.base import (
    ChannelBlocked,
    CredentialsRefused,
    MediaFailed,
    OptedOut,
    Refused,
    SendError,
    TemplateRefused,
    Throttled,
    Unavailable,
    Unreachable,
    WindowClosed,
)
from normalizer.envelope import Failure

HOUR_S, DAY_S = 3600.0, 86_400.0
CODES: Codes = {
    12300: Meaning(MediaFailed, "the media link gives a type that is not allowed"),
    14107: Meaning(Throttled, "too many answers in a short time: two machines may be talking", 60.0, recipient=True),
    21211: Meaning(Unreachable, "the recipient is no valid number"),
    21408: Meaning(Unreachable, "this account may not write to that country"),
    21602: Meaning(Refused, "the message has no text"),
    21603: Meaning(Refused, "no sender was named"),
    21604: Meaning(Refused, "no recipient was named"),
    21606: Meaning(ChannelBlocked, "the sender is no number that this account may send from"),
    21608: Meaning(Unreachable, "a trial account may write to verified numbers alone"),
    21609: Meaning(Refused, "the address for receipts is not valid"),
    21610: Meaning(OptedOut, "this person answered STOP; only START lifts it"),
    21611: Meaning(Throttled, "ten hours of messages wait at this sender", HOUR_S),
    21612: Meaning(Unreachable, "no route from this sender to this recipient"),
    21614: Meaning(Unreachable, "the recipient is no mobile number"),
    21617: Meaning(Refused, "the text is longer than 1,600 characters"),
    21619: Meaning(Refused, "neither text nor media nor template"),
    21620: Meaning(MediaFailed, "the media link is not valid"),
    21623: Meaning(MediaFailed, "more files than one message may have"),
    21635: Meaning(Unreachable, "the recipient is a landline"),
    21654: Meaning(TemplateRefused, "no such template"),
    21655: Meaning(TemplateRefused, "the template's id is not valid"),
    21656: Meaning(TemplateRefused, "the template's variables are not valid"),
    21659: Meaning(ChannelBlocked, "the sender is no number of Twilio's"),
    21660: Meaning(ChannelBlocked, "the sender belongs to another account"),
    21703: Meaning(ChannelBlocked, "the messaging service has no sender"),
    21910: Meaning(Refused, "sender and recipient are on different channels"),
    30001: Meaning(Throttled, "the queue of this sender is full", HOUR_S),
    30002: Meaning(ChannelBlocked, "the account is suspended"),
    30003: Meaning(Unreachable, "the phone can not be reached"),
    30004: Meaning(Unreachable, "the phone or its carrier blocks this sender"),
    30005: Meaning(Unreachable, "the number is unknown"),
    30006: Meaning(Unreachable, "a landline, or a carrier that can not be reached"),
    30007: Meaning(Refused, "filtered by the carrier or by Twilio for its content"),
    30008: Meaning(Unavailable, "an error that the carrier does not explain"),
    30010: Meaning(Refused, "dearer than the price that was set"),
    30022: Meaning(Throttled, "more messages than this campaign may send", 60.0),
    30023: Meaning(Throttled, "this campaign's day is used up", DAY_S),
    30032: Meaning(ChannelBlocked, "the toll-free number is not verified"),
    30034: Meaning(ChannelBlocked, "the number is not registered for messages of businesses"),
    30410: Meaning(Unavailable, "the carrier took too long"),
    63001: Meaning(CredentialsRefused, "the channel does not accept its credentials"),
    63002: Meaning(ChannelBlocked, "the channel does not know this sender"),
    63003: Meaning(Unreachable, "the recipient is not on this channel"),
    63005: Meaning(Refused, "the channel does not take this content"),
    63007: Meaning(ChannelBlocked, "the sender is not set up on this channel"),
    63010: Meaning(Unavailable, "an error at the provider"),
    63013: Meaning(Refused, "against the channel's policy"),
    63015: Meaning(Unreachable, "this person has not joined the sandbox"),
    63016: Meaning(WindowClosed, "more than 24 hours since the customer wrote: only a template may be sent"),
    63017: Meaning(Throttled, "more than this channel may send", 60.0),
    63018: Meaning(Throttled, "more than this channel may send", 60.0),
    63019: Meaning(MediaFailed, "the media could not be downloaded"),
    63020: Meaning(ChannelBlocked, "the business account has not accepted its invitation"),
    63021: Meaning(Refused, "the channel finds the content not valid"),
    63024: Meaning(Unreachable, "the recipient is not valid on this channel"),
    63027: Meaning(TemplateRefused, "no such template in this language"),
    63028: Meaning(TemplateRefused, "the number of variables does not fit the template"),
    63029: Meaning(MediaFailed, "the recipient could not get the media"),
    63031: Meaning(Refused, "the recipient is the sender"),
    63032: Meaning(Unreachable, "WhatsApp does not deliver this to this person"),
    63033: Meaning(Unreachable, "this person blocks the sender"),
    63036: Meaning(Unreachable, "the phone can not get RCS"),
    63038: Meaning(Throttled, "the account's day is used up", DAY_S),
    63040: Meaning(TemplateRefused, "the template was rejected"),
    63041: Meaning(TemplateRefused, "the template is paused for low quality"),
    63042: Meaning(TemplateRefused, "the template is disabled for low quality"),
    63049: Meaning(Throttled, "this person gets no more marketing for now", DAY_S, recipient=True),
}
NO_REASON = "the provider gives no reason"
_ALL: Mapping[int, Meaning] = {**COMMON, **CODES}


def failure(code: str) -> Failure:
    """Of a status callback."""
    known = _ALL.get(int(code)) if code.isascii() and code.isdecimal() and len(code) < 12 else None
    if known is None:
        return Failure(Refused.code, UNKNOWN if code else NO_REASON, code[:32] or None)
    return Failure(known.error.code, known.text, code)


def refusal(code: int | None) -> SendError:
    """Of a message that was taken and failed at once: no status callback will tell."""
    if code is None:
        return Refused(NO_REASON)
    known = _ALL.get(code)
    return Refused(UNKNOWN, provider_code=str(code)) if known is None else build(known, str(code))
