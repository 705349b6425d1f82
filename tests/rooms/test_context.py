"""What a send gets to know: where its endpoint is called, and what the customer wrote about."""

from __future__ import annotations

from typing import Any

from tests.rooms.world import World


async def told(world: World, **frame: Any) -> tuple[str | None, str]:
    """The subject and the hook of the answer to this frame."""
    await world.frame("s1", text="hello", **frame)
    await world.run()
    context = world.desk.contexts[-1]
    return context.leg.subject, context.hook_url


async def test_an_answer_knows_the_subject_of_the_last_message(world: World) -> None:
    assert await told(world, id="1") == (None, "https://gateway.example/hooks/desk")
    assert (await told(world, id="2", subject="My order"))[0] == "My order"
    assert (await told(world, id="3"))[0] == "My order", "a message of a kind that has none"
    assert (await told(world, id="4", subject="Another one"))[0] == "Another one"
    assert (await told(world, id="5", subject=""))[0] == ""
