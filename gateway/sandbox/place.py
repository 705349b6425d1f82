"""What a place of the sandbox is: a simulated provider, what customers do there, what they see, what may go wrong.

Rule: the page and the API know no channel. What is special about one is in its card: how it is shown, what can fail.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from msgspec import Meta, Struct

from adapters.base import Reply, Request
from gateway.core import Core
from gateway.sandbox.courier import Courier
from gateway.sandbox.news import News
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.work import at_work
from gateway.settings import Endpoint

Face = Literal["phone", "chat", "mailbox", "call"]
"""How it looks: a screen of a telephone, conversations of a program, mails, a call."""
Words = Annotated[str, Meta(min_length=1, max_length=4096)]
Id = Annotated[str, Meta(min_length=1, max_length=500)]
SLOW_HEADER = "x-simulated-delay-s"
"""On a simulator's reply that is to be held back; `never`: it is not to be given."""
MOST_FAULTS = 50
Receipts = Literal["on", "late", "missing"]


class Choice(Struct, frozen=True):
    """One of several that a knob or a row of buttons offers."""

    id: str
    label: str
    text: str = ""


class Knob(Struct, frozen=True, kw_only=True):
    """A switch that the page shows. Without `options` it is on or off."""

    id: str
    label: str
    text: str = ""
    options: tuple[Choice, ...] = ()
    inverse: bool = False
    """What is switched on at the page is off here."""
    most: int = 0
    """It is a number up to this."""


class Card(Struct, frozen=True, kw_only=True):
    """How a place presents itself."""

    id: str
    face: Face
    title: str
    address: str
    """Ours, as customers write it."""
    channels: tuple[str, ...]
    hint: str
    tries: tuple[str, ...]
    can: tuple[Literal["files", "react", "edit"], ...] = ()
    """What a customer can do beside writing and choosing."""
    faults: tuple[Choice, ...]
    """What may become of the gateway's next calls."""
    knobs: tuple[Knob, ...]


class Upload(Struct, frozen=True, kw_only=True):
    data: bytes
    mime: str
    name: str | None = None
    text: str | None = None
    room: str | None = None


class Stored(Struct, frozen=True):
    mime: str
    data: bytes


class Place(ABC):
    """A simulated provider. What one does not have, it refuses."""

    patience_s: float = 10.0
    paths: tuple[str, ...] = ()
    """Of the provider's files, where they lie outside of its API's address."""
    Action: ClassVar[Any]
    """What a customer can do."""
    Memory: ClassVar[Any] = None
    """What outlives a restart. None: nothing does."""

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        self.core, self.endpoint, self.news = core, endpoint, news

    @property
    def id(self) -> str:
        return self.endpoint.id

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(channel.id for channel in self.endpoint.channels)

    @property
    @abstractmethod
    def card(self) -> Card: ...

    def meet(self, person: Person) -> None:
        """Somebody may come here."""
        return

    @abstractmethod
    def screen(self, person: Person) -> Any: ...

    @abstractmethod
    def act(self, person: Person, action: Any) -> str:
        """The id of what was done. Raises Refused."""

    def upload(self, person: Person, file: Upload) -> str:
        raise Refused(404, "no_files", f"nobody sends files to {self.id}")

    def file(self, id: str) -> Stored | None:
        """One that a screen names."""
        return None

    @property
    @abstractmethod
    def switches(self) -> Any: ...

    @abstractmethod
    def switch(self, wanted: Any) -> None: ...

    async def answer(self, request: Request) -> Reply | None:
        """The provider's API. None: the connection is to be closed without an answer."""
        return Reply(404)

    def remember(self) -> Any:
        """A `Memory`."""
        return None

    def recall(self, memory: Any) -> None:
        """That of the last run; everybody has been met."""
        return

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What it needs while it is open."""
        yield


class Provider(Protocol):
    """A simulator that answers calls and has webhooks for us."""

    def answer(self, request: Request, now: datetime) -> Reply: ...
    def due(self, now: datetime) -> Sequence[Request]: ...
    def next_due(self) -> datetime | None: ...


Simulated = TypeVar("Simulated", bound=Provider)


class Posting(Place, Generic[Simulated]):
    """A place whose provider posts what happens there: a courier carries it as long as the place is open."""

    simulator: Simulated

    async def answer(self, request: Request) -> Reply | None:
        reply = self.simulator.answer(request, self.core.clock.now())
        self.news.changed()
        return await held_back(reply, self.news)

    def due(self, now: datetime) -> Sequence[Request]:
        return self.simulator.due(now)

    def next_due(self) -> datetime | None:
        return self.simulator.next_due()

    @abstractmethod
    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None: ...

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with at_work(Courier(self, self.news, self.core.clock).run(), self.news):
            yield


async def held_back(reply: Reply, news: News) -> Reply | None:
    """When the simulator wants it to be given. None: never."""
    headers = dict(reply.headers)
    delay = headers.pop(SLOW_HEADER, None)
    if delay == "never":
        return None
    if delay is not None:
        await news.pause(float(delay))
    return Reply(reply.status, headers, reply.body)


def ids_of(core: Core) -> Iterator[str]:
    while True:
        yield core.ids.uuid()


def hook(core: Core, endpoint: Endpoint) -> str:
    return f"{core.config.public_url}/hooks/{endpoint.id}"


def file_path(place: str, id: str) -> str:
    return f"/sandbox/api/places/{place}/files/{id}"
