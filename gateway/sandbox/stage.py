"""All places of a demo, made from its configuration: each endpoint's type has a provider's side here.

Rule: an endpoint without a place (the web widget) is talked to as it is.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.core import Core
from gateway.sandbox.calls import Calls
from gateway.sandbox.chat import Chat
from gateway.sandbox.courier import Courier
from gateway.sandbox.host import Host, simulated
from gateway.sandbox.mailbox import Mailboxes
from gateway.sandbox.news import News
from gateway.sandbox.people import People
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import Place
from gateway.sandbox.texts import Texts
from gateway.sandbox.work import at_work

KINDS: Mapping[str, type[Place]] = {"mail": Mailboxes, "slack": Chat, "twilio_messaging": Texts, "twilio_voice": Calls}


class Stage:
    def __init__(self, core: Core) -> None:
        self.core, self.news = core, News()
        self.host = Host(core, simulated(core), self.news)
        self.people = People(self.host.phones)
        found = [(KINDS.get(one.type), one) for one in core.config.endpoints.values()]
        self.places: dict[str, Place] = {one.id: kind(core, one, self.news) for kind, one in found if kind is not None}

    def place(self, id: str) -> Place:
        """Raises Refused."""
        found = self.places.get(id)
        if found is None:
            raise Refused(404, "unknown_place", f"one of {', '.join(self.places)}")
        return found

    def met(self) -> None:
        """Everybody may come to every place."""
        for person in self.people.all():
            for place in self.places.values():
                place.meet(person)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            courier = Courier(self.host, self.news, self.core.clock)
            await stack.enter_async_context(at_work(courier.run(), self.news))
            for place in self.places.values():
                await stack.enter_async_context(place.running())
            yield
