"""What a chat shows: conversations beside each other, each with its lines."""

from msgspec import Struct

from gateway.sandbox.screen import Line


class RoomView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    title: str
    hint: str
    messages: tuple[Line, ...]
    legs: tuple[str, ...] = ()
    """Addresses that the gateway knows this customer by here."""
    typing: bool = False
    prefix: str = ""
    """What a message begins with, so that it is answered."""
    threads: bool = False
    """Answers stand below what they answer."""


class RoomsScreen(Struct, frozen=True, kw_only=True):
    version: int
    rooms: tuple[RoomView, ...]
