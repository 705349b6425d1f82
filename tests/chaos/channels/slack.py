"""Slack: a workspace whose people write to the app, over HTTP events and over Socket Mode.

A minute of Slack's is a second here: what was not taken comes again at once, after a second and after five more. What
was never taken is found in the conversation's history.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock

from aiohttp import WSMsgType, web

from adapters.base import Reply, Request
from adapters.slack import simulator_delivery
from adapters.slack.simulator import Workspace
from adapters.slack.simulator_delivery import Socket
from adapters.slack.simulator_world import Fault, Person, Room
from normalizer.envelope import Status
from tests.chaos.channels.host import Repeating
from tests.chaos.channels.line import Heard, Place, Said, Scene

ENDPOINT, TEAM = "slack", "T024BE7LD"
SECRET, BOT_TOKEN, APP_TOKEN = "a signing secret", "xoxb-a-bot-token", "xapp-an-app-token"
REPEATS = (timedelta(0), timedelta(seconds=1), timedelta(seconds=5))
DIRECT, IN_CHANNELS = 8, 2
"""People who write to the app alone, and those who write to it in a channel, each in his own."""
DUPLICATED, FAULTY = 0.15, 0.02
FAULTS: Sequence[Fault] = ("429", "503", "lost", "lost")
LOOK_S = 0.01
SOCKET_S = (3.0, 10.0)
"""How long a socket is good."""
WARNED_S = 1.0
"""From telling that it ends to its end."""
Payload = Mapping[str, Any]


class OverHttp(Repeating):
    """The Events API."""

    name = "slack"
    over_sockets = False
    patience_s = 3.0

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.workspace = Workspace(
            signing_secret=SECRET,
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            webhook_url=f"{place.gateway_url}/hooks/{ENDPOINT}",
            ids=(f"{number:09}" for number in count(1)),
            api_url=f"{place.url}/api",
            team=TEAM,
        )
        self.world, self.deliveries = self.workspace.world, self.workspace.line
        self.world.socket_mode = self.over_sockets
        self.rooms = {f"c{number}": self._room(number) for number in range(1, DIRECT + IN_CHANNELS + 1)}
        self.customers = tuple(self.rooms)
        self._people = {name: self.person(place) for place, name in enumerate(self.rooms, 1)}
        self._said: dict[tuple[str, str], Said] = {}
        self._heard: dict[tuple[str, str], Heard] = {}
        self._names = {room.id: name for name, room in self.rooms.items()}

    def person(self, number: int) -> Person:
        return self.world.people.setdefault(f"U0PERSON{number}", Person(f"U0PERSON{number}", f"C {number}", TEAM))

    def _room(self, number: int) -> Room:
        if number <= DIRECT:
            return self.world.direct(self.person(number))
        return self.workspace.room(f"C0ROOM{number}")

    # --- Line ---------------------------------------------------------------------------------------------------------

    @property
    def sources(self) -> int:
        return len(self.rooms)

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        way = {"app_token": APP_TOKEN} if self.over_sockets else {"signing_secrets": [SECRET]}
        rooms = [room.id for room in self.rooms.values()]
        settings = {"type": "slack", "team_id": TEAM, "bot_token": BOT_TOKEN, "api_url": self.world.api_url}
        return {ENDPOINT: {**settings, **way, "bot_user_id": self.world.bot_user, "history_channels": rooms}}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {"transport": {"channels": {ENDPOINT: {"per_second": 100}}}}

    def say(self, customer: str, text: str) -> Said:
        self.deliveries.reorder = self.trouble
        self.deliveries.duplicates = self.trouble and self.random.random() < DUPLICATED
        room = self.rooms[customer]
        words = text if room.kind == "im" else f"<@{self.world.bot_user}> {text}"
        said = Said(customer, text, time.monotonic(), kept=True)
        ts = self.workspace.say(self._people[customer], words, now(), room=room)
        self._said[room.id, ts] = said
        self.record.said.append(said)
        return said

    @property
    def waiting(self) -> int:
        return self.workspace.undelivered + self.on_the_way

    def scenes(self) -> Sequence[Scene]:
        from tests.chaos.channels.slack_scenes import scenes

        return scenes(self)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with mock.patch.object(simulator_delivery, "REPEATS", REPEATS):
            async with super().running():
                yield

    # --- Hosted -------------------------------------------------------------------------------------------------------

    def answer(self, request: Request, now: datetime) -> Reply:
        if self.trouble and self.random.random() < FAULTY:
            self.world.faults.append(self.random.choice(FAULTS))
            self.record.counts[f"API answered with {self.world.faults[-1]}"] += 1
        known = len(self.world.said)
        reply = self.workspace.answer(request, now)
        if request.url.endswith("/chat.postMessage") and len(self.world.said) > known:
            self._accepted(json.loads(reply.body))
        return reply

    def due(self, now: datetime) -> Sequence[Request]:
        return self.workspace.due(now)

    def delivered(self, request: Request, status: int, now: datetime) -> None:
        self.workspace.delivered(request, status, now)
        if 200 <= status < 300 and request.body.startswith(b"{"):
            self.taken(json.loads(request.body))

    def _accepted(self, answer: Payload) -> None:
        place: tuple[str, str] = answer["channel"], answer["ts"]
        heard = Heard(
            self._names.get(place[0]) or place[0], self.world.said[place].text, time.monotonic(), ":".join(place)
        )
        self._heard[place] = self.record.hears(heard)

    def taken(self, payload: Payload) -> None:
        """The gateway has acknowledged it."""
        event = payload.get("event", {})
        place = event.get("channel", ""), event.get("ts", "")
        if event.get("type") not in ("message", "app_mention") or event.get("subtype"):
            return
        if (said := self._said.get(place)) and said.acked_at is None:
            said.acked_at = time.monotonic()
        if heard := self._heard.get(place):
            heard.told.setdefault(Status.SENT, time.monotonic())


class OverSockets(OverHttp):
    """Socket Mode: the gateway asks for sockets; each is told after a while that it is about to end."""

    name = "slack_socket"
    over_sockets = True

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/link/", self._link)

    def answer(self, request: Request, now: datetime) -> Reply:
        reply = super().answer(request, now)
        here = self.place.url.replace("http://", "ws://").encode()
        return Reply(reply.status, reply.headers, reply.body.replace(b"wss://wss-primary.slack.com", here))

    async def _link(self, called: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(called)
        socket = self.deliveries.connect(f"{self.place.url}{called.raw_path}")
        if socket is None:
            await ws.close()
            return ws
        self.record.counts["sockets"] += 1
        speaker = asyncio.create_task(self._speak(ws, socket))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(socket, message.data)
        finally:
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)
            self.deliveries.closed(socket, now())
        return ws

    async def _speak(self, ws: web.WebSocketResponse, socket: Socket) -> None:
        ends = time.monotonic() + self.random.uniform(*SOCKET_S) if self.trouble else float("inf")
        with suppress(ConnectionError):
            while not ws.closed and time.monotonic() < ends + WARNED_S:
                if time.monotonic() >= ends and not socket.is_leaving:
                    self.deliveries.disconnect(socket, "refresh_requested")
                for frame in self.deliveries.frames(socket, now()):
                    await ws.send_str(frame)
                await asyncio.sleep(LOOK_S)
            await ws.close()

    def _acknowledged(self, socket: Socket, frame: str) -> None:
        told = socket.unacknowledged.get(json.loads(frame).get("envelope_id"))
        self.deliveries.heard(socket, frame)
        if told is not None:
            self.taken(told.payload)


def now() -> datetime:
    return datetime.now(UTC)
