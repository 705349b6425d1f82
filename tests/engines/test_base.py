import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest

from gateway.engines.base import (
    Answer,
    EngineRefused,
    EngineUnavailable,
    Finished,
    Piece,
    Source,
    Sure,
    Turn,
    Written,
    cite,
    collect,
)
from tests.engines.turns import turn

RETURNS = Source("Returns", "returns.md", "How long?")


class Scripted:
    """Plays a script; `closed` tells that its generator was ended, `started` that it is waiting."""

    name = "scripted"

    def __init__(self, *script: Written | Exception, hangs: bool = False) -> None:
        self.script = script
        self.hangs = hangs
        self.started = asyncio.Event()
        self.closed = False

    async def answer(self, turn: Turn) -> AsyncGenerator[Written, None]:
        try:
            for event in self.script:
                if isinstance(event, Exception):
                    raise event
                yield event
            self.started.set()
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def test_question_is_the_customers_last_text() -> None:
    assert turn("one", "two", ("ai", "three")).question == "two"
    assert turn(("ai", "hello")).question == ""
    assert turn().question == ""


@pytest.mark.parametrize(
    ("said", "unanswered"),
    [
        (turn("one", "two"), ("one", "two")),
        (turn("one", ("ai", "answer"), "two", "three"), ("two", "three")),
        (turn("one", ("agent", "answer")), ()),
        (turn(), ()),
    ],
)
def test_unanswered_is_what_came_since_anybody_answered(said: Turn, unanswered: tuple[str, ...]) -> None:
    assert said.unanswered == unanswered


def test_a_turn_survives_the_wire_and_refuses_naive_times() -> None:
    said = turn("one", ("agent", "two"))
    assert msgspec.json.decode(msgspec.json.encode(said), type=Turn) == said
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(said).replace(b"Z", b""), type=Turn)


async def test_collect_puts_the_pieces_together_as_they_are() -> None:
    engine = Scripted(Piece("One."), Piece(" Two."), Piece("\nThree."), Finished(confidence=0.9, sources=(RETURNS,)))
    assert await collect(engine, turn("?")) == Answer(text="One. Two.\nThree.", confidence=0.9, sources=(RETURNS,))
    assert engine.closed


async def test_collect_needs_no_word_on_how_sure_it_will_be() -> None:
    engine = Scripted(Sure(0.9), Piece("One."), Finished(confidence=0.9))
    assert await collect(engine, turn("?")) == Answer(text="One.", confidence=0.9)


async def test_collect_keeps_what_was_said_before_a_handoff() -> None:
    engine = Scripted(Piece("One."), Finished(confidence=0.1, handoff="unsure"))
    assert await collect(engine, turn("?")) == Answer(text="One.", confidence=0.1, handoff="unsure")


async def test_collect_refuses_a_stream_without_an_end() -> None:
    with pytest.raises(EngineUnavailable, match="ended without"):
        await collect(Scripted(Piece("One.")), turn("?"))


@pytest.mark.parametrize("error", [EngineUnavailable("503", retry_after_s=2.0), EngineRefused("filtered")])
async def test_collect_passes_errors_on_and_closes(error: Exception) -> None:
    engine = Scripted(Piece("One."), error)
    with pytest.raises(type(error)) as raised:
        await collect(engine, turn("?"))
    assert raised.value is error
    assert engine.closed


async def test_the_callers_time_limit_ends_the_engine() -> None:
    engine = Scripted(Piece("One."), hangs=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await collect(engine, turn("?"))
    assert engine.closed


async def test_cancelling_the_task_ends_the_engine() -> None:
    engine = Scripted(Piece("One."), hangs=True)
    task = asyncio.create_task(collect(engine, turn("?")))
    await engine.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.closed


async def test_closing_the_generator_ends_the_engine_between_two_pieces() -> None:
    engine = Scripted(Piece("One."), Piece(" Two."), Finished(confidence=1.0))
    stream = engine.answer(turn("?"))
    assert await anext(stream) == Piece("One.")
    await stream.aclose()
    assert engine.closed


def test_cite_names_each_source_once() -> None:
    assert cite((RETURNS, RETURNS, Source("Our handbook"))) == "Source: Returns, “How long?”; Our handbook"
    assert cite(()) == ""
