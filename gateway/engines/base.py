"""The interface of an AI engine: all that the author of one needs to read.

An engine gets a `Turn`, the conversation as the caller allows it to be seen, and streams an answer: any number of
`Piece`s, then exactly one `Finished`. An engine that knows beforehand how sure it is begins with one `Sure`.

    EngineError
    ├── EngineUnavailable     no answer, and none soon: counts for the breaker
    ├── EngineRefused         this one turn is not answered; the engine itself is well
    └── EngineMisconfigured   raised at its making only: with these settings it cannot start

Rule: a piece is whole sentences. The caller guards and sends them one by one; nothing that was yielded is taken back.
Rule: only after `Sure` may an answer be spoken while it is being written. Without it the caller waits for `Finished`:
somebody who hears half an answer that nobody stands behind was told something wrong.
Rule: the pieces, put together as they are, make the answer: white space between two sentences leads the second one.
Rule: whoever calls keeps the time (`asyncio.timeout`) and stops an engine by closing its generator or by cancelling
the task. An engine holds nothing that survives either, and never swallows `CancelledError` or `GeneratorExit`.
Rule: an engine sees only what is in the turn. It is masked already; placeholders in it are passed on as they stand.
Rule: error texts hold facts and codes, never words of the customer.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Literal, Protocol

from msgspec import Struct

from normalizer.envelope import Instant
from normalizer.ids import ConversationId

# --- what goes in -------------------------------------------------------------------------------------------------


class Utterance(Struct, frozen=True):
    author: Literal["customer", "ai", "agent"]
    text: str
    at: Instant


class Turn(Struct, frozen=True, kw_only=True):
    conversation_id: ConversationId
    transcript: tuple[Utterance, ...]
    """In the order of the conversation; the last utterance is what is to be answered."""
    locale: str | None = None
    deadline_ms: int
    """How long the caller will wait, for engines that pass it on. The caller enforces it."""

    @property
    def question(self) -> str:
        """The customer's last text; empty when the customer has said nothing."""
        return next((said.text for said in reversed(self.transcript) if said.author == "customer"), "")

    @property
    def unanswered(self) -> tuple[str, ...]:
        """All that the customer wrote since anybody answered, oldest first."""
        texts: list[str] = []
        for said in reversed(self.transcript):
            if said.author != "customer":
                break
            texts.append(said.text)
        return tuple(reversed(texts))


# --- what comes out -----------------------------------------------------------------------------------------------


class Source(Struct, frozen=True):
    """Where an answer stands written."""

    title: str
    file: str = ""
    heading: str = ""

    def __str__(self) -> str:
        return f"{self.title}, “{self.heading}”" if self.heading else self.title


class Sure(Struct, frozen=True):
    """Comes first, if at all. `Finished` does not go below it."""

    confidence: float


class Piece(Struct, frozen=True):
    text: str


class Finished(Struct, frozen=True, kw_only=True):
    """The end of an answer, and how sure the engine is of it."""

    confidence: float
    """0 to 1. What is enough is the caller's policy, beside the engine's own `handoff`."""
    sources: tuple[Source, ...] = ()
    handoff: str | None = None
    """Why a human must take over, in words that hold nothing of the customer's. None: no need."""


Written = Sure | Piece | Finished


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer, for callers that do not stream."""

    text: str
    confidence: float
    sources: tuple[Source, ...] = ()
    handoff: str | None = None


class Engine(Protocol):
    @property
    def name(self) -> str:
        """Fixed for the life of the engine; appears in reasons, metrics and logs."""
        ...

    def answer(self, turn: Turn) -> AsyncGenerator[Written, None]:
        """Streams one answer; raises EngineError only, before or between pieces. Called concurrently."""
        ...


# --- errors -------------------------------------------------------------------------------------------------------


class EngineError(Exception):
    """Base of everything that an engine raises on purpose."""


class EngineUnavailable(EngineError):
    """The engine is in trouble: unreachable, over its limits, or it broke the rules of this interface."""

    def __init__(self, text: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class EngineRefused(EngineError):
    """The engine will not answer this turn (its own filter, a turn that is too long); asking again is no use."""


class EngineMisconfigured(EngineError):
    """The engine cannot start with these settings, or on this machine; the text is for the operator."""


# --- for callers --------------------------------------------------------------------------------------------------


async def collect(engine: Engine, turn: Turn) -> Answer:
    """The whole answer at once. Raises EngineUnavailable also for a stream that ends without `Finished`."""
    texts: list[str] = []
    async with aclosing(engine.answer(turn)) as stream:
        async for event in stream:
            match event:
                case Sure():
                    continue
                case Piece(text=text):
                    texts.append(text)
                case Finished(confidence=confidence, sources=sources, handoff=handoff):
                    return Answer(text="".join(texts), confidence=confidence, sources=sources, handoff=handoff)
    raise EngineUnavailable("the stream ended without its end")


def cite(sources: Iterable[Source]) -> str:
    """One line that names the sources of an answer; empty when there are none."""
    named = "; ".join(dict.fromkeys(map(str, sources)))
    return f"Source: {named}" if named else ""
