"""What a channel's outside is: one provider, the people who use it, and a record of what they saw.

A `Line` lives in the process of the test, on loopback; the gateway is a process of its own that knows it by settings
alone. What makes trouble on the way (repeats, another order, errors, answers that never come) is the line's own matter.

Rule: the record holds what the outside saw and nothing that the gateway says about itself.
Rule: every text is said once, so that a text names its message; the engine repeats it, so it names its answer, too.
Rule: times are seconds of `time.monotonic()`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any, Protocol

from msgspec import Struct, field

from normalizer.envelope import Envelope, Status


class Said(Struct, eq=False):
    """A customer's message."""

    customer: str
    text: str
    at: float
    acked_at: float | None = None
    """When the gateway took it: from then on it must not be lost, and what is said later must come after it."""
    kept: bool = False
    """The provider keeps it and can be asked for it: it must not be lost even if the gateway never took it."""


class Heard(Struct, eq=False):
    """A message of the gateway's that reached the provider, or the customer where there is none in between."""

    customer: str
    text: str
    at: float
    id: str | None = None
    """The external id that the gateway should know it by. None: it has none."""
    told: dict[Status, float] = field(default_factory=dict)
    """Which receipts about it the gateway has taken, and when."""


class Record(Struct, eq=False):
    said: list[Said] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    """Of all that was heard."""
    counts: Counter[str] = field(default_factory=Counter)
    """What else is worth a line of the table: repeats, faults, refusals ..."""
    wrong: list[str] = field(default_factory=list)
    """What the outside saw and must never see, in words."""
    noted: set[str] = field(default_factory=set)
    """External ids and names of events that are stored, once, and not answered: a machine wrote it, a call ended ..."""
    refused: set[str] = field(default_factory=set)
    """Texts of answers that nobody will ever take: each ends as a failure, and is heard by nobody."""
    unheard: set[str] = field(default_factory=set)
    """Texts of answers that may have found nobody on the line: those end as a failure, too."""
    killed: list[float] = field(default_factory=list)
    """When the gateway was."""

    def hears(self, one: Heard) -> Heard:
        self.heard.append(one)
        self.texts.add(one.text)
        return one


class Scene(Struct, frozen=True):
    """One type of what can come in."""

    name: str
    play: Callable[[], None]
    """It happens at the provider."""
    becomes: Callable[[Envelope], bool]
    """Whether this stored envelope is it. Exactly one must be."""
    slow: bool = False
    """Takes its time (somebody has to look for it): the others go on meanwhile."""


class Line(Protocol):
    """A channel's outside."""

    @property
    def name(self) -> str: ...
    @property
    def record(self) -> Record: ...
    @property
    def customers(self) -> Sequence[str]:
        """Names of the people who write by themselves."""
        ...

    @property
    def sources(self) -> int:
        """How many of the gateway's sources have to have a cursor before anybody writes: it is installed by then."""
        ...

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        """For the gateway's YAML: its `endpoints`."""
        ...

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """For the gateway's YAML: what else differs from the defaults, by section."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """It can be called, and delivers, as long as this is open; also while no gateway is there."""
        ...

    def say(self, customer: str, text: str) -> Said:
        """A customer writes. It is in the record, and `acked_at` is set when it was taken."""
        ...

    @property
    def waiting(self) -> int:
        """What is still to be delivered or repeated."""
        ...

    def calm(self) -> None:
        """No trouble of its own from here on: what is under way comes to its end."""
        ...

    def scenes(self) -> Sequence[Scene]:
        """Every type of what this channel can bring, in an order in which they can happen."""
        ...


class Place(Struct, frozen=True, kw_only=True):
    """Where a line and its gateway are, and how much goes wrong between them."""

    gateway_url: str
    port: int
    """Free on loopback, for the line. A line that needs more finds them itself (`tests.servers.free_port`)."""
    random: Random
    trouble: bool
    """False: everything comes once, in its order, and every call is answered."""
    patient: bool = True
    """False: no trouble whose end takes a minute."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Open = Callable[[Place], Line]
"""What `lines.py` lists."""


async def until(come: Callable[[], bool], limit_s: float = float("inf"), look_s: float = 0.01) -> bool:
    """False: the limit came first."""
    end = time.monotonic() + limit_s
    while not come():
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(look_s)
    return True
