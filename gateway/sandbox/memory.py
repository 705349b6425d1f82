"""What the phones remember from one run of the demo to the next: customers, messages, files, open windows.

Rule: written when the demo stops, beside the gateway's own data; it is a toy's memory and promises nothing.
Rule: a message that the gateway had not taken yet is sent again, under a new id.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from adapters.whatsapp.simulator_world import Customer, Media, Shown
from gateway.sandbox.phones import Phones, Said

MAX_FILES_BYTES = 50_000_000
"""Of the newest files; older ones are forgotten."""


class KeptShown(Struct, frozen=True):
    id: str
    account: str
    phone: str
    payload: dict[str, Any]
    at: datetime
    status: str


class KeptPhone(Struct, frozen=True):
    name: str
    phone: str
    windows: dict[str, datetime]
    said: list[Said]


class Memory(Struct, frozen=True):
    v: int
    phones: list[KeptPhone]
    shown: list[KeptShown]
    media: dict[str, Media]
    read: list[str]


def remember(phones: Phones, path: Path) -> None:
    """Either the whole file is new or the old one stays."""
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.msgpack.encode(_memory(phones)))
    draft.replace(path)


def _memory(phones: Phones) -> Memory:
    world = phones.simulator.world
    return Memory(
        v=1,
        phones=[KeptPhone(c.name, c.phone or "", c.windows, phones.of(c)) for c in phones.customers.values()],
        shown=[
            KeptShown(one.id, one.account, one.customer.phone or "", one.payload, one.at, one.status)
            for one in world.shown.values()
            if one.customer is not None and one.customer.phone in phones.customers
        ],
        media=_newest(world.media),
        read=world.read,
    )


def _newest(media: dict[str, Media]) -> dict[str, Media]:
    kept, size = {}, 0
    for id, one in reversed(media.items()):
        size += len(one.data)
        if size > MAX_FILES_BYTES:
            break
        kept[id] = one
    return dict(reversed(kept.items()))


def recall(phones: Phones, path: Path, now: datetime) -> None:
    """Nothing, when there is nothing or it cannot be read."""
    try:
        memory = msgspec.msgpack.decode(path.read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.DecodeError):
        return
    world = phones.simulator.world
    world.media |= memory.media
    world.read += memory.read
    for kept in memory.phones:
        customer = phones.add(kept.name, kept.phone)
        customer.windows = kept.windows
        phones.said[kept.phone] = [said for said in kept.said if said.delivered]
    for one in memory.shown:
        shown = Shown(one.id, one.account, phones.customers[one.phone], one.payload, one.at, one.status)
        world.shown[one.id] = shown
    for kept in memory.phones:
        _send_again(phones, phones.customers[kept.phone], [said for said in kept.said if not said.delivered], now)


def _send_again(phones: Phones, customer: Customer, waiting: list[Said], now: datetime) -> None:
    for said in waiting:
        phones.send(customer, said.content, now, said.reply_to)
