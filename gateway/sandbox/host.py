"""Runs the simulated provider on this machine: answers the gateway's calls, and delivers webhooks to it over HTTP.

Rule: the simulator decides what is told and when; here it is only carried, as the switches say.
Rule: a webhook that is not answered with 200 comes again when the simulator says so.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import aiohttp
import msgspec
from msgspec import Meta, Struct

from adapters.base import Reply, Request
from adapters.whatsapp.simulator import Meta as Simulator
from adapters.whatsapp.simulator_api import SLOW_HEADER
from adapters.whatsapp.simulator_world import Customer, Fault, Number
from gateway.core import Core
from gateway.observe import lines
from gateway.sandbox.demo import GRAPH_PATH
from gateway.sandbox.phones import Phones, Said, Say
from gateway.sandbox.screen import Screen, screen
from gateway.settings import Endpoint
from gateway.wake import Bell

DELIVERY_TIMEOUT_S = 10.0
LATE_RECEIPTS_S = 8.0
"""Less than the simulator waits before it repeats a webhook."""
IDLE_S = 60.0
OUR_NUMBER = "442079460137"
MOST_FAULTS = 50

_JSON = msgspec.json.Decoder()


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong at the provider, until it is switched back."""

    phones_on: bool = True
    """False: what is sent waits for the phone, and no receipt tells that it was delivered."""
    receipts: Literal["on", "late", "missing"] = "on"
    duplicates: bool = False
    """Each webhook comes twice."""
    reorder: bool = False
    """Of several updates the newest comes first."""
    batch: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Updates in one webhook."""
    expired_media: bool = False
    """Files that customers send are gone before the gateway asks for them."""
    faults: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()
    """What becomes of the next calls of the gateway, one after the other."""


class Host:
    def __init__(self, core: Core, endpoint: Endpoint) -> None:
        self.core, self.endpoint = core, endpoint
        self.simulator = make_simulator(core, endpoint)
        self.phones = Phones(self.simulator)
        self.version = 1
        """Rises with whatever may be seen."""
        self.stopping = asyncio.Event()
        self._switches = Switches()
        self._due = Bell()
        self._watchers: set[asyncio.Event] = set()
        self._held: list[tuple[datetime, Request]] = []
        self._log = lines("sandbox")

    # --- the provider's API ---------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Reply | None:
        """None: the connection is to be closed without an answer."""
        reply = self.simulator.answer(request, self.core.clock.now())
        self.changed()
        headers = dict(reply.headers)
        delay = headers.pop(SLOW_HEADER, None)
        if delay == "never":
            return None
        if delay is not None:
            await _within(self.stopping.wait(), float(delay))
        return Reply(reply.status, headers, reply.body)

    # --- customers ------------------------------------------------------------------------------------------------

    def say(self, customer: Customer, what: Say) -> Said:
        said = self.phones.say(customer, what, self.core.clock.now())
        self.changed()
        return said

    def file(self, customer: Customer, kind: str, data: bytes, mime: str, **facts: str | None) -> Said:
        now = self.core.clock.now()
        said = self.phones.file(customer, kind, data, mime, now, **facts)
        if self._switches.expired_media:
            media = said.content["audio" if kind == "voice" else kind]["id"]
            self.simulator.world.media[media].until = now - timedelta(seconds=1)
        self.changed()
        return said

    def look(self, customer: Customer) -> None:
        """The customer opens the chat; a phone that is off stays dark."""
        if self._switches.phones_on and self.screen(customer).unread:
            self.simulator.read(customer, self.core.clock.now())
            self.changed()

    def screen(self, customer: Customer) -> Screen:
        said, now = self.phones.of(customer), self.core.clock.now()
        return screen(self.simulator.world, customer, said, now, self.version)

    # --- switches -------------------------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        """As they stand; faults that have happened are no longer among them."""
        return msgspec.structs.replace(self._switches, faults=tuple(self.simulator.world.faults))

    def switch(self, wanted: Switches) -> None:
        world = self.simulator.world
        was_off, self._switches = not self._switches.phones_on, wanted
        self.simulator.batch, self.simulator.duplicates = wanted.batch, wanted.duplicates
        self.simulator.reorder, world.delivers = wanted.reorder, wanted.phones_on
        world.faults[:] = wanted.faults
        if was_off and wanted.phones_on:
            self._phones_come_on()
        self.changed()

    def _phones_come_on(self) -> None:
        now = self.core.clock.now()
        for shown in self.simulator.world.shown.values():
            if shown.status == "sent":
                shown.status = "delivered"
                self.simulator.tell(shown.id, "delivered", now)

    # --- who waits for news ---------------------------------------------------------------------------------------

    def changed(self) -> None:
        self._due.ring()
        self._shown()

    def _shown(self) -> None:
        """As `changed`, but nothing new is due because of it."""
        self.version += 1
        for event in self._watchers:
            event.set()

    async def news(self, after: int, wait_s: float) -> int:
        """The version, as soon as it is another one than `after`, and no later than this."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            if self.version == after and not self.stopping.is_set():
                await _within(event.wait(), wait_s)
        finally:
            self._watchers.discard(event)
        return self.version

    def stop(self) -> None:
        self.stopping.set()
        self._due.ring()
        for event in self._watchers:
            event.set()

    # --- webhooks -------------------------------------------------------------------------------------------------

    async def deliver(self) -> None:
        """Until it is stopped."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DELIVERY_TIMEOUT_S)) as session:
            while not self.stopping.is_set():
                for request in self._now_due():
                    await self._deliver(session, request)
                await self._due.wait(self._idle_s())

    def _now_due(self) -> list[Request]:
        now = self.core.clock.now()
        ripe = [request for at, request in self._held if at <= now]
        self._held = [(at, request) for at, request in self._held if at > now]
        return ripe + [request for request in self.simulator.due(now) if not self._kept_back(request, now)]

    def _kept_back(self, request: Request, now: datetime) -> bool:
        if self._switches.receipts == "on" or not only_receipts(request):
            return False
        if self._switches.receipts == "missing":
            self.simulator.delivered(request, 200)
        elif not any(request == held for _, held in self._held):
            self._held.append((now + timedelta(seconds=LATE_RECEIPTS_S), request))
        return True

    def _idle_s(self) -> float:
        times = [at for at, _ in self._held] + [at for at in [self.simulator.next_due()] if at is not None]
        if not times:
            return IDLE_S
        return min(max((min(times) - self.core.clock.now()).total_seconds(), 0.0) + 0.002, IDLE_S)

    async def _deliver(self, session: aiohttp.ClientSession, request: Request) -> None:
        status = 0
        try:
            async with session.request(request.method, request.url, data=request.body, headers=request.headers) as got:
                status = got.status
        except (aiohttp.ClientError, TimeoutError):
            self._log.warning("webhook not delivered", endpoint_id=self.endpoint.id)
        self.simulator.delivered(request, status)
        if status == 200:
            self.phones.delivered(messages_in(request))
        self._shown()


def make_simulator(core: Core, endpoint: Endpoint) -> Simulator:
    """The other side of a configured endpoint, with the same secrets."""
    settings: Any = endpoint.settings
    return Simulator(
        app_secret=settings.app_secrets[0],
        access_token=settings.access_token,
        verify_token=settings.verify_token,
        webhook_url=f"{core.config.public_url}/hooks/{endpoint.id}",
        numbers=[Number(channel.account or "", OUR_NUMBER) for channel in endpoint.channels],
        ids=_ids(core),
        graph_url=settings.graph_url,
    )


def simulated(core: Core) -> Endpoint:
    """The endpoint whose calls come to us."""
    start = core.config.public_url + GRAPH_PATH
    for endpoint in core.config.endpoints.values():
        if str(getattr(endpoint.settings, "graph_url", "")).startswith(start):
            return endpoint
    raise ValueError(f"no endpoint calls {start}")


def _ids(core: Core) -> Iterator[str]:
    while True:
        yield core.ids.uuid()


async def _within(waiting: Any, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting


# --- what stands in a webhook -------------------------------------------------------------------------------------


def _values(request: Request) -> list[dict[str, Any]]:
    document = _JSON.decode(request.body)
    return [change["value"] for entry in document["entry"] for change in entry["changes"]]


def only_receipts(request: Request) -> bool:
    return all("statuses" in value for value in _values(request))


def messages_in(request: Request) -> set[str]:
    return {message["id"] for value in _values(request) for message in value.get("messages", [])}
