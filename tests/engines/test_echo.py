import pytest

from gateway.engines.base import Answer, Engine, Finished, Piece, Sure, collect
from gateway.engines.echo import EchoEngine
from tests.engines.turns import turn

ENGINE: Engine = EchoEngine()


@pytest.mark.parametrize("text", ["Hello", "Zwei\nZeilen", "👍", "x" * 10_000])
async def test_it_says_what_the_customer_said_last(text: str) -> None:
    assert await collect(ENGINE, turn("before", ("ai", "no"), text)) == Answer(text=text, confidence=1.0)


@pytest.mark.parametrize("text", ["", " \n "])
async def test_with_nothing_to_repeat_it_hands_off(text: str) -> None:
    answer = await collect(ENGINE, turn(text))
    assert (answer.text, answer.confidence) == ("", 0.0)
    assert answer.handoff


async def test_it_is_sure_before_it_speaks_so_that_it_may_be_spoken_at_once() -> None:
    assert [event async for event in ENGINE.answer(turn("Hello"))] == [
        Sure(1.0), Piece("Hello"), Finished(confidence=1.0)
    ]  # fmt: skip
    assert not any([isinstance(event, Sure) async for event in ENGINE.answer(turn(""))])
