"""Text messages to a number of the business, and WhatsApp through the same provider: an app on the customer's phone.

Rule: it is made anew from what the simulator holds; only what was chosen and what was taken is remembered here.
"""

import json
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs

from msgspec import Meta, Struct
from msgspec.structs import replace

from adapters.base import Reply, Request
from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator import Twilio
from adapters.twilio_messaging.simulator_world import Content as SentContent
from adapters.twilio_messaging.simulator_world import Customer, Fault, Media, Row
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
    Receipts,
    Stored,
    Upload,
    Words,
    file_path,
    held_back,
    hook,
    ids_of,
)
from gateway.sandbox.rooms import RoomsScreen, RoomView
from gateway.sandbox.screen import Choice as Tap
from gateway.sandbox.screen import Content, File, Line, Tick
from gateway.settings import Endpoint

LATE_S = 8.0
ARRIVED = ("delivered", "read")


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    receipts: Receipts = "on"
    phones_on: bool = True
    webhooks: bool = True
    duplicates: bool = False
    reorder: bool = False
    expired_media: bool = False
    faults: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()


class SayText(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="text"):
    text: Words
    room: Id | None = None
    """The number that it is sent to. None: the first."""


class Press(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="choice"):
    message: Id
    id: Id
    room: Id | None = None


class Look(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="read"):
    """The customer looks at everything that has arrived."""


Do = SayText | Press | Look


class Memory(Struct, frozen=True):
    rows: list[Row]
    media: dict[str, Media]
    content: dict[str, SentContent]
    windows: dict[str, dict[str, datetime]]
    """Until when each customer may be written to, by phone and sender."""
    read: list[str]
    said: dict[str, dict[str, str]]
    taken: list[str]
    chosen: dict[str, str]


class Texts(Posting[Twilio]):
    patience_s = 15.0
    Action: ClassVar[Any] = Do
    Memory: ClassVar[Any] = Memory

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        super().__init__(core, endpoint, news)
        settings: Any = endpoint.settings
        self.senders = tuple(channel.account or "" for channel in endpoint.channels)
        self.simulator = Twilio(
            account_sid=settings.account_sid, auth_token=settings.auth_tokens[0], webhook_url=hook(core, endpoint),
            senders=self.senders, ids=ids_of(core), api_url=settings.api_url, content_url=settings.content_url,
            messaging_url=settings.messaging_url, storage_url=f"{settings.api_url}/storage",
        )  # fmt: skip
        self._customers: dict[str, Customer] = {}
        self._said: dict[str, dict[str, str]] = {}
        """What customers wrote, by its id, as it was sent."""
        self._taken: set[str] = set()
        self._chosen: dict[str, str] = {}
        self._expired, self._told = False, True

    @property
    def card(self) -> Card:
        return Card(id=self.id, face="chat", title="Messages", address=self.senders[0],
                    channels=self.channels,
                    hint="Text messages from the same phone: same number, same customer.",
                    tries=("Do you ship to France?", "Can I talk to a person?"), can=("files",), faults=FAULTS,
                    knobs=KNOBS)  # fmt: skip

    def meet(self, person: Person) -> None:
        self._customer(person)

    def _customer(self, person: Person) -> Customer:
        found = self._customers.get(person.phone)
        if found is None:
            found = self._customers[person.phone] = Customer(name=person.name, phone=person.number)
            self.simulator.world.customers.append(found)
        found.name = person.name
        return found

    # --- what people do -------------------------------------------------------------------------------------------

    def act(self, person: Person, action: Do) -> str:
        now, customer = self.core.clock.now(), self._customer(person)
        done = ""
        match action:
            case SayText(text=text, room=room):
                done = self._send(customer, content.text(text), now, self._sender(room))
            case Press(message=sid):
                done = self._press(customer, self._shown_to(customer, sid), action.id, now)
            case Look():
                if not self._unread(customer):
                    return ""
                self.simulator.read(customer, now)
        self.news.changed()
        return done

    def _unread(self, customer: Customer) -> bool:
        """SMS never tells."""
        return any(row.status == "delivered" and ":" in row.from_ for row in self.simulator.shown(customer))

    def _send(self, customer: Customer, said: dict[str, str], now: datetime, to: str, **more: Any) -> str:
        sid = self.simulator.send(customer, said, now, to=to, told=self._told, **more)
        self._said[sid] = said
        return sid

    def _sender(self, room: str | None) -> str:
        if room is not None and room not in self.senders:
            raise Refused(404, "unknown_room", f"one of {', '.join(self.senders)}")
        return room or self.senders[0]

    def _shown_to(self, customer: Customer, sid: str) -> Row:
        row = self.simulator.world.rows.get(sid)
        if row is None or row.customer is not customer or sid in self._said:
            raise Refused(404, "unknown_message", "this phone did not get it")
        return row

    def _press(self, customer: Customer, row: Row, id: str, now: datetime) -> str:
        shown = self._written(row)
        titles = {one.id: one.title for one in (*shown.buttons, *shown.rows)}
        if id not in titles:
            raise Refused(400, "unknown_choice", "this message does not offer it")
        self._chosen[row.sid] = id
        said = content.button(id, titles[id]) if shown.buttons else content.row(id, titles[id])
        return self._send(customer, said, now, row.from_, reply_to=row.sid)

    def upload(self, person: Person, file: Upload) -> str:
        now, customer, world = self.core.clock.now(), self._customer(person), self.simulator.world
        media = world.received(file.data, file.mime)
        world.media[media].gone = self._expired
        kind = file.mime.partition("/")[0]
        said = content.media(kind if kind in ("image", "video", "audio") else "document", file.text or "")
        sid = self._send(customer, said, now, self._sender(file.room), media=[media])
        self.news.changed()
        return sid

    def file(self, id: str) -> Stored | None:
        found = self.simulator.world.media.get(id)
        return Stored(found.mime, found.data) if found is not None else None

    # --- what they see --------------------------------------------------------------------------------------------

    def screen(self, person: Person) -> RoomsScreen:
        customer = self._customer(person)
        rooms = tuple(self._room(customer, sender) for sender in self.senders)
        return RoomsScreen(version=self.news.version, rooms=rooms)

    def _room(self, customer: Customer, sender: str) -> RoomView:
        world = self.simulator.world
        rows = [row for row in world.rows.values() if row.customer is customer and sender in (row.from_, row.to)]
        lines = [self._line(row) for row in rows if row.sid in self._said or row.status in ARRIVED]
        prefix, _, number = sender.rpartition(":")
        hint = "WhatsApp once more, through another provider." if prefix else "Text messages."
        typing = customer.typing_until is not None and self.core.clock.now() < customer.typing_until and bool(prefix)
        return RoomView(id=sender, title="WhatsApp" if prefix else "SMS", hint=f"{number}. {hint}", typing=typing,
                        legs=(f"whatsapp:{customer.phone[1:]}" if prefix else f"tel:{customer.phone}",),
                        messages=tuple(sorted(lines, key=lambda line: line.at)))  # fmt: skip

    def _line(self, row: Row) -> Line:
        chosen = self._chosen.get(row.sid)
        if row.sid not in self._said:
            return Line(id=row.sid, mine=False, at=row.at, content=self._written(row), chosen=chosen)
        is_read = row.sid in self.simulator.world.read
        tick: Tick = "read" if is_read else "delivered" if row.sid in self._taken else "sent"
        return Line(id=row.sid, mine=True, at=row.at, content=self._own(row), tick=tick)

    def _own(self, row: Row) -> Content:
        if not row.media:
            return Content(kind="text", text=row.body)
        media, world = row.media[0], self.simulator.world
        mime = world.media[media].mime
        kind = mime.partition("/")[0] if mime.startswith(("image/", "video/", "audio/")) else "document"
        return Content(kind=kind, text=row.body or None, file=File(file_path(self.id, media), mime))

    def _written(self, row: Row) -> Content:
        """What we sent."""
        if sid := row.fields.get("ContentSid", [""])[0]:
            return self._offer(row, sid)
        urls = row.fields.get("MediaUrl", [])
        return Content(kind="document" if urls else "text", text=row.body or None,
                       file=File(urls[0]) if urls else None)  # fmt: skip

    def _offer(self, row: Row, sid: str) -> Content:
        variables = json.loads(row.fields.get("ContentVariables", ["{}"])[0])
        name, shown = next(iter(self.simulator.world.content[sid].types.items()))
        buttons = tuple(Tap(one["id"], one["title"]) for one in shown.get("actions", ()) if "id" in one)
        rows = tuple(Tap(one["id"], one["item"], one.get("description")) for one in shown.get("items", ()))
        return Content(kind=name, text=_filled(shown.get("body", ""), variables), buttons=buttons, rows=rows,
                       list_label=shown.get("button"))  # fmt: skip

    # --- from one run to the next ---------------------------------------------------------------------------------

    def remember(self) -> Memory:
        world = self.simulator.world
        return Memory(
            rows=[replace(row, customer=None) for row in world.rows.values()], media=world.media,
            content=world.content, read=world.read, said=self._said, taken=sorted(self._taken), chosen=self._chosen,
            windows={phone: customer.windows for phone, customer in self._customers.items()},
        )  # fmt: skip

    def recall(self, memory: Memory) -> None:
        world = self.simulator.world
        world.media |= memory.media
        world.content |= memory.content
        world.read += memory.read
        for phone, windows in memory.windows.items():
            if phone in self._customers:
                self._customers[phone].windows = windows
        for row in memory.rows:
            row.customer = world.customer_at(row.from_ if row.direction == "inbound" else row.to)
            world.rows[row.sid] = row
        self._said, self._taken, self._chosen = memory.said, set(memory.taken), memory.chosen

    # --- the provider ---------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Reply | None:
        now = self.core.clock.now()
        reply = self.simulator.answer(request, now)
        if reply.status == 307:
            # Its storage is another host, where the gateway would refuse to go on a private network.
            reply = self.simulator.answer(Request(method="GET", url=reply.headers["location"]), now)
        self.news.changed()
        return await held_back(reply, self.news)

    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        self.simulator.delivered(request, reply.status if reply is not None else 0, now)
        if reply is not None and reply.status < 300:
            self._taken.update(parse_qs(request.body.decode()).get("MessageSid", ()))

    # --- switches -------------------------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        world = self.simulator.world
        receipts: Receipts = "missing" if not world.receipts else "late" if world.receipts_late_s else "on"
        return Switches(receipts=receipts, phones_on=world.delivers, webhooks=self._told,
                        duplicates=self.simulator.duplicates, reorder=self.simulator.reorder,
                        expired_media=self._expired, faults=tuple(world.faults))  # fmt: skip

    def switch(self, wanted: Switches) -> None:
        world, came_on = self.simulator.world, wanted.phones_on and not self.simulator.world.delivers
        world.receipts, world.delivers = wanted.receipts != "missing", wanted.phones_on
        world.receipts_late_s = LATE_S if wanted.receipts == "late" else 0.0
        self.simulator.duplicates, self.simulator.reorder = wanted.duplicates, wanted.reorder
        self._expired, self._told = wanted.expired_media, wanted.webhooks
        world.faults[:] = wanted.faults
        for row in list(world.rows.values()) if came_on else ():
            if row.direction != "inbound" and row.status == "sent":
                self.simulator.tell(row.sid, "delivered", self.core.clock.now())
        self.news.changed()


def _filled(text: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace("{{" + name + "}}", value)
    return text


FAULTS = (
    Choice("429", "429 slow down", "Too many requests; it says to wait 2 s"),
    Choice("500", "500 error", "The provider has trouble"),
    Choice("slow", "Timeout", "The answer comes after 30 s, the message went out"),
    Choice("lost", "Lost answer", "The message goes out, the connection breaks"),
    Choice("html", "502 page", "A proxy answers with HTML"),
    Choice("401", "401 token", "The token is refused"),
    Choice("empty", "Empty 201", "An answer that says nothing"),
)
KNOBS = (
    Knob(id="receipts", label="Receipts",
         options=(Choice("on", "As usual"), Choice("late", "8 s late"), Choice("missing", "Missing"))),
    Knob(id="webhooks", label="Webhooks get lost", inverse=True,
         text="Messages lie in the provider's list alone: the gateway finds them there, a little later."),
    Knob(id="phones_on", label="Phones are off", text="Messages wait. Back on: they arrive.", inverse=True),
    Knob(id="duplicates", label="Every webhook twice", text="Each event must have its effect once."),
    Knob(id="reorder", label="Newest first", text="Webhooks that wait together are told backwards."),
    Knob(id="expired_media", label="Files expire at once",
         text="A customer's file is gone before it is fetched: the message stays."),
)  # fmt: skip
