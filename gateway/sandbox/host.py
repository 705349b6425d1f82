"""The telephones' provider on this machine: answers the gateway's calls, and has webhooks for it.

Rule: the simulator decides what is told and when; the switches say what becomes of it on the way.
Rule: a webhook that is not answered with 200 comes again when the simulator says so.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from adapters.base import Reply, Request
from adapters.whatsapp.simulator import Meta as Simulator
from adapters.whatsapp.simulator_world import Customer, Fault, Number
from gateway.core import Core
from gateway.sandbox.demo import GRAPH_PATH
from gateway.sandbox.news import News
from gateway.sandbox.phones import Phones, Said, Say
from gateway.sandbox.place import MOST_FAULTS, Card, Choice, Knob, held_back, ids_of
from gateway.sandbox.screen import Screen, screen
from gateway.settings import Endpoint

LATE_RECEIPTS_S = 8.0
"""Less than the simulator waits before it repeats a webhook."""
OUR_NUMBER = "442079460137"

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
    patience_s = 10.0

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        self.core, self.endpoint, self.news = core, endpoint, news
        self.simulator = make_simulator(core, endpoint)
        self.phones = Phones(self.simulator)
        self._switches = Switches()
        self._held: list[tuple[datetime, Request]] = []

    @property
    def id(self) -> str:
        return self.endpoint.id

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(channel.id for channel in self.endpoint.channels)

    @property
    def card(self) -> Card:
        return Card(
            id=self.id,
            face="phone",
            title="WhatsApp",
            address=f"+{OUR_NUMBER}",
            channels=self.channels,
            hint="Ticks appear as the gateway's receipts do.",
            tries=(),
            faults=FAULTS,
            knobs=KNOBS,
        )

    # --- the provider's API ---------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Reply | None:
        """None: the connection is to be closed without an answer."""
        reply = self.simulator.answer(request, self.core.clock.now())
        self.news.changed()
        return await held_back(reply, self.news)

    # --- customers ------------------------------------------------------------------------------------------------

    def say(self, customer: Customer, what: Say) -> Said:
        said = self.phones.say(customer, what, self.core.clock.now())
        self.news.changed()
        return said

    def file(self, customer: Customer, kind: str, data: bytes, mime: str, **facts: str | None) -> Said:
        now = self.core.clock.now()
        said = self.phones.file(customer, kind, data, mime, now, **facts)
        if self._switches.expired_media:
            media = said.content["audio" if kind == "voice" else kind]["id"]
            self.simulator.world.media[media].until = now - timedelta(seconds=1)
        self.news.changed()
        return said

    def look(self, customer: Customer) -> None:
        """The customer opens the chat; a phone that is off stays dark."""
        if self._switches.phones_on and self.screen(customer).unread:
            self.simulator.read(customer, self.core.clock.now())
            self.news.changed()

    def screen(self, customer: Customer) -> Screen:
        said, now = self.phones.of(customer), self.core.clock.now()
        return screen(self.simulator.world, customer, said, now, self.news.version)

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
        self.news.changed()

    def _phones_come_on(self) -> None:
        now = self.core.clock.now()
        for shown in self.simulator.world.shown.values():
            if shown.status == "sent":
                shown.status = "delivered"
                self.simulator.tell(shown.id, "delivered", now)

    # --- webhooks -------------------------------------------------------------------------------------------------

    def due(self, now: datetime) -> Sequence[Request]:
        ripe = [request for at, request in self._held if at <= now]
        self._held = [(at, request) for at, request in self._held if at > now]
        return ripe + [request for request in self.simulator.due(now) if not self._kept_back(request, now)]

    def next_due(self) -> datetime | None:
        times = [at for at, _ in self._held] + [at for at in [self.simulator.next_due()] if at is not None]
        return min(times, default=None)

    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        status = reply.status if reply is not None else 0
        self.simulator.delivered(request, status)
        if status == 200:
            self.phones.delivered(messages_in(request))

    def _kept_back(self, request: Request, now: datetime) -> bool:
        if self._switches.receipts == "on" or not only_receipts(request):
            return False
        if self._switches.receipts == "missing":
            self.simulator.delivered(request, 200)
        elif not any(request == held for _, held in self._held):
            self._held.append((now + timedelta(seconds=LATE_RECEIPTS_S), request))
        return True


def make_simulator(core: Core, endpoint: Endpoint) -> Simulator:
    """The other side of a configured endpoint, with the same secrets."""
    settings: Any = endpoint.settings
    return Simulator(
        app_secret=settings.app_secrets[0],
        access_token=settings.access_token,
        verify_token=settings.verify_token,
        webhook_url=f"{core.config.public_url}/hooks/{endpoint.id}",
        numbers=[Number(channel.account or "", OUR_NUMBER) for channel in endpoint.channels],
        ids=ids_of(core),
        graph_url=settings.graph_url,
    )


def simulated(core: Core) -> Endpoint:
    """The endpoint whose calls come to us."""
    start = core.config.public_url + GRAPH_PATH
    for endpoint in core.config.endpoints.values():
        if str(getattr(endpoint.settings, "graph_url", "")).startswith(start):
            return endpoint
    raise ValueError(f"no endpoint calls {start}")


# --- what stands in a webhook -------------------------------------------------------------------------------------


def _values(request: Request) -> list[dict[str, Any]]:
    document = _JSON.decode(request.body)
    return [change["value"] for entry in document["entry"] for change in entry["changes"]]


def only_receipts(request: Request) -> bool:
    return all("statuses" in value for value in _values(request))


def messages_in(request: Request) -> set[str]:
    return {message["id"] for value in _values(request) for message in value.get("messages", [])}


FAULTS = (
    Choice("429", "429 slow down", "Too many requests; it says to wait 2 s"),
    Choice("500", "500 error", "The provider has trouble"),
    Choice("slow", "Timeout", "The answer comes after 30 s, the message went out"),
    Choice("lost", "Lost answer", "The message goes out, the connection breaks"),
    Choice("html", "502 page", "A proxy answers with HTML"),
    Choice("401", "401 token", "The token is refused"),
    Choice("empty", "Empty 200", "An answer that says nothing"),
)
KNOBS = (
    Knob(id="receipts", label="Receipts",
         options=(Choice("on", "As usual"), Choice("late", "8 s late"), Choice("missing", "Missing"))),
    Knob(id="phones_on", label="Phones are off", text="Messages wait, no second tick. Back on: they arrive.",
         inverse=True),
    Knob(id="duplicates", label="Every webhook twice", text="Each event must have its effect once."),
    Knob(id="reorder", label="Newest first", text="Updates that wait together are told backwards."),
    Knob(id="expired_media", label="Files expire at once",
         text="A customer's file is gone before it is fetched: the message stays."),
    Knob(id="batch", label="Updates in one webhook", text="The provider may put up to 1,000 into one.", most=1000),
)  # fmt: skip
