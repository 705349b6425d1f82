"""What the simulated provider saw, as the auditor reads it. Times are seconds of its own steady clock.

Rule: it holds what was promised (acknowledged, accepted), and nothing that the gateway says about itself.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

Rank = Literal["sent", "delivered", "read"]


class Written(Struct, kw_only=True):
    """A customer's message."""

    id: str
    customer: str
    count: int
    """Counts the messages of this customer, from 1."""
    number: str
    text: str
    acked_at: float | None = None


class Told(Struct, kw_only=True):
    """A status about a send."""

    target: str
    status: Rank
    acked_at: float | None = None


class Accepted(Struct, kw_only=True):
    """A send that got an id; to the provider it is out."""

    id: str
    customer: str
    number: str
    text: str
    key: str
    """`biz_opaque_callback_data`."""
    at: float
    answered: bool = True
    """False: the connection was cut before its answer."""


class Counts(Struct, kw_only=True):
    posts: int = 0
    redelivered: int = 0
    """POSTs that were sent again because there was no 200."""
    duplicates: int = 0
    """POSTs that were sent again although there had been one."""
    refused: dict[int, int] = {}
    """Answers to signed webhooks that were no 200, by their status."""
    faults: dict[str, int] = {}
    """What was done to sends, by its name."""
    marks: int = 0


class Journal(Struct, kw_only=True):
    written: list[Written] = []
    told: list[Told] = []
    accepted: list[Accepted] = []
    counts: Counts = field(default_factory=Counts)
    unfinished: int = 0
    """Updates that were never acknowledged although there was time."""


class Progress(Struct, kw_only=True):
    """What the conductor of a run asks for while it goes on."""

    written: int
    acked: int
    waiting: int
    """Updates that are not acknowledged yet."""
    accepted: int


class Visit(Struct, kw_only=True):
    """What one visitor said and saw."""

    name: str
    texts: list[str]
    acked: list[str]
    refused: list[str]
    answers: list[str]
    """In the order of their numbers on the wire."""
    violations: list[str]
    reconnects: int


class Visits(Struct, kw_only=True):
    visits: list[Visit] = []
