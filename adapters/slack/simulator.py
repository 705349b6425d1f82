"""Slack seen from the other side: people in channels and direct messages, the Web API, events. Pure and stateful.

It keeps what it was sent, answers as the Web API does, and refuses what that refuses: a wrong token, a channel that the
app is not in, blocks beyond their limits, more than one message a second. `parse.py` and `events.py` are not used here.

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
Rule: what people and the app say is told to the app as well, as Slack does it: its own messages come back.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.base import Reply, Request
from adapters.slack import simulator_api
from adapters.slack.simulator_delivery import Line
from adapters.slack.simulator_world import Person, Room, Said, StoredFile, World


class Workspace:
    """`Provider` for one workspace with one app in it, and people of other companies (Slack Connect)."""

    def __init__(
        self,
        *,
        signing_secret: str,
        bot_token: str,
        app_token: str,
        webhook_url: str,
        ids: Iterator[str],
        api_url: str = "https://slack.com/api",
        **world: Any,
    ) -> None:
        self.world = World(bot_token=bot_token, app_token=app_token, api_url=api_url, ids=ids, **world)
        self.line = Line(
            signing_secret=signing_secret, webhook_url=webhook_url, app_id=self.world.app_id, ids=self.world.ids
        )
        self.echoes = True
        """The app's own messages come back as events."""
        self.with_metadata = True
        """These carry their metadata."""

    # --- Provider -------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        reply, told = simulator_api.answer(self.world, request, now, self.line.open_ticket)
        for what, said, before in told:
            self._tell_change(what, said, before, now)
        return reply

    def due(self, now: datetime) -> Sequence[Request]:
        """With Socket Mode nothing is POSTed."""
        return [] if self.world.socket_mode else self.line.due(now)

    def next_due(self) -> datetime | None:
        return self.line.next_due()

    def delivered(self, request: Request, status: int, now: datetime | None = None) -> None:
        """How the gateway answered; `now` None: in time."""
        self.line.delivered(request, status, now)

    @property
    def undelivered(self) -> int:
        return self.line.waiting

    # --- requests of their own ------------------------------------------------------------------------------------

    def url_verification(self, challenge: str, now: datetime) -> Request:
        """What the form for the request URL sends."""
        body = json.dumps({"token": "x", "challenge": challenge, "type": "url_verification"})
        return self.line.signed(body.encode(), "application/json", now)

    def ssl_check(self) -> Request:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Request(method="POST", url=self.line.webhook_url, headers=headers, body=b"ssl_check=1&token=x")

    # --- what people do -------------------------------------------------------------------------------------------

    def room(self, id: str, **facts: Any) -> Room:
        return self.world.rooms.setdefault(id, Room(id, **facts))

    def direct(self, person: Person) -> Room:
        return self.world.direct(person)

    def say(
        self,
        person: Person,
        text: str,
        now: datetime,
        *,
        room: Room | None = None,
        thread: str | None = None,
        files: Sequence[StoredFile] = (),
        **more: Any,
    ) -> str:
        """A message, by its ts. Below another one with `thread`; `more`: further fields (`subtype`, `attachments`)."""
        self.world.people.setdefault(person.id, person)
        room = room or self.direct(person)
        said = Said(room, self.world.ts(room, now), person.id, text, thread)
        for file in files:
            self.world.files[file.id] = file
            file.shares[room.id] = said.ts
        said.files, said.more = [file.id for file in files], {**({"subtype": "file_share"} if files else {}), **more}
        self._keep(said, now)
        return said.ts

    def bot_says(self, room: Room, text: str, now: datetime, *, classic: bool = False) -> str:
        """Another app. `classic`: one of the old kind, which has no user."""
        said = Said(room, self.world.ts(room, now), "" if classic else "U0OTHERBOT", text)
        said.more = {"bot_id": "B0OTHER", "username": "Deploys", **({"subtype": "bot_message"} if classic else {})}
        if not classic:
            said.more |= {"app_id": "A0OTHER", "bot_profile": {"id": "B0OTHER", "app_id": "A0OTHER", "name": "Deploys"}}
        self._keep(said, now)
        return said.ts

    def happen(self, room: Room, subtype: str, person: Person, now: datetime) -> None:
        """Somebody joins, leaves, sets a topic."""
        self.world.people.setdefault(person.id, person)
        text = f"<@{person.id}> has joined the channel"
        said = Said(room, self.world.ts(room, now), person.id, text, more={"subtype": subtype})
        self._keep(said, now)

    def edit(self, room: Room, ts: str, text: str, now: datetime) -> None:
        said = self.world.said[room.id, ts]
        before, said.text, said.edited = said.text, text, self.world.ts(room, now)
        self._tell_change("changed", said, before, now)

    def unfurl(self, room: Room, ts: str, now: datetime) -> None:
        """A link gets its preview: an edit that changes nothing."""
        said = self.world.said[room.id, ts]
        said.more["attachments"] = [{"from_url": "https://example.com", "title": "Example", "text": "A page"}]
        self._tell_change("changed", said, said.text, now)

    def delete(self, room: Room, ts: str, now: datetime) -> None:
        self._tell_change("deleted", self.world.said.pop((room.id, ts)), None, now)

    def react(self, person: Person, room: Room, ts: str, name: str, now: datetime, *, takes_back: bool = False) -> None:
        users = self.world.said[room.id, ts].reactions.setdefault(name, [])
        (users.remove if takes_back else users.append)(person.id)
        event: dict[str, Any] = {"type": "reaction_removed" if takes_back else "reaction_added", "user": person.id}
        event |= {
            "reaction": name,
            "item": {"type": "message", "channel": room.id, "ts": ts},
            "event_ts": self.world.ts(room, now),
        }
        self.tell(event, now, person.team)

    def press(self, person: Person, room: Room, ts: str, value: str, now: datetime, *, hidden: bool = False) -> None:
        """A choice of a message of the app's, by its value; `hidden`: the payload does not show the message."""
        said = self.world.said[room.id, ts]
        action = _pressed(said.blocks, value)
        container = {"type": "message", "message_ts": ts, "channel_id": room.id, "is_ephemeral": hidden}
        if said.thread_ts:
            container["thread_ts"] = said.thread_ts
        payload = {"type": "block_actions", **self._who(person), "container": container, "channel": {"id": room.id}}
        payload |= {"trigger_id": next(self.world.ids), "response_url": "https://hooks.slack.com/actions/x"}
        if not hidden:
            payload["message"] = self.world.message(said)
        self.line.tell("interactive", {**payload, "actions": [{**action, "action_ts": self.world.ts(room, now)}]}, now)

    def submit(self, person: Person, callback_id: str, values: Mapping[str, Any], now: datetime) -> None:
        """A form."""
        view: dict[str, Any] = {"id": "V" + next(self.world.ids), "type": "modal", "callback_id": callback_id}
        view["hash"] = "1.a"
        view |= {"title": {"type": "plain_text", "text": callback_id.title()}, "state": {"values": values}}
        view |= {"app_installed_team_id": self.world.team}
        payload = {"type": "view_submission", **self._who(person), "trigger_id": next(self.world.ids), "view": view}
        self.line.tell("interactive", payload, now)

    def command(self, person: Person, command: str, text: str, now: datetime, *, room: Room | None = None) -> None:
        room = room or self.direct(person)
        fields = {"token": "x", "team_id": person.team, "team_domain": "simulated", "channel_id": room.id}
        fields |= {"channel_name": "directmessage" if room.kind == "im" else "simulated", "user_id": person.id}
        fields |= {"user_name": person.username or person.name, "command": command, "text": text}
        fields |= {
            "api_app_id": self.world.app_id,
            "is_enterprise_install": "false",
            "trigger_id": next(self.world.ids),
        }
        fields |= {"response_url": "https://hooks.slack.com/commands/x"}
        self.line.tell("slash_commands", fields, now)

    # --- what becomes of the app ----------------------------------------------------------------------------------

    def limit_events(self, now: datetime) -> None:
        """More than 30,000 events in an hour."""
        told: dict[str, Any] = {"token": "x", "type": "app_rate_limited", "team_id": self.world.team}
        told |= {"minute_rate_limited": int(now.timestamp()) // 60 * 60, "api_app_id": self.world.app_id}
        self.line.tell("events_api", told, now)

    def uninstall(self, now: datetime) -> None:
        """The order of the two events is not fixed."""
        self.world.is_installed = False
        self.tell({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.world.bot_user]}}, now)
        self.tell({"type": "app_uninstalled"}, now)

    def convert(self, room: Room, new_id: str, now: datetime) -> None:
        """A channel gets another id, as when it becomes private or shared."""
        event = {"type": "channel_id_changed", "old_channel_id": room.id, "new_channel_id": new_id}
        del self.world.rooms[room.id]
        room.id = new_id
        self.world.rooms[new_id] = room
        self.tell({**event, "event_ts": self.world.ts(room, now)}, now)

    # --- telling --------------------------------------------------------------------------------------------------

    def tell(self, event: Mapping[str, Any], now: datetime, source_team: str | None = None) -> None:
        """An event. `source_team`: of the company that it came from, which the outermost `team_id` names."""
        world = self.world
        authorization = {"enterprise_id": None, "team_id": world.team, "user_id": world.bot_user, "is_bot": True}
        shared = source_team is not None and source_team != world.team
        told: dict[str, Any] = {"token": "x", "team_id": source_team or world.team, "context_team_id": world.team}
        told |= {"api_app_id": world.app_id, "event": dict(event), "type": "event_callback"}
        told |= {"event_id": "Ev" + next(world.ids), "event_time": int(now.timestamp())}
        told |= {"authorizations": [{**authorization, "is_enterprise_install": False}], "is_ext_shared_channel": shared}
        self.line.tell("events_api", told, now)

    def _keep(self, said: Said, now: datetime) -> None:
        self.world.said[said.room.id, said.ts] = said
        self._tell_change("said", said, None, now)

    def _tell_change(self, what: str, said: Said, before: str | None, now: datetime) -> None:
        room = said.room
        if not (room.has_app and self.world.is_installed) or (said.by_app and not self.echoes):
            return
        shown = self.world.message(said)
        if said.by_app and not self.with_metadata:
            shown.pop("metadata", None)
        place = {"channel": room.id, "channel_type": room.kind}
        person = self.world.people.get(said.user)
        team = person.team if person else None
        match what:
            case "said":
                self.tell({**shown, **place, "event_ts": said.ts}, now, team)
                self._tell_mention(said, shown, now, team)
            case "changed":
                event = {"type": "message", "subtype": "message_changed", "hidden": True, "message": shown, **place}
                event |= {"previous_message": {**shown, "text": before, "edited": None}}
                self.tell({**event, "ts": self.world.ts(room, now)}, now, team)
            case _:
                event = {"type": "message", "subtype": "message_deleted", "hidden": True, "deleted_ts": said.ts}
                event |= {"previous_message": shown, "ts": self.world.ts(room, now), **place}
                self.tell(event, now, team)

    def _tell_mention(self, said: Said, shown: Mapping[str, Any], now: datetime, team: str | None) -> None:
        """In channels a mention is told twice, under two event ids."""
        if said.by_app or said.room.kind == "im" or f"<@{self.world.bot_user}>" not in said.text:
            return
        self.tell({**shown, "type": "app_mention", "channel": said.room.id, "event_ts": said.ts}, now, team)

    def _who(self, person: Person) -> dict[str, Any]:
        self.world.people.setdefault(person.id, person)
        user = {"id": person.id, "username": person.username, "name": person.name, "team_id": person.team}
        return {"user": user, "team": {"id": person.team, "domain": "simulated"}, "api_app_id": self.world.app_id}


def _pressed(blocks: Sequence[Mapping[str, Any]], value: str) -> dict[str, Any]:
    """What the payload says of the button or the line of a menu with this value. Raises KeyError: there is none."""
    for block in blocks:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            named = {"type": element["type"], "action_id": element["action_id"], "block_id": block.get("block_id", "b")}
            if element["type"] == "button" and element.get("value") == value:
                return {**named, "text": element["text"], "value": value}
            groups = element.get("option_groups", [element])
            for option in (option for group in groups for option in group.get("options", ())):
                if option["value"] == value:
                    return {**named, "selected_option": option}
    raise KeyError(value)
