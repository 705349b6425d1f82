"""A workspace where customers chat with us: direct messages and a channel that companies share.

Rule: it is made anew from what the simulator holds; only what was chosen and what was taken is remembered here.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from adapters.base import Reply, Request
from adapters.slack.simulator import Workspace
from adapters.slack.simulator_world import Fault, Room, Said, StoredFile
from adapters.slack.simulator_world import Person as User
from gateway.core import Core
from gateway.sandbox.news import News
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import (
    MOST_FAULTS,
    Card,
    Choice,
    Id,
    Knob,
    Posting,
    Stored,
    Upload,
    Words,
    file_path,
    hook,
    ids_of,
)
from gateway.sandbox.rooms import RoomsScreen, RoomView
from gateway.sandbox.screen import Choice as Tap
from gateway.sandbox.screen import Content, File, Line
from gateway.settings import Endpoint

TEAM, CUSTOMERS = "T024BE7LD", "T0HOMEDE1"
SHARED = "C0LARKRIDGE"
APP_NAME = "throughline"
EMOJI = {"👍": "+1", "❤️": "heart", "😂": "joy", "😮": "open_mouth", "😢": "cry", "🙏": "pray", "🎉": "tada"}
GIVEN = {name: emoji for emoji, name in EMOJI.items()} | {"thumbsup": "👍"}
DIRECT = "direct"
"""The name of a person's own conversation with the app."""


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    duplicates: bool = False
    reorder: bool = False
    expired_media: bool = False
    removed: bool = False
    faults: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()


class SayText(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="text"):
    text: Words
    room: Id = DIRECT
    thread: Id | None = None


class Press(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="choice"):
    message: Id
    id: Id
    room: Id = DIRECT


class React(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="reaction"):
    message: Id
    emoji: Annotated[str, Meta(max_length=40)] | None = None
    room: Id = DIRECT


class Revise(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="edit"):
    message: Id
    text: Words
    room: Id = DIRECT


class TakeBack(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="revoke"):
    message: Id
    room: Id = DIRECT


Do = SayText | Press | React | Revise | TakeBack


class Memory(Struct, frozen=True):
    said: list[Said]
    files: dict[str, StoredFile]
    chosen: list[tuple[str, str, str]]
    """Room, message, choice."""


class Chat(Posting[Workspace]):
    patience_s = 3.0
    paths = ("/files-pri/{rest:.*}", "/upload/{rest:.*}")
    Action: ClassVar[Any] = Do
    Memory: ClassVar[Any] = Memory

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        super().__init__(core, endpoint, news)
        settings: Any = endpoint.settings
        self.simulator = Workspace(
            signing_secret=settings.signing_secrets[0], bot_token=settings.bot_token, app_token="",
            webhook_url=hook(core, endpoint), ids=ids_of(core), api_url=settings.api_url, team=settings.team_id,
        )  # fmt: skip
        self.shared = self.simulator.room(SHARED, is_shared=True)
        self._chosen: dict[tuple[str, str], str] = {}
        self._expired = False

    @property
    def card(self) -> Card:
        return Card(id=self.id, face="chat", title="Slack", address=f"@{APP_NAME}", channels=self.channels,
                    hint="A workspace with our app in it: write to it, or mention it in the shared channel.",
                    tries=("How long do I have to return something?", "Can I talk to a person?"),
                    can=("files", "react", "edit"), faults=FAULTS, knobs=KNOBS)  # fmt: skip

    def meet(self, person: Person) -> None:
        self._user(person)

    def _user(self, person: Person) -> User:
        people = self.simulator.world.people
        user = people.setdefault(person.user, User(person.user, person.name, CUSTOMERS, person.email.partition("@")[0]))
        user.name = person.name
        self.simulator.direct(user).is_shared = True
        return user

    def _room(self, person: Person, name: str) -> Room:
        if name == DIRECT:
            return self.simulator.direct(self._user(person))
        if name != SHARED:
            raise Refused(404, "unknown_room", f"there is {DIRECT} and {SHARED}")
        return self.shared

    # --- what people do -------------------------------------------------------------------------------------------

    def act(self, person: Person, action: Do) -> str:
        now, user, room = self.core.clock.now(), self._user(person), self._room(person, action.room)
        done = self._do(user, room, action, now)
        self.news.changed()
        return done

    def _do(self, user: User, room: Room, action: Do, now: datetime) -> str:
        simulator = self.simulator
        match action:
            case SayText(text=text, thread=thread):
                root = self._said(room, thread).ts if thread else None
                return simulator.say(user, self._written(text), now, room=room, thread=root)
            case Press(message=ts, id=value):
                try:
                    simulator.press(user, room, self._said(room, ts).ts, value, now)
                except KeyError:
                    raise Refused(400, "unknown_choice", "this message does not offer it") from None
                self._chosen[room.id, ts] = value
            case React(message=ts, emoji=emoji):
                self._react(user, room, self._said(room, ts), emoji, now)
            case Revise(message=ts, text=text):
                simulator.edit(room, self._own(user, room, ts).ts, self._written(text), now)
            case TakeBack(message=ts):
                simulator.delete(room, self._own(user, room, ts).ts, now)
        return str(getattr(action, "message", ""))

    def _react(self, user: User, room: Room, said: Said, emoji: str | None, now: datetime) -> None:
        wanted = EMOJI.get(emoji or "")
        if emoji and wanted is None:
            raise Refused(400, "unknown_emoji", f"one of {' '.join(EMOJI)}")
        for name, users in list(said.reactions.items()):
            if user.id in users:
                self.simulator.react(user, room, said.ts, name, now, takes_back=True)
        if wanted:
            self.simulator.react(user, room, said.ts, wanted, now)

    def _said(self, room: Room, ts: str) -> Said:
        found = self.simulator.world.said.get((room.id, ts))
        if found is None:
            raise Refused(404, "unknown_message", "nobody sees such a message there")
        return found

    def _own(self, user: User, room: Room, ts: str) -> Said:
        said = self._said(room, ts)
        if said.user != user.id:
            raise Refused(403, "not_yours", "somebody else wrote it")
        return said

    def _written(self, text: str) -> str:
        """As a client sends it: three characters are escaped, and the app's name becomes a mention."""
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return escaped.replace(f"@{APP_NAME}", f"<@{self.simulator.world.bot_user}>")

    def upload(self, person: Person, file: Upload) -> str:
        room, user, name = self._room(person, file.room or DIRECT), self._user(person), file.name or "file"
        stored = StoredFile("F" + self.core.ids.uuid(), name, file.mime, file.data, is_gone=self._expired)
        ts = self.simulator.say(user, self._written(file.text or ""), self.core.clock.now(), room=room, files=[stored])
        self.news.changed()
        return ts

    def file(self, id: str) -> Stored | None:
        found = self.simulator.world.files.get(id)
        return Stored(found.mime, found.data) if found is not None else None

    # --- what they see --------------------------------------------------------------------------------------------

    def screen(self, person: Person) -> RoomsScreen:
        user = self._user(person)
        direct = self.simulator.direct(user)
        rooms = (
            RoomView(id=DIRECT, title=APP_NAME, hint="Between this person and the app.",
                     messages=self._lines(user, direct), legs=(f"slack:{CUSTOMERS}/{user.id}",)),
            RoomView(id=SHARED, title="#larkridge-help", prefix=f"@{APP_NAME} ",
                     hint=f"Everybody sees it. It answers in a thread, and only when it is mentioned: @{APP_NAME}.",
                     messages=self._lines(user, self.shared), threads=True,
                     legs=(f"slack:{self.simulator.world.team}/{SHARED}",)),
        )  # fmt: skip
        return RoomsScreen(version=self.news.version, rooms=rooms)

    def _lines(self, user: User, room: Room) -> tuple[Line, ...]:
        found = [said for said in self.simulator.world.said.values() if said.room is room]
        found.sort(key=lambda said: (said.thread_ts or said.ts, said.ts))
        return tuple(self._line(user, said) for said in found)

    def _line(self, user: User, said: Said) -> Line:
        people, mine = self.simulator.world.people, said.user == user.id
        own = next((GIVEN.get(name, name) for name, users in said.reactions.items() if user.id in users), None)
        other = next((GIVEN.get(name, name) for name, users in said.reactions.items() if set(users) - {user.id}), None)
        author = APP_NAME if said.by_app else people[said.user].name if said.user in people else "?"
        return Line(
            id=said.ts, mine=mine, at=_instant(said.ts), content=self._content(said), author=author,
            thread=said.thread_ts if said.thread_ts != said.ts else None, own_reaction=own, reaction=other,
            edited=said.edited is not None, chosen=self._chosen.get((said.room.id, said.ts)),
        )  # fmt: skip

    def _content(self, said: Said) -> Content:
        text, taps = self._shown(said.text), []
        for block in said.blocks:
            taps += [] if block["type"] != "actions" else [tap for one in block["elements"] for tap in _taps(one)]
        sections = [str(block["text"]["text"]) for block in said.blocks if block["type"] == "section"]
        shown = Content(kind="text", text=self._shown("\n".join(sections)) if sections else text, buttons=tuple(taps))
        if said.files:
            file = self.simulator.world.files[said.files[0]]
            shown.kind = "image" if file.mime.startswith("image/") else "document"
            shown.file = File(file_path(self.id, file.id), file.mime, file.name)
        return shown

    def _shown(self, text: str) -> str:
        names = {id: f"@{person.name}" for id, person in self.simulator.world.people.items()}
        names[self.simulator.world.bot_user] = f"@{APP_NAME}"
        text = re.sub(r"<@(\w+)>", lambda found: names.get(found[1], found[0]), text)
        text = re.sub(r"<(?:https?|mailto|tel):[^|>]*\|([^>]*)>", r"\1", text)
        text = re.sub(r"<((?:https?|mailto|tel):[^|>]*)>", r"\1", text)
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

    # --- from one run to the next ---------------------------------------------------------------------------------

    def remember(self) -> Memory:
        said = [replace(one, room=Room(one.room.id)) for one in self.simulator.world.said.values()]
        chosen = [(room, ts, value) for (room, ts), value in self._chosen.items()]
        return Memory(said, self.simulator.world.files, chosen)

    def recall(self, memory: Memory) -> None:
        world = self.simulator.world
        world.files |= memory.files
        for said in memory.said:
            if (room := world.rooms.get(said.room.id)) is not None:
                said.room = room
                world.said[room.id, said.ts] = said
        self._chosen = {(room, ts): value for room, ts, value in memory.chosen}

    # --- the provider ---------------------------------------------------------------------------------------------

    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        self.simulator.delivered(request, reply.status if reply is not None else 0, now)

    @property
    def switches(self) -> Switches:
        line = self.simulator.line
        world = self.simulator.world
        return Switches(duplicates=line.duplicates, reorder=line.reorder, expired_media=self._expired,
                        removed=not world.is_installed, faults=tuple(world.faults))  # fmt: skip

    def switch(self, wanted: Switches) -> None:
        line = self.simulator.line
        line.duplicates, line.reorder, self._expired = wanted.duplicates, wanted.reorder, wanted.expired_media
        self.simulator.world.faults[:] = wanted.faults
        if wanted.removed and self.simulator.world.is_installed:
            self.simulator.uninstall(self.core.clock.now())
        self.simulator.world.is_installed = not wanted.removed
        self.news.changed()


def _instant(ts: str) -> datetime:
    seconds, _, micros = ts.partition(".")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(micros or 0))


def _taps(element: dict[str, Any]) -> list[Tap]:
    if element["type"] == "button":
        return [Tap(element["value"], element["text"]["text"])] if "value" in element else []
    groups = element.get("option_groups", [element])
    return [Tap(one["value"], one["text"]["text"]) for group in groups for one in group.get("options", ())]


FAULTS = (
    Choice("429", "429 slow down", "Too many requests; it says to wait 2 s"),
    Choice("503", "503 error", "The provider has trouble"),
    Choice("slow", "Timeout", "The answer comes after 30 s, the message was posted"),
    Choice("lost", "Lost answer", "The message is posted, the connection breaks"),
    Choice("internal_error", "ok: false", "A 200 that says internal_error"),
    Choice("invalid_auth", "Token refused", "A 200 that says invalid_auth"),
    Choice("html", "502 page", "A proxy answers with HTML"),
    Choice("empty", "Empty 200", "An answer that says nothing"),
)
KNOBS = (
    Knob(id="duplicates", label="Every event twice", text="Each event must have its effect once."),
    Knob(id="reorder", label="Newest first", text="Events that wait together are told backwards."),
    Knob(id="expired_media", label="Files are gone", text="A file is deleted before it is fetched: the message stays."),
    Knob(id="removed", label="App removed", text="An alarm at once; once it is back, answers go within two minutes."),
)
