"""One event of the Events API to its envelope. Socket Mode and `conversations.history` bring the same ones.

Rule: our own messages come back as receipts; those that carry our key in their metadata complete the send itself.
Rule: other bots are stored and never answered, and so is talk in channels that is not addressed to us.
Rule: an edit is one whose text or files changed, or what is said in them: previews of links and counts of threads
arrive in the same form.
See https://docs.slack.dev/reference/events
"""

from typing import Any

from msgspec import Raw

from adapters.slack import wire
from adapters.slack.delivery import Delivery
from adapters.slack.mrkdwn import emoji_of, mentions
from adapters.slack.parts import file_ids, is_passed_on, parts_of, text_of, transcripts
from adapters.slack.people import SLACKBOT, address, is_direct, message_id, party, team_of, writer
from normalizer.envelope import (
    AddressChange,
    AddressClaim,
    Edit,
    Envelope,
    Evidence,
    Failure,
    Message,
    Reaction,
    Receipt,
    Revoke,
    Status,
)
from normalizer.ids import ExternalId

ECHO_EVENT = "throughline_message"
"""`event_type` of the metadata that our messages carry."""
FILE = "file:"
"""Begins the id of a message of ours that is a file: its ts is not known when the upload is done."""
_CONTENT = frozenset({None, "", "file_share", "thread_broadcast", "me_message", "bot_message"})
_SERVICE = frozenset(
    {
        "assistant_app_thread", "bot_add", "bot_remove", "channel_archive", "channel_canvas_updated",
        "channel_convert_to_private", "channel_join", "channel_leave", "channel_name", "channel_posting_permissions",
        "channel_purpose", "channel_topic", "channel_unarchive", "document_mention", "ekm_access_denied",
        "file_comment", "file_mention", "group_archive", "group_join", "group_leave", "group_name", "group_purpose",
        "group_topic", "group_unarchive", "huddle_thread", "joiner_notification", "message_replied", "pinned_item",
        "reminder_add", "reply_broadcast", "sh_room_created", "tombstone", "unpinned_item",
    }
)  # fmt: skip
"""Subtypes that are no words of anybody."""
_ENDED = {
    "app_uninstalled": "the app was removed from the workspace",
    "tokens_revoked": "tokens of the app were revoked",
    "team_access_revoked": "the workspace was taken out of the installation",
}


def event_envelope(delivery: Delivery) -> Envelope:
    event, _ = wire.read_event(delivery.slice)
    if event is None or not event.type:
        return delivery.notice("malformed:event")
    return _Event(delivery, event).envelope()


class _Event:
    def __init__(self, delivery: Delivery, event: wire.Event) -> None:
        self._delivery = delivery
        self._event = event

    def envelope(self) -> Envelope:
        event, delivery = self._event, self._delivery
        match event.type:
            case "message" | "app_mention":
                return self._message()
            case "reaction_added" | "reaction_removed":
                return self._reaction()
            case "message_metadata_posted":
                return self._metadata()
            case "channel_id_changed":
                return self._channel_id()
            case "app_uninstalled" | "tokens_revoked" | "team_access_revoked":
                failures = [Failure("credentials_refused", _ENDED[event.type])] if self._is_about_us() else []
                return delivery.notice(event.type, *failures, at=event.event_ts)
            case _:
                return delivery.notice(event.type or "", at=event.event_ts)

    # --- messages -------------------------------------------------------------------------------------------------

    def _message(self) -> Envelope:
        event = self._event
        match event.subtype:
            case "message_changed":
                return self._changed()
            case "message_deleted":
                return self._deleted()
            case subtype if subtype in _CONTENT:
                return self._said()
            case subtype if subtype in _SERVICE:
                return self._delivery.notice(f"message:{subtype}", at=event.ts)
            case subtype:
                return self._delivery.unsupported(f"message:{subtype}", at=event.ts, **self._spoken(event))

    def _said(self) -> Envelope:
        event, delivery = self._event, self._delivery
        id = message_id(event.channel, event.ts)
        if id is not None and self._is_ours(event):
            return self._echo(id)
        key = f"message:{id}" if id else None
        facts: dict[str, Any] = {"key": key, "at": event.ts, "external_id": id, **self._spoken(event)}
        parts = parts_of(event, delivery.our_user)
        if not parts or id is None:
            return delivery.unsupported("message:empty" if id else "malformed:message", **facts)
        return delivery.envelope(Message(parts=parts, forwarded=is_passed_on(event)), **facts)

    def _echo(self, id: ExternalId) -> Envelope:
        event = self._event
        files = [file for file in file_ids(event.files) if file]
        key = echo_key(event.metadata)
        target = ExternalId(FILE + files[0]) if files and key is None else id
        body = Receipt(status=Status.SENT, target=target)
        return self._delivery.envelope(body, key=f"sent:{id}", at=event.ts, echo_key=key)

    def _metadata(self) -> Envelope:
        """The same once more, without the text; only apps that ask for it get it."""
        event, delivery = self._event, self._delivery
        id, key = message_id(event.channel_id, event.message_ts), echo_key(event.metadata)
        if id is None or key is None or not self._is_ours(event):
            return delivery.notice("message_metadata_posted", at=event.event_ts)
        body = Receipt(status=Status.SENT, target=id)
        return delivery.envelope(body, key=f"sent:{id}:metadata", at=event.message_ts, echo_key=key)

    def _changed(self) -> Envelope:
        event, delivery = self._event, self._delivery
        message, _ = wire.read_event(event.message)
        before, _ = wire.read_event(event.previous_message)
        target = message_id(event.channel, message.ts if message else None)
        if message is None or target is None:
            return delivery.notice("malformed:message_changed", at=event.ts)
        if message.subtype == "tombstone":  # deleted, but the answers below it stay
            return self._revoked(target, before or message)
        if self._is_ours(message):
            return delivery.notice("own:message_changed", at=event.ts)
        edited = wire.read_edited(message.edited)[0]
        parts = parts_of(message, delivery.our_user)
        if not parts or (_same(message, before) if before else edited is None):
            return delivery.notice("message:unchanged", at=event.ts)
        at = (edited and edited.ts) or event.ts
        return delivery.envelope(Edit(target, parts), key=f"edit:{target}:{at}", at=at, **self._spoken(message))

    def _deleted(self) -> Envelope:
        event = self._event
        before, _ = wire.read_event(event.previous_message)
        target = message_id(event.channel, event.deleted_ts or (before.ts if before else None))
        if target is None:
            return self._delivery.notice("malformed:message_deleted", at=event.ts)
        return self._revoked(target, before or wire.Event())

    def _revoked(self, target: ExternalId, before: wire.Event) -> Envelope:
        spoken = {"author": "business", "observed": True} if self._is_ours(before) else self._spoken(before)
        key = f"delete:{target}"
        return self._delivery.envelope(Revoke(target), key=key, at=self._event.event_ts or self._event.ts, **spoken)

    # --- who, where, to whom --------------------------------------------------------------------------------------

    def _spoken(self, said: wire.Event) -> dict[str, Any]:
        """`said`: the message itself, which in an edit lies inside of the event."""
        delivery, channel = self._delivery, self._event.channel or ""
        direct = is_direct(channel, self._event.channel_type)
        team = team_of(said, delivery.outer.team_id, delivery.account)
        bot = bool(said.bot_id) or said.subtype == "bot_message" or said.user == SLACKBOT
        colleague = delivery.house.colleagues and team == delivery.account and not direct and not bot
        return {
            "party": writer(said, team),
            "group": None if direct else delivery.group(channel),
            "native_thread": said.thread_ts or (None if direct else said.ts),
            "observed": bot or colleague or not (direct or self._is_addressed(said)),
            "automated": bot,
            "author": "business" if colleague else "customer",
        }

    def _is_addressed(self, said: wire.Event) -> bool:
        """In a channel: to all that is said there, or to us by name, or below a message of ours."""
        our_user, answer = self._delivery.our_user, self._delivery.house.answer
        if answer == "all" or self._event.type == "app_mention":
            return True
        in_thread = said.thread_ts is not None and said.thread_ts != said.ts
        if our_user is None:
            return answer == "threads" and in_thread
        ours = mentions(text_of(said), our_user) or said.parent_user_id == our_user
        return ours or (answer == "threads" and in_thread)

    def _is_ours(self, said: wire.Event) -> bool:
        """Messages of bots may name the app, the bot or its user."""
        delivery = self._delivery
        if said.user and said.user == delivery.our_user:
            return True
        bot = wire.read_bot_profile(said.bot_profile)[0] or wire.BotProfile()
        app = delivery.outer.api_app_id
        return bool(app and said.bot_id and app in (said.app_id, bot.app_id))

    # --- the others -----------------------------------------------------------------------------------------------

    def _is_about_us(self) -> bool:
        """Tokens of people end without us, and so may one workspace of an organization that has others."""
        event, delivery = self._event, self._delivery
        if event.type == "team_access_revoked" and event.team_ids:
            return delivery.house.team in event.team_ids
        tokens, _ = wire.read_revoked(event.tokens)
        if tokens is None or tokens.bot is None:
            return True
        return bool(tokens.bot) and (delivery.our_user is None or delivery.our_user in tokens.bot)

    def _reaction(self) -> Envelope:
        event, delivery = self._event, self._delivery
        item = wire.read_item(event.item)[0] or wire.Item()
        target = message_id(item.channel, item.ts)
        if item.type != "message" or target is None or not event.reaction or not item.channel:
            return delivery.notice(f"{event.type}:{item.type or ''}", at=event.event_ts)
        if event.user == delivery.our_user:
            return delivery.notice(f"own:{event.type}", at=event.event_ts)
        emoji = emoji_of(event.reaction) if event.type == "reaction_added" else None
        return delivery.envelope(
            Reaction(target, emoji),
            key=f"{event.type}:{target}:{event.user}:{event.reaction}:{event.event_ts}",
            at=event.event_ts,
            party=party(team_of(event, delivery.outer.team_id, delivery.account), event.user),
            group=None if is_direct(item.channel) else delivery.group(item.channel),
        )

    def _channel_id(self) -> Envelope:
        event, delivery = self._event, self._delivery
        old, new = (address(delivery.account, id) for id in (event.old_channel_id, event.new_channel_id))
        if old is None or new is None:
            return delivery.notice("malformed:channel_id_changed", at=event.event_ts)
        claims = (AddressClaim(new, Evidence.CHANNEL),)
        body = AddressChange(old=(old,), new=claims, reason="channel_id_changed")
        return delivery.envelope(body, key=f"channel_id:{old.value}:{new.value}", at=event.event_ts)


def _same(message: wire.Event, before: wire.Event) -> bool:
    if text_of(message) != text_of(before):
        return False
    return all(of(message.files) == of(before.files) for of in (file_ids, transcripts))


def echo_key(slice_: Raw) -> str | None:
    found, _ = wire.read_metadata(slice_)
    if found is None or found.event_type != ECHO_EVENT or found.event_payload is None:
        return None
    return found.event_payload.echo_key or None
