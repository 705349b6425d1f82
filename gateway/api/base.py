"""What an operation is, and what its handler gets and gives."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from gateway.api.problems import Problem
from gateway.api.shapes import ChannelHealth
from gateway.core import Core
from gateway.security import Scope, TokenRecord
from gateway.settings import Api as ApiSettings
from normalizer.codec import clean_text
from normalizer.ids import ChannelId

MOST_DIGITS = 19
Q = TypeVar("Q")
B = TypeVar("B")


class Remembered(Struct, frozen=True):
    """A channel's health and when (monotonic seconds) it was asked for."""

    at: float
    health: ChannelHealth


class Api:
    """What requests share: the house, the limits, and what is remembered for some seconds."""

    def __init__(self, core: Core, settings: ApiSettings) -> None:
        self.core, self.settings = core, settings
        self.health: dict[ChannelId, Remembered] = {}
        self.probing: dict[ChannelId, asyncio.Lock] = {}


class Asked(Struct, Generic[Q, B], frozen=True, kw_only=True):
    """A request that was let in, read and checked."""

    path: Mapping[str, str]
    query: Q
    body: B
    token: TokenRecord
    key: str | None
    """The caller's Idempotency-Key."""


class Answer(Struct, frozen=True):
    body: Struct
    status: int = 200


Handler = Callable[[Api, Asked[Any, Any]], Awaitable[Answer]]


class Operation(Struct, frozen=True, kw_only=True):
    """One line of the table that routes and the OpenAPI document are made of."""

    method: Literal["GET", "POST", "PUT"]
    path: str
    id: str
    summary: str
    scope: Scope
    handler: Handler
    answers: Mapping[int, type[Struct]]
    errors: tuple[str, ...] = ()
    """Beyond those that any operation may answer."""
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    key: Literal["required", "optional"] | None = None

    @property
    def writes(self) -> bool:
        return self.method != "GET"


# --- cursors ------------------------------------------------------------------------------------------------------


def to_cursor(*parts: object) -> str:
    """Opaque to callers: what it holds may change."""
    return urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode("ascii").rstrip("=")


def from_cursor(cursor: str, count: int) -> list[str]:
    """The parts of a cursor of ours. Raises Problem."""
    try:
        parts = clean_text(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()).split("\n")
    except ValueError:
        parts = []
    if len(parts) != count:
        raise bad_cursor()
    return parts


def number_of(part: str) -> int:
    """A number out of a cursor. Raises Problem."""
    number = whole(part)
    if number is None:
        raise bad_cursor()
    return number


def whole(text: str) -> int | None:
    """The number of 63 bits that is written there; None: there is none. Long ones are not even read."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        return None
    number = int(text)
    return number if number < 2**63 else None


def bad_cursor() -> Problem:
    return Problem("bad_request", "a cursor is the `next` of the page before", path="cursor")
