"""Buttons, menus, forms and slash commands to envelopes.

Rule: what our own buttons say is the id of the choice; those of others are named by their value, else by their action.
Rule: a slash command, a form and a shortcut are between one person and us, wherever he is: he alone is answered.
See https://docs.slack.dev/reference/interaction-payloads
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Raw

from adapters.base import RawInbound
from adapters.slack import wire
from adapters.slack.delivery import Delivery, House, account_of
from adapters.slack.mrkdwn import decode
from adapters.slack.parts import parts_of
from adapters.slack.people import is_direct, message_id, party
from normalizer.envelope import ChoiceMade, Envelope, Message, Party, ReplyTo, Text

TYPES = frozenset(
    {
        "block_actions", "block_suggestion", "dialog_submission", "interactive_message", "message_action", "shortcut",
        "view_closed", "view_submission", "workflow_step_edit",
    }
)  # fmt: skip
OPEN_LINK = "open_link"
"""`action_id` of a button that opens a page: Slack tells of the click, which is no answer."""


def interaction_envelopes(raw: RawInbound, house: House, slice_: Raw, outer: wire.Outer) -> list[Envelope]:
    interaction, _ = wire.read_interaction(slice_)
    interaction = interaction or wire.Interaction()
    view = wire.read_view(interaction.view)[0] or wire.View()
    # With Slack Connect `team` is the other side's; the view tells whose installation it is.
    whole = wire.read_named(interaction.enterprise)[0] if interaction.is_enterprise_install else None
    team = wire.read_named(interaction.team)[0] or wire.Named()
    account = account_of(house, view.app_installed_team_id, whole.id if whole else None, team=team.id)
    delivery = Delivery(raw, house, slice_, outer, account)
    return _Interaction(delivery, interaction, view).envelopes()


def command_envelope(raw: RawInbound, house: House, slice_: Raw, outer: wire.Outer) -> Envelope:
    command = wire.read_command(slice_)[0] or wire.Command()
    delivery = Delivery(raw, house, slice_, outer, account_of(house, team=command.team_id))
    words = " ".join(filter(None, (command.command, decode(command.text or "", house.bot_user)))).strip()
    who = party(command.team_id or delivery.account, command.user_id, username=command.user_name)
    key = f"command:{command.trigger_id}" if command.trigger_id else None
    if not words or not who.claims:
        return delivery.unsupported("malformed:command", key=key, party=who)
    return delivery.envelope(Message(parts=(Text(words),)), key=key, party=who)


class _Interaction:
    def __init__(self, delivery: Delivery, interaction: wire.Interaction, view: wire.View) -> None:
        self._delivery = delivery
        self._told = interaction
        self._view = view
        self._container = wire.read_container(interaction.container)[0] or wire.Container()

    def envelopes(self) -> list[Envelope]:
        match self._told.type:
            case "block_actions":
                found = [self._action(slice_) for slice_ in self._told.actions or ()]
                return found or [self._delivery.notice("malformed:block_actions")]
            case "view_submission":
                return [self._form()]
            case "shortcut" | "message_action" if self._told.callback_id and self._person().claims:
                return [self._shortcut(self._told.callback_id)]
            case other:
                what = ":".join(filter(None, (other, self._told.callback_id)))
                return [self._delivery.notice(what[:200], party=self._person())]

    def _action(self, slice_: Raw) -> Envelope:
        action, _ = wire.read_action(slice_)
        choice = choice_of(action) if action else None
        if action is None or choice is None:
            return self._delivery.unsupported("malformed:block_action", party=self._person())
        place = self._container.message_ts or self._container.view_id or self._view.id
        who = self._person()
        facts: dict[str, Any] = {"at": action.action_ts, "party": who, **self._place()}
        if place and action.action_ts and who.address:
            facts["key"] = f"action:{place}:{action.action_ts}:{who.address.value}:{action.action_id}"
        if action.action_id == OPEN_LINK:
            return self._delivery.notice(f"block_actions:{OPEN_LINK}", **facts)
        asked = message_id(self._channel(), self._container.message_ts)
        body = Message(parts=(choice,), reply_to=ReplyTo(asked) if asked else None)
        return self._delivery.envelope(body, **facts)

    def _form(self) -> Envelope:
        view = self._view
        name = view.callback_id or view.id
        if not name:
            return self._delivery.unsupported("malformed:view_submission", party=self._person())
        title = (view.title and view.title.text) or name
        values = view.state and bytes(view.state.values)
        form = values.decode() if values and values != b"null" else None
        key = f"view:{view.id}:{view.hash}" if view.id and view.hash else None
        body = Message(parts=(ChoiceMade(name, title, form=form),))
        return self._delivery.envelope(body, key=key, party=self._person())

    def _shortcut(self, name: str) -> Envelope:
        """Chosen from a menu of Slack's own; below a message, that message is passed on with it."""
        told, _ = wire.read_event(self._told.message)
        passed_on = parts_of(told, self._delivery.our_user) if told else ()
        asked = message_id(self._channel(), told.ts) if told else None
        reply_to = ReplyTo(asked) if asked else None
        body = Message(parts=(ChoiceMade(name, name), *passed_on), reply_to=reply_to, forwarded=bool(passed_on))
        key = f"shortcut:{self._told.trigger_id}" if self._told.trigger_id else None
        return self._delivery.envelope(body, key=key, at=self._told.action_ts, party=self._person())

    def _person(self) -> Party:
        user = wire.read_person(self._told.user)[0] or wire.Person()
        team = wire.read_named(self._told.team)[0] or wire.Named()
        return party(user.team_id or team.id or self._delivery.account, user.id, username=user.username or user.name)

    def _channel(self) -> str | None:
        channel = wire.read_named(self._told.channel)[0] or wire.Named()
        return self._container.channel_id or channel.id

    def _place(self) -> dict[str, Any]:
        channel = self._channel()
        if not channel:
            return {}
        shown = wire.read_shown(self._told.message)[0] or wire.Shown()
        thread = self._container.thread_ts or shown.thread_ts
        if is_direct(channel):
            return {"native_thread": thread}
        return {"native_thread": thread or self._container.message_ts, "group": self._delivery.group(channel)}


# --- what was chosen ----------------------------------------------------------------------------------------------


def choice_of(action: wire.Action) -> ChoiceMade | None:
    if action.selected_option:
        return _of_option(action.selected_option, action.action_id)
    if action.selected_options is not None:
        return _of_options(action.selected_options, action.action_id)
    for ids in (action.selected_users, action.selected_channels, action.selected_conversations):
        if ids is not None:
            return _of_options([wire.Option(value=id) for id in ids], action.action_id)
    if picked := _picked(action):
        return ChoiceMade(action.action_id or picked, picked)
    name = action.value or action.action_id
    return ChoiceMade(name, _text(action.text) or name) if name else None


def _of_option(option: wire.Option, action_id: str | None) -> ChoiceMade | None:
    name = option.value or action_id
    return ChoiceMade(name, _text(option.text) or name, _text(option.description)) if name else None


def _of_options(options: Sequence[wire.Option], action_id: str | None) -> ChoiceMade | None:
    values = [option.value for option in options if option.value]
    titles = [_text(option.text) or option.value or "" for option in options]
    name = action_id or ",".join(values)
    form = msgspec.json.encode({name: values}).decode()
    return ChoiceMade(name, ", ".join(filter(None, titles)), form=form) if name else None


def _picked(action: wire.Action) -> str | None:
    """A day, a time, a person or a channel."""
    date_time = action.selected_date_time
    where = (action.selected_user, action.selected_channel, action.selected_conversation)
    when = (action.selected_date, action.selected_time, str(date_time) if date_time else None)
    return next(filter(None, chain(where, when)), None)


def _text(label: wire.Label | None) -> str | None:
    return (label.text or None) if label else None
