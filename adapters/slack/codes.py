"""The errors of the Web API: their names, what they mean here, and what becomes of a send.

Rule: a 200 with `ok: false` is the usual failure; the HTTP status counts only where there is no name that we know.
See https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import msgspec

from adapters.base import (
    ChannelBlocked,
    CredentialsRefused,
    MediaFailed,
    NoAnswer,
    Refused,
    Reply,
    SendError,
    Throttled,
    Unavailable,
    Unreachable,
)
from adapters.slack import wire

MAX_RETRY_AFTER_S = 7 * 86_400.0
NOT_SURELY_REFUSED = frozenset({408, 500, 502, 504})
"""A gateway may answer these for a call that did go through."""
_UNKNOWN = "an error that this program does not know"
_read_answer = msgspec.json.Decoder(wire.Answer)


class Meaning(NamedTuple):
    error: type[SendError]
    text: str
    certain: bool = True
    retry_after_s: float | None = None


def _all(error: type[SendError], *named: tuple[str, str]) -> dict[str, Meaning]:
    return {name: Meaning(error, text) for name, text in named}


CODES: Mapping[str, Meaning] = {
    **_all(
        CredentialsRefused,
        ("invalid_auth", "the token is not valid"),
        ("not_authed", "there is no token"),
        ("token_revoked", "the token was revoked: install the app again"),
        ("token_expired", "the token has expired"),
        ("missing_scope", "the app lacks a permission (scope)"),
        ("no_permission", "the app lacks a permission"),
        ("not_allowed_token_type", "this kind of token may not do this: a bot token (xoxb-) is needed"),
        ("access_denied", "access to this is denied"),
        ("ekm_access_denied", "the organization's key management denies access"),
        ("enterprise_is_restricted", "the organization restricts this"),
        ("two_factor_setup_required", "the owner of the token must set up two-factor authentication"),
        ("accesslimited", "access to this method is limited for the workspace"),
        ("org_login_required", "the workspace is moving to an organization: install the app again afterwards"),
    ),
    **_all(
        ChannelBlocked,
        ("account_inactive", "the app, its user or the workspace was removed"),
        ("team_added_to_org", "the workspace is moving to an organization"),
        ("team_access_not_granted", "the workspace is not part of the installation"),
        ("invalid_team", "the token is of another workspace"),
    ),
    **_all(
        Unreachable,
        ("channel_not_found", "the conversation does not exist, or the app is not in it"),
        ("not_in_channel", "the app is not in the channel: invite it"),
        ("is_archived", "the channel is archived"),
        ("user_not_found", "the person does not exist, or is not visible to the app"),
        ("users_not_found", "the person does not exist, or is not visible to the app"),
        ("user_disabled", "the person's account is disabled"),
        ("user_not_visible", "the person is not visible to the app"),
        ("cannot_dm_bot", "bots get no direct messages"),
        ("messages_tab_disabled", "direct messages to the app are switched off in its settings"),
        ("restricted_action", "the workspace's settings forbid to post there"),
        ("restricted_action_read_only_channel", "the channel is read only"),
        ("restricted_action_thread_only_channel", "the channel takes answers in threads only"),
        ("restricted_action_non_threadable_channel", "the channel takes no answers in threads"),
        ("restricted_action_thread_locked", "the thread is locked"),
        ("external_channel_migrating", "the shared channel is being moved"),
        ("channel_is_limited_access", "the channel is open to some people only"),
        ("is_inactive", "the conversation is frozen"),
    ),
    **_all(
        MediaFailed,
        ("file_not_found", "the file does not exist any more"),
        ("file_deleted", "the file was deleted"),
        ("file_upload_size_restricted", "the workspace takes no files of this size"),
        ("file_uploads_disabled", "the workspace takes no files"),
        ("file_uploads_except_images_disabled", "the workspace takes images only"),
        ("blocked_file_type", "the workspace takes no files of this type"),
        ("storage_limit_reached", "the workspace has no room for files"),
    ),
    **_all(
        Unavailable,
        ("service_unavailable", "the service is down for a moment"),
        ("team_not_found", "the workspace is not found for a moment"),
        ("request_timeout", "the request did not arrive whole"),
    ),
    "internal_error": Meaning(Unavailable, "error at the provider; part of it may have been done", certain=False),
    "fatal_error": Meaning(Unavailable, "error at the provider; part of it may have been done", certain=False),
    "ratelimited": Meaning(Throttled, "too many calls"),
    "rate_limited": Meaning(Throttled, "too many messages"),
    "message_limit_exceeded": Meaning(Throttled, "the workspace has reached its number of messages", True, 3600.0),
    **_all(
        Refused,
        ("msg_too_long", "the text is too long"),
        ("no_text", "there is no text"),
        ("msg_blocks_too_long", "the blocks are too long"),
        ("invalid_blocks", "the blocks are not valid"),
        ("invalid_blocks_format", "the blocks are not valid"),
        ("thread_not_found", "the thread does not exist"),
        ("cannot_reply_to_message", "there can be no thread below this message"),
        ("message_not_found", "the message does not exist"),
        ("cant_update_message", "the message is not the app's own"),
        ("cant_delete_message", "the message is not the app's own"),
        ("edit_window_closed", "the message is too old to be edited"),
        ("invalid_name", "there is no emoji of this name"),
        ("too_many_reactions", "the message has too many reactions"),
        ("too_many_emoji", "the message has too many reactions"),
        ("metadata_too_large", "the metadata is too large"),
    ),
}


def send_error(reply: Reply, *, recipient: bool = False) -> SendError:
    """Of an answer that is no success. `recipient`: a limit of calls holds for this conversation alone."""
    scope: Literal["channel", "recipient"] = "recipient" if recipient else "channel"
    name, retry_after_s = error_name(reply), _retry_after(reply)
    found = CODES.get(name or "")
    if reply.status == 429 and (found is None or found.error is not Throttled):
        found = CODES["ratelimited"]
    if found is None:
        return _unknown(reply.status, name, retry_after_s)
    if found.error is Throttled:
        wait_s = retry_after_s if retry_after_s is not None else found.retry_after_s
        return Throttled(found.text, scope=scope, provider_code=name, retry_after_s=wait_s)
    return found.error(found.text, provider_code=name, retry_after_s=retry_after_s, certain=found.certain)


def error_name(reply: Reply) -> str | None:
    """Of `ok: false`. Names are short words; anything else is no name and could hold anything."""
    try:
        answer = _read_answer.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        return None
    name = answer.error or ""
    plain = name.isascii() and name.replace("_", "").replace(":", "").isalnum() and len(name) <= 64
    return name if answer.ok is False and plain else None


def _unknown(status: int, name: str | None, retry_after_s: float | None) -> SendError:
    if name is not None and status < 500:
        return Refused(_UNKNOWN, provider_code=name)
    make: Callable[..., SendError]
    match status:
        case 401 | 403:
            make = CredentialsRefused
        case 408:
            make = Unavailable
        case _ if status >= 500:
            make = Unavailable
        case _ if status >= 300:
            make = Refused
        case _:
            return NoAnswer(f"status {status} with an unreadable body")
    certain = status not in NOT_SURELY_REFUSED
    return make(f"status {status}", provider_code=name, retry_after_s=retry_after_s, certain=certain)


def _retry_after(reply: Reply) -> float | None:
    """Seconds; the form with a date is not used here."""
    given = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "")
    try:
        seconds = float(given)
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds >= 0 else None
