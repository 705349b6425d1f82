"""What the simulated workspace knows: people, conversations, messages, files, and what the app may do."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct, field

from adapters.base import Reply

Fault = Literal["429", "503", "html", "empty", "invalid_auth", "internal_error", "lost", "slow"]
Kind = Literal["channel", "group", "im", "mpim"]
ALL_SCOPES = frozenset(
    {"chat:write", "im:history", "im:write", "users:read", "files:read", "files:write", "channels:history"}
)


class Person(Struct, eq=False):
    """`team`: of another company when it is not the workspace's own."""

    id: str
    name: str
    team: str
    username: str = ""


class Room(Struct, eq=False):
    id: str
    kind: Kind = "channel"
    person: Person | None = None
    """Of a direct message: the one who is not the app."""
    has_app: bool = True
    is_archived: bool = False
    is_shared: bool = False
    """With other companies."""
    paid: datetime | None = None
    """When the app has paid back every message that it sent ahead of one a second."""


class Said(Struct, eq=False):
    """A message, as everybody in the conversation sees it."""

    room: Room
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    by_app: bool = False
    blocks: list[dict[str, Any]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    edited: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


class StoredFile(Struct, eq=False):
    id: str
    name: str
    mime: str
    data: bytes = b""
    asks_first: bool = False
    """Of another company: the event does not tell its data (`check_file_info`)."""
    is_gone: bool = False
    redirect: str | None = None
    """Where its URL leads instead."""
    shares: dict[str, str] = field(default_factory=dict)
    """Where it was posted: the ts, by conversation."""


class Ticket(Struct):
    """A promised upload."""

    name: str
    length: int
    data: bytes | None = None


class World(Struct):
    bot_token: str
    app_token: str
    api_url: str
    ids: Iterator[str]
    team: str = "T024BE7LD"
    app_id: str = "A0F7YS351"
    bot_user: str = "U0F7YS401"
    bot_id: str = "B0F7YS402"
    people: dict[str, Person] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    said: dict[tuple[str, str], Said] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    scopes: frozenset[str] = ALL_SCOPES
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next calls, instead of an answer. `lost`: it is done, and the answer does not come."""
    burst: int = 3
    """Messages to one conversation beyond one a second."""
    page: int = 200
    """Most messages of one answer of the history methods."""
    is_installed: bool = True
    socket_mode: bool = False

    def direct(self, person: Person) -> Room:
        """The direct message with this person, made when it is first needed."""
        self.people.setdefault(person.id, person)
        for room in self.rooms.values():
            if room.kind == "im" and room.person is person:
                return room
        room = Room("D" + person.id[1:], "im", person)
        self.rooms[room.id] = room
        return room

    def ts(self, room: Room, now: datetime) -> str:
        """Unique in its conversation, and never before the one before it."""
        micros = int(now.timestamp()) * 1_000_000 + now.microsecond
        while (room.id, text := f"{micros // 1_000_000}.{micros % 1_000_000:06}") in self.said:
            micros += 1
        return text

    def file_url(self, id: str) -> str:
        parts = urlsplit(self.api_url)
        return f"{parts.scheme}://{parts.netloc}/files-pri/{self.team}-{id}/download"

    def described(self, id: str, *, whole: bool = False) -> dict[str, Any]:
        """A file as events (and `whole`: files.info) describe it."""
        file = self.files[id]
        if file.is_gone:
            return {"id": id, "mode": "tombstone"}
        if file.asks_first and not whole:
            return {"id": id, "mode": "file_access", "file_access": "check_file_info"}
        url = self.file_url(id)
        described: dict[str, Any] = {"id": id, "name": file.name, "title": file.name, "mimetype": file.mime}
        described |= {"size": len(file.data), "mode": "hosted", "file_access": "visible"}
        described |= {"url_private": url, "url_private_download": url}
        if whole:
            described["shares"] = {"private": {room: [{"ts": ts}] for room, ts in file.shares.items()}}
        return described

    def message(self, said: Said) -> dict[str, Any]:
        """As `conversations.history` and edits show it."""
        shown: dict[str, Any] = {"type": "message", "user": said.user, "text": said.text, "ts": said.ts}
        shown |= said.more
        if said.by_app:
            profile = {"id": self.bot_id, "app_id": self.app_id, "name": "throughline", "team_id": self.team}
            shown |= {"bot_id": self.bot_id, "app_id": self.app_id, "team": self.team, "bot_profile": profile}
        elif person := self.people.get(said.user):
            shown["team"] = person.team
            if said.room.is_shared and person.team != self.team:
                shown |= {"user_team": person.team, "source_team": person.team}
                shown["user_profile"] = {"real_name": person.name, "name": person.username, "team": person.team}
        optional: Mapping[str, Any] = {
            "thread_ts": said.thread_ts,
            "blocks": said.blocks,
            "metadata": said.metadata,
            "files": [self.described(id) for id in said.files],
            "edited": {"user": said.user, "ts": said.edited} if said.edited else None,
        }
        return shown | {key: value for key, value in optional.items() if value}


class Refusal(Exception):
    """`ok: false`."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.reply = answered(ok=False, error=error, **more)


def answered(*, ok: bool = True, **fields: Any) -> Reply:
    headers = {"content-type": "application/json; charset=utf-8"}
    return Reply(200, headers, json.dumps({"ok": ok, **fields}).encode())
