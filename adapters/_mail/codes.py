"""What an SMTP server said, in the words of the catalogue (RFC 5321 §4.2, RFC 3463, RFC 7372, RFC 7504).

Rule: 4xx is for now and 5xx for good, whatever the enhanced code says; that one only tells who is meant: the person,
      the message, or all of us.
Rule: a server's text may hold addresses and what the customer wrote. Only codes leave this module.
"""

import re

import msgspec

from adapters.base import (
    ChannelBlocked,
    CredentialsRefused,
    MailReply,
    MediaFailed,
    NoAnswer,
    Refused,
    Reply,
    SendError,
    Throttled,
    Unavailable,
    Unreachable,
)

FIRST_RETRY_S = 60.0
"""A mail server in trouble is in trouble for minutes; each further wait is four times as long."""
LAST_RETRY_S = 3600.0

_ENHANCED = re.compile(r"(?<![\d.])[245]\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_TEXT_LOOKED_AT = 500

_LOGIN = frozenset({(7, 3), (7, 8), (7, 9), (7, 11), (7, 12), (7, 30), (7, 57), (7, 139)})
"""RFC 4954, and Microsoft 365: basic authentication is off (5.7.30, 5.7.139), nobody is logged in (5.7.57)."""
_WE = frozenset({(1, 7), (1, 8), (7, 13), (7, 60), (7, 705), (7, 708), *((7, detail) for detail in range(501, 504))})
"""Our sender address or account, whoever it is for: refused, locked, or over what its provider lets it send."""
_SIZE = frozenset({(2, 3), (3, 4)})
_TODAY = frozenset({(4, 5)})
"""Google: the day's quota is used up (also as 5xx)."""
_RATE = frozenset({(7, 0), (7, 1), (7, 28), (1, 90)})
_PERSON = frozenset(
    {(2, 0), (2, 1), (2, 2), (2, 4), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 9), (1, 10)}
)


def settle(reply: Reply, attempt: int, *, files: bool = False) -> MailReply:
    """What the server said, when it took the mail. Raises SendError. `files`: the mail has attachments."""
    said = _said(reply)
    status = reply.status
    if 200 <= status < 300:
        if said is None:
            raise NoAnswer("taken, in words that can not be read")
        return said
    text = said.text if said else ""
    found = _ENHANCED.search(text[:_TEXT_LOOKED_AT])
    enhanced = (int(found[1]), int(found[2])) if found else None
    code = f"{status} {found[0]}" if found else str(status)
    if 400 <= status < 500:
        raise _for_now(status, enhanced, code, attempt)
    if 500 <= status < 600:
        raise _for_good(status, enhanced, code, at_recipient=bool(said and said.refused), files=files)
    raise NoAnswer("an answer that is none", provider_code=code)


def retry_after_s(attempt: int) -> float:
    return min(LAST_RETRY_S, FIRST_RETRY_S * 4.0 ** max(0, min(attempt, 20) - 1))


def _said(reply: Reply) -> MailReply | None:
    try:
        return msgspec.json.decode(reply.body, type=MailReply)
    except (ValueError, RecursionError):
        return None


def _for_now(status: int, enhanced: tuple[int, int] | None, code: str, attempt: int) -> SendError:
    wait = retry_after_s(attempt)
    if status == 432:
        return CredentialsRefused("the password has to be changed first", provider_code=code)
    if enhanced in _TODAY:
        return Throttled("the day's quota is used up", provider_code=code, retry_after_s=LAST_RETRY_S)
    if status == 421 and enhanced in _RATE:
        return Throttled("too much at once", provider_code=code, retry_after_s=wait)
    if status in (450, 451, 452) and enhanced is not None and (enhanced[0] == 7 or enhanced in _PERSON):
        # Greylisting, a full mailbox, a policy: others are not concerned.
        return Throttled("not now for this recipient", provider_code=code, retry_after_s=wait, scope="recipient")
    return Unavailable("the mail server can not take it now", provider_code=code, retry_after_s=wait)


def _for_good(
    status: int, enhanced: tuple[int, int] | None, code: str, *, at_recipient: bool, files: bool
) -> SendError:
    if enhanced in _TODAY:
        return Throttled("the day's quota is used up", provider_code=code, retry_after_s=LAST_RETRY_S)
    if status in (530, 534, 535, 538) or enhanced in _LOGIN:
        return CredentialsRefused("the mail server wants a login that it does not refuse", provider_code=code)
    if enhanced in _WE:
        return ChannelBlocked("our address or account may not send", provider_code=code)
    if enhanced in _SIZE or (status == 552 and enhanced is None):
        kind = MediaFailed if files else Refused
        return kind("the mail is too large", provider_code=code)
    if status in (521, 551, 556) or _is_person(status, enhanced, at_recipient):
        return Unreachable("nobody gets mail at this address", provider_code=code)
    return Refused("the mail server refused the message", provider_code=code)


def _is_person(status: int, enhanced: tuple[int, int] | None, at_recipient: bool) -> bool:
    """The address is wrong, its mailbox full or closed, or no server takes mail for it."""
    if enhanced is None:
        return at_recipient and status in (550, 553)
    return enhanced in _PERSON or enhanced[0] == 4
