"""Every type of what Slack brings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adapters.slack.simulator_world import Person, Said, StoredFile
from normalizer.envelope import (
    AddressChange,
    ChoiceMade,
    Document,
    Edit,
    Image,
    Reaction,
    Revoke,
    Text,
)
from tests.chaos.channels.becomes import body, message, notice, observed
from tests.chaos.channels.line import Scene

if TYPE_CHECKING:
    from tests.chaos.channels.slack import OverHttp

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
QUIET_S = 2.5
"""An answer follows another one to the same conversation after a second."""
BUTTON = {
    "type": "button",
    "action_id": "choice",
    "value": "yes",
    "text": {"type": "plain_text", "text": "Yes, please"},
}


def scenes(line: OverHttp) -> Sequence[Scene]:
    return _Scenes(line).all()


class _Scenes:
    def __init__(self, line: OverHttp) -> None:
        self.line, self.slack = line, line.workspace
        self.ana = line.person(1)
        self.bo = self.slack.world.people.setdefault("U0FOREIGN", Person("U0FOREIGN", "Bo", "T0OTHER", "bo"))
        self.home, self.room = line.rooms["c1"], line.rooms[line.customers[-1]]
        self.room.is_shared = True
        self.last = ""
        """The ts of the last message."""

    def all(self) -> list[Scene]:
        app = f"<@{self.slack.world.bot_user}>"
        return [
            Scene("a direct message, once the URL is verified", self._begins, message(Text, "c1 says one")),
            Scene("a mention in a channel", lambda: self._mentions("two"), message(Text, "says two")),
            Scene("talk in a channel", lambda: self._says(self.ana, "to all", room=self.room), observed("to all")),
            Scene("an answer in a thread", self._answers, message(Text, "below it")),
            Scene("of another company", lambda: self._says(self.bo, f"{app} from far", room=self.room),
                  lambda one: message(Text, "from far")(one) and "T0OTHER" in str(one.party.address)),
            Scene("a command", lambda: self.slack.command(self.ana, "/help", "me", now()), message(Text, "/help me")),
            Scene("a picture", lambda: self._shares("F0PICTURE", "see", "image/png"), message(Image, "see")),
            Scene("a document", lambda: self._shares("F0PAPER", "read", "application/pdf"), message(Document, "read")),
            Scene("a file of another company", lambda: self._shares("F0FAR", "theirs", "image/png", asks_first=True),
                  message(Document, "theirs")),
            Scene("an edit", self._edits, body(Edit)),
            Scene("a preview of a link", self._unfurls, notice("message:unchanged")),
            Scene("a reaction", self._reacts, lambda one: isinstance(one.body, Reaction) and one.body.emoji == "👍"),
            Scene("a reaction taken back", lambda: self._reacts(takes_back=True),
                  lambda one: isinstance(one.body, Reaction) and one.body.emoji is None),
            Scene("a deletion", self._deletes, body(Revoke)),
            Scene("a button", lambda: self._presses("yes"), message(ChoiceMade, "yes")),
            Scene("a button of an unseen message", lambda: self._presses("no", hidden=True), message(ChoiceMade, "no")),
            Scene("a form", lambda: self.slack.submit(self.ana, "order", {"b": {"a": {"value": "3"}}}, now()),
                  message(ChoiceMade, "order")),
            Scene("another app", lambda: self._bot(classic=False), observed("deployed by an app")),
            Scene("an old bot", lambda: self._bot(classic=True), observed("deployed by a bot")),
            Scene("somebody joins", lambda: self.slack.happen(self.room, "channel_join", self.bo, now()),
                  notice("message:channel_join")),
            Scene("an unknown subtype", lambda: self.slack.happen(self.home, "danced", self.ana, now()),
                  notice("message:danced")),
            Scene("an unknown event", lambda: self.slack.tell({"type": "team_danced", "event_ts": "1.2"}, now()),
                  notice("team_danced")),
            Scene("too many events", lambda: self.slack.limit_events(now()), notice("app_rate_limited")),
            Scene("a channel's new id", self._converts, body(AddressChange)),
            Scene("tokens revoked and the app removed", self._uninstalls, notice("app_uninstalled")),
        ]  # fmt: skip

    # --- what happens -------------------------------------------------------------------------------------------------

    def _begins(self) -> None:
        """What Slack asks of a URL is answered, and becomes nothing."""
        if not self.line.over_sockets:
            self.line.posts += [self.slack.url_verification("are you there", now()), self.slack.ssl_check()]
        self.line.say("c1", "c1 says one")

    def _mentions(self, text: str) -> None:
        customer = self.line.customers[-1]
        self.line.say(customer, f"{customer} says {text}")

    def _says(self, person: Person, text: str, **more: Any) -> None:
        self.last = self.slack.say(person, text, now(), **more)

    def _answers(self) -> None:
        root = next(ts for room, ts in self.slack.world.said if room == self.room.id)
        self._says(self.ana, f"<@{self.slack.world.bot_user}> below it", room=self.room, thread=root)

    def _shares(self, id: str, text: str, mime: str, *, asks_first: bool = False) -> None:
        data = PNG if mime == "image/png" else b"%PDF-1.7 of " + id.encode()
        file = StoredFile(id, f"{id}.bin", mime, data, asks_first=asks_first)
        self._says(self.ana, text, files=[file])

    def _edits(self) -> None:
        self._says(self.ana, "a sllip")
        self.slack.edit(self.home, self.last, "a slip", now())

    def _unfurls(self) -> None:
        self.slack.unfurl(self.home, self.last, now())

    def _reacts(self, *, takes_back: bool = False) -> None:
        self.slack.react(self.ana, self.home, self.last, "+1", now(), takes_back=takes_back)

    def _deletes(self) -> None:
        self.slack.delete(self.home, self.last, now())

    def _presses(self, value: str, *, hidden: bool = False) -> None:
        self.slack.press(self.ana, self.home, self._asked(), value, now(), hidden=hidden)

    def _asked(self) -> str:
        """A question of the app's, from before this gateway was there."""
        buttons = [
            {"type": "button", "action_id": value, "value": value, "text": {"type": "plain_text", "text": f"{value}!"}}
            for value in ("yes", "no")
        ]
        said = Said(
            self.home, self.slack.world.ts(self.home, now()), self.slack.world.bot_user, "Shall we?", by_app=True
        )
        said.blocks = [{"type": "actions", "elements": buttons}]
        self.slack.world.said[self.home.id, said.ts] = said
        return said.ts

    def _bot(self, *, classic: bool) -> None:
        text = f"deployed by {'a bot' if classic else 'an app'}"
        self.slack.bot_says(self.room, text, now(), classic=classic)

    def _converts(self) -> None:
        room = self.slack.room("C0CHANGING")
        self.slack.convert(room, "G0CHANGED", now())

    def _uninstalls(self) -> None:
        self._leaving = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        """Once all is said: for the next minutes nothing is sent to a workspace that the app was taken out of."""
        known = 0
        while known < len(self.slack.world.said):
            known = len(self.slack.world.said)
            await asyncio.sleep(QUIET_S)
        self.slack.uninstall(now())


def now() -> datetime:
    return datetime.now(UTC)
