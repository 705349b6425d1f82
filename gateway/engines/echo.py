"""An engine that says what the customer said: for measurements, and for trying out a channel without any content.

Rule: it is always sure and names no source; with nothing to repeat it hands off.
"""

from collections.abc import AsyncGenerator

from gateway.engines.base import Finished, Piece, Sure, Turn, Written


class EchoEngine:
    name = "echo"

    async def answer(self, turn: Turn) -> AsyncGenerator[Written, None]:
        text = turn.question.strip()
        if not text:
            yield Finished(confidence=0.0, handoff="there is no text to answer")
            return
        yield Sure(1.0)
        yield Piece(text)
        yield Finished(confidence=1.0)
