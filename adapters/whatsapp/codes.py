"""The error catalogue of the Cloud API: its numbers, what they mean here, and what becomes of a send.

Rule: decided by `code`; the HTTP status counts only where there is no code that we know, titles never.
Rule: the words are ours. Meta's `details` may name numbers of customers.
See https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from adapters._http import retry_after, status_error
from adapters.base import (
    ChannelBlocked,
    CredentialsRefused,
    MediaFailed,
    OptedOut,
    Refused,
    Reply,
    SendError,
    TemplateRefused,
    Throttled,
    Unavailable,
    Unreachable,
    WindowClosed,
)
from adapters.whatsapp import wire
from normalizer.envelope import Failure

DAY_S = 86_400.0
PAIR_WAIT_S = 6.0
_read_error_answer = msgspec.json.Decoder(wire.ErrorAnswer)


class Meaning(NamedTuple):
    error: type[SendError]
    text: str
    retry_after_s: float | None = None
    recipient: bool = False
    """A limit that holds for this recipient alone."""


CODES: Mapping[int, Meaning] = {
    0: Meaning(CredentialsRefused, "the access token is not valid"),
    1: Meaning(Unavailable, "unknown error at the provider"),
    2: Meaning(Unavailable, "the provider's service is down for a moment"),
    3: Meaning(CredentialsRefused, "the app lacks this capability"),
    4: Meaning(Throttled, "too many calls of this app"),
    10: Meaning(CredentialsRefused, "permission missing or withdrawn"),
    33: Meaning(Refused, "the phone number id or media id does not exist"),
    100: Meaning(Refused, "a parameter is missing or wrong"),
    190: Meaning(CredentialsRefused, "the access token is expired or revoked"),
    368: Meaning(ChannelBlocked, "blocked for a violation of policy"),
    470: Meaning(WindowClosed, "more than 24 hours since the customer wrote: only a template may be sent"),
    80007: Meaning(Throttled, "too many calls for this business account"),
    130429: Meaning(Throttled, "more messages per second than this number may send", 1.0),
    130472: Meaning(Unreachable, "the person is in an experiment of the provider"),
    130497: Meaning(ChannelBlocked, "this account may not write to people of that country"),
    131000: Meaning(Unavailable, "unknown error at the provider"),
    131005: Meaning(CredentialsRefused, "permission missing or withdrawn"),
    131008: Meaning(Refused, "a required parameter is missing"),
    131009: Meaning(Refused, "a parameter has a value that is not allowed"),
    131016: Meaning(Unavailable, "the provider's service is down for a moment"),
    131021: Meaning(Refused, "the recipient is the sender"),
    131026: Meaning(Unreachable, "can not be delivered: not on WhatsApp, old terms or an old app"),
    131030: Meaning(Unreachable, "the recipient is not among the test recipients of this number"),
    131031: Meaning(ChannelBlocked, "the account is locked"),
    131037: Meaning(ChannelBlocked, "the number's display name is not approved"),
    131042: Meaning(ChannelBlocked, "the account has a payment problem"),
    131044: Meaning(ChannelBlocked, "the account has a payment problem"),
    131045: Meaning(ChannelBlocked, "the number's certificate is wrong: register it again"),
    131047: Meaning(WindowClosed, "more than 24 hours since the customer wrote: only a template may be sent"),
    131048: Meaning(Throttled, "slowed down, because people report or block this number", 3600.0),
    131049: Meaning(Throttled, "this person gets no more marketing for now", DAY_S, recipient=True),
    131050: Meaning(OptedOut, "this person stopped marketing messages"),
    131051: Meaning(Refused, "this type of message is not supported"),
    131052: Meaning(MediaFailed, "the media of the customer could not be downloaded"),
    131053: Meaning(MediaFailed, "the media could not be uploaded: wrong type, too large or not readable"),
    131056: Meaning(Throttled, "too many messages to this recipient", PAIR_WAIT_S, recipient=True),
    131057: Meaning(Unavailable, "the account is under maintenance", 60.0),
    131062: Meaning(Unreachable, "this message needs a phone number, and only the user id is known"),
    131063: Meaning(TemplateRefused, "marketing templates are switched off for this interface"),
    131064: Meaning(Throttled, "the daily limit of people to write to is reached", DAY_S),
    132000: Meaning(TemplateRefused, "the number of parameters does not fit the template"),
    132001: Meaning(TemplateRefused, "no such template in this language, or not approved"),
    132005: Meaning(TemplateRefused, "the template's text is too long once filled in"),
    132007: Meaning(TemplateRefused, "the template's text violates policy"),
    132012: Meaning(TemplateRefused, "a parameter has another format than the template asks for"),
    132015: Meaning(TemplateRefused, "the template is paused for low quality"),
    132016: Meaning(TemplateRefused, "the template is disabled for low quality"),
    132068: Meaning(Refused, "the flow is blocked"),
    132069: Meaning(Throttled, "the flow is throttled", 3600.0),
    133004: Meaning(Unavailable, "the provider's server is down for a moment"),
    133010: Meaning(ChannelBlocked, "the number is not registered"),
    133016: Meaning(Throttled, "registered and deregistered too often", 3600.0),
    135000: Meaning(Unavailable, "unknown error at the provider"),
    137000: Meaning(Refused, "the person's identity has changed and is not confirmed"),
    2494100: Meaning(Unavailable, "the number is under maintenance", 60.0),
}
RANGES: Sequence[tuple[range, Meaning]] = (
    (range(200, 300), Meaning(CredentialsRefused, "permission missing or withdrawn")),
    (range(138000, 138019), Meaning(Refused, "a call is not possible")),
    (range(139100, 139104), Meaning(Refused, "the block list refuses it")),
    (range(147001, 147005), Meaning(Refused, "the user name refuses it")),
)
_UNKNOWN = "an error that this program does not know"


def meaning(code: int | None) -> Meaning | None:
    if code is None:
        return None
    return CODES.get(code) or next((found for codes, found in RANGES if code in codes), None)


def number(code: int | str | None) -> int | None:
    if isinstance(code, str):
        return int(code) if code.isascii() and code.isdecimal() and len(code) < 12 else None
    return code


def failure(error: wire.Error) -> Failure:
    """Of a webhook: in a status, in a message, or for the account."""
    found = meaning(number(error.code))
    provider_code = None if error.code is None else str(error.code)[:32]
    if found is None:
        return Failure(Refused.code, _UNKNOWN, provider_code)
    return Failure(found.error.code, found.text, provider_code)


def send_error(reply: Reply) -> SendError:
    """Of an answer that is no 2xx, or that holds an error and nothing else."""
    error = _error_in(reply)
    if error is None or error.code is None:
        return status_error(reply)
    code = number(error.code)
    found = meaning(code)
    if found is None and error.is_transient:
        found = Meaning(Unavailable, _UNKNOWN)
    if found is None:
        unknown = status_error(reply, certain=True)
        unknown.provider_code = str(error.code)[:32]
        return unknown
    return _build(found, str(code), retry_after(reply))


def _build(found: Meaning, provider_code: str, retry_after_s: float | None) -> SendError:
    wait_s = max(filter(None, (retry_after_s, found.retry_after_s)), default=None)
    if found.error is Throttled:
        scope: Literal["channel", "recipient"] = "recipient" if found.recipient else "channel"
        return Throttled(found.text, scope=scope, provider_code=provider_code, retry_after_s=wait_s)
    return found.error(found.text, provider_code=provider_code, retry_after_s=wait_s)


def _error_in(reply: Reply) -> wire.Error | None:
    try:
        return wire.read_error(_read_error_answer.decode(reply.body).error)[0]
    except (msgspec.DecodeError, RecursionError):
        return None
