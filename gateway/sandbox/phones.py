"""What customers do with their phones: the input of the API, told to the simulator.

Rule: a customer is known by the digits of the number, as the provider knows him.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.whatsapp import simulator_content as content
from adapters.whatsapp.simulator import Meta as Simulator
from adapters.whatsapp.simulator_world import Customer

MEDIA_KINDS = ("image", "video", "audio", "voice", "document", "sticker")
MAX_CUSTOMERS = 200
"""Phones that are remembered; nobody needs more to try something."""

Words = Annotated[str, Meta(min_length=1, max_length=4096)]
Id = Annotated[str, Meta(min_length=1, max_length=500)]


class Refused(Exception):
    """The request cannot be done; the text is for whoever asked."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


# --- what may be asked for ----------------------------------------------------------------------------------------


class NewPhone(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    phone: Annotated[str, Meta(min_length=1, max_length=40)]


class SayText(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="text"):
    text: Words
    reply_to: Id | None = None


class SayPlace(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="location"):
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    name: Annotated[str, Meta(max_length=200)] | None = None
    address: Annotated[str, Meta(max_length=400)] | None = None


class SayChoice(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="choice"):
    message: Id
    """Which message offered it."""
    id: Id


class SayCard(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="contact"):
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    phone: Annotated[str, Meta(min_length=1, max_length=40)]


class React(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="reaction"):
    message: Id
    emoji: Annotated[str, Meta(max_length=40)] | None = None
    """None takes it back."""


class Revise(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="edit"):
    message: Id
    text: Words


class TakeBack(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="revoke"):
    message: Id


Say = SayText | SayPlace | SayChoice | SayCard | React | Revise | TakeBack


class Said(Struct, kw_only=True):
    """Something a customer sent, as the phone remembers it."""

    id: str
    content: dict[str, Any]
    at: datetime
    reply_to: str | None = None
    delivered: bool = False
    """The gateway took the webhook."""


# --- doing it -----------------------------------------------------------------------------------------------------


def digits(phone: str) -> str:
    """Raises Refused for what is no telephone number."""
    found = "".join(filter(str.isdecimal, phone))
    if not (found.isascii() and 7 <= len(found) <= 15):
        raise Refused(400, "bad_phone", "a telephone number has 7 to 15 digits, the country's code first")
    return found


class Phones:
    """The customers of one simulator, and what they said."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.customers: dict[str, Customer] = {}
        self.said: dict[str, list[Said]] = {}

    def add(self, name: str, phone: str) -> Customer:
        """A phone that is known already gets the name."""
        number = digits(phone)
        known = self.customers.get(number)
        if known is not None:
            known.name = name
            return known
        if len(self.customers) >= MAX_CUSTOMERS:
            raise Refused(409, "too_many", f"at most {MAX_CUSTOMERS} phones")
        customer = self.customers[number] = Customer(name=name, phone=number)
        self.simulator.world.customers.append(customer)
        self.said[number] = []
        return customer

    def get(self, phone: str) -> Customer:
        found = self.customers.get(digits(phone))
        if found is None:
            raise Refused(404, "unknown_phone", "nobody has this number yet; POST /sandbox/api/phones makes one")
        return found

    def of(self, customer: Customer) -> list[Said]:
        return self.said[customer.phone or ""]

    def say(self, customer: Customer, what: Say, now: datetime) -> Said:
        match what:
            case SayText(text=text, reply_to=reply_to):
                return self.send(customer, content.text(text), now, reply_to)
            case SayPlace():
                said = content.location(what.latitude, what.longitude, what.name, what.address)
                return self.send(customer, said, now)
            case SayChoice():
                return self.send(customer, self._chosen(customer, what), now, what.message)
            case SayCard(name=name, phone=phone):
                return self.send(customer, content.card(name, f"+{digits(phone)}"), now)
            case React(message=message, emoji=emoji):
                return self.send(customer, content.reaction(message, emoji or None), now)
            case Revise(message=message, text=text):
                return self.send(customer, content.edit(self._own(customer, message).id, content.text(text)), now)
            case TakeBack(message=message):
                return self.send(customer, content.revoke(self._own(customer, message).id), now)

    def send(self, customer: Customer, said: dict[str, Any], now: datetime, reply_to: str | None = None) -> Said:
        id = self.simulator.send(customer, said, now, reply_to=reply_to)
        kept = Said(id=id, content=said, at=now, reply_to=reply_to)
        self.of(customer).append(kept)
        return kept

    def file(self, customer: Customer, kind: str, data: bytes, mime: str, now: datetime, **facts: str | None) -> Said:
        """`facts`: caption, filename."""
        media_id = self.simulator.world.received(data, mime, now)
        said = content.media("audio" if kind == "voice" else kind, media_id, mime, **facts)
        if kind == "voice":
            said["audio"]["voice"] = True
        return self.send(customer, said, now)

    def delivered(self, ids: set[str]) -> None:
        for messages in self.said.values():
            for said in messages:
                said.delivered = said.delivered or said.id in ids

    def _own(self, customer: Customer, id: str) -> Said:
        for said in self.of(customer):
            if said.id == id:
                return said
        raise Refused(404, "unknown_message", "this phone did not send it")

    def _chosen(self, customer: Customer, what: SayChoice) -> dict[str, Any]:
        shown = self.simulator.world.shown.get(what.message)
        if shown is None or shown.customer is not customer:
            raise Refused(404, "unknown_message", "this phone did not get it")
        action = shown.payload.get("interactive", {}).get("action", {})
        for button in action.get("buttons", []):
            if button["reply"]["id"] == what.id:
                return content.button(what.id, button["reply"]["title"])
        for row in (row for section in action.get("sections", []) for row in section["rows"]):
            if row["id"] == what.id:
                return content.row(what.id, row["title"], row.get("description"))
        raise Refused(400, "unknown_choice", "this message does not offer it")
