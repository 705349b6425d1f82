"""Promise 6: nothing is sent twice in silence, and nothing is dropped in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.perform import PerformSettings
from gateway.store import outbox
from gateway.store.schema import DONE, DOUBT, DUE, FAILED, FINAL, PARKED, SENDING, SUPERSEDED
from normalizer.envelope import Template, Text
from normalizer.ids import CommandId
from tests.gateway.provider import Answer, HangUp, Silent, Slow
from tests.rooms.graph import accepted, refused
from tests.rooms.world import World, status, text

TEMPLATE = Template("your_code", "en")


async def test_the_usual_case(world: World) -> None:
    await world.post(text("in.1"))
    await world.run()
    assert (world.graph.texts, world.states()) == (["re: hello"], [DONE])
    assert await world.talk() == ["customer: hello", "ai: re: hello"]


async def _interrupted(world: World) -> None:
    """The process ends while the provider has the request."""
    world.graph.then(Silent())
    sending = asyncio.create_task(world.performer.drain())
    await world.graph.came(1)
    assert world.states() == [SENDING]
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await world.crash()


async def _question(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()


async def test_sending_is_committed_before_the_call(world: World) -> None:
    gate = asyncio.Event()
    world.graph.then(Slow(gate, accepted("out.9")))
    await _question(world)
    sending = asyncio.create_task(world.performer.drain())
    await world.graph.came(1)
    assert world.states() == [SENDING]
    gate.set()
    await sending
    assert world.states() == [DONE]


async def test_what_was_interrupted_is_in_doubt_and_not_called_again(world: World) -> None:
    await _question(world)
    await _interrupted(world)
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([DOUBT], 1)


async def test_an_echo_ends_the_doubt(world: World) -> None:
    await _question(world)
    await _interrupted(world)
    await world.run()
    (command,) = world.commands("send")
    await world.post(status("out.1", "delivered", echo=f"{command.id}:0"))
    await world.run()
    world.clock.advance(3600)
    await world.run()
    assert (world.states(), len(world.graph.sent), await world.statuses()) == ([DONE], 1, ["delivered"])


async def test_without_an_echo_a_conversational_text_is_sent_once_more(world: World) -> None:
    await _question(world)
    await _interrupted(world)
    await world.run()
    world.clock.advance(21)
    await world.run()
    assert (world.states(), world.graph.texts) == ([DONE], ["re: hello"] * 2)


async def test_the_second_doubt_is_a_persons(world: World) -> None:
    await _question(world)
    await _interrupted(world)
    await world.run()
    world.graph.then(HangUp())
    for _ in range(3):
        world.clock.advance(21)
        await world.run()
    assert (world.states(), len(world.graph.sent), await world.statuses()) == ([PARKED], 2, ["failed"])


async def _parked(world: World) -> None:
    """A template that may be out: a person is to decide about it."""
    await world.post(text("in.1"))
    await world.take_over()
    await world.reply("", TEMPLATE)
    await _interrupted(world)
    await world.run()
    world.clock.advance(21)
    await world.run()


async def test_what_must_not_go_out_twice_is_parked_at_once(world: World) -> None:
    await _parked(world)
    assert (world.states(), len(world.graph.sent)) == ([PARKED], 1)


async def test_an_echo_that_comes_late_leaves_nothing_to_decide(world: World) -> None:
    """Once a person was to look at it, the provider tells after all; and never does an echo of a step that was over."""
    await _parked(world)
    assert world.states() == [PARKED]
    (command,) = world.commands("send")
    await world.post(status("out.1", "delivered", echo=f"{command.id}:0"))
    await world.run()
    assert (world.states(), len(world.graph.sent), await world.statuses()) == ([DONE], 1, ["delivered"])
    await world.post(status("out.1", "read", echo=f"{command.id}:0"))
    await world.run()
    assert (world.states(), len(world.graph.sent), await world.statuses()) == ([DONE], 1, ["read"])


async def test_a_person_may_have_it_tried_once_more(world: World) -> None:
    await _parked(world)
    (command,) = world.commands("send")
    await world.store.write(lambda tx: outbox.revive(tx, CommandId(command.id), [PARKED]))
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([DONE], 2)


async def test_several_messages_of_one_answer_go_on_where_the_echo_says(world: World) -> None:
    """Two parts; the first is interrupted, and its echo says that it is out: the second follows, the first does not."""
    await world.post(text("in.1"))
    await world.take_over()
    await world.reply("", Text("one"), Text("two"))
    await _interrupted(world)
    await world.run()
    (command,) = world.commands("send")
    await world.post(status("out.1", "delivered", echo=f"{command.id}:0"))
    await world.run()
    assert (world.graph.texts, world.states()) == (["one", "two"], [DONE])


async def test_a_part_waits_until_the_one_before_is_delivered(world: World) -> None:
    await world.post(text("in.1"))
    await world.take_over()
    await world.reply("", Text("one"), Text("two"), Text("three"))
    await world.run()
    assert world.graph.texts == ["one"]
    await world.post(status("out.1", "delivered"))
    await world.run()
    assert world.graph.texts == ["one", "two"]
    world.clock.advance(3.1)
    await world.run()
    assert (world.graph.texts, world.states()) == (["one", "two", "three"], [DONE])


# --- the catalogue of errors ------------------------------------------------------------------------------------------

RETRIED = {
    "server error": Answer(500, body=b"{}"),
    "too fast": refused(429, 130429),
    "pair limit": refused(400, 131056),
    "unavailable": refused(503, 131016),
}
FINALLY = {
    "window closed": refused(400, 131047),
    "undeliverable": refused(400, 131026),
    "bad parameter": refused(400, 100),
}


@pytest.mark.parametrize("case", RETRIED)
async def test_what_may_pass_is_tried_again_later(world: World, case: str) -> None:
    world.graph.then(RETRIED[case])
    await _question(world)
    await world.run()
    (command,) = world.commands("send")
    assert (command.state in (DUE, DOUBT), command.due_at > world.store.now()) == (True, True)
    world.clock.advance(901)
    await world.run()
    assert (world.states(), world.graph.texts) == ([DONE], ["re: hello"] * 2)


async def test_a_channel_whose_token_is_refused_stands_still_until_it_is_mended(world: World) -> None:
    """Nothing is wrong with the message: it goes out when the operator has put a good token in."""
    world.graph.then(refused(401, 190))
    await _question(world)
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([DUE], 1)
    await world.post(text("in.2", "again"))
    await world.run()
    assert len(world.graph.sent) == 1, "nobody else calls meanwhile"
    world.clock.advance(61)
    await world.run()
    world.clock.advance(61)
    await world.run()
    assert world.states() == [DONE, DONE]


@pytest.mark.parametrize("case", FINALLY)
async def test_what_is_hopeless_fails_with_its_reason(world: World, case: str) -> None:
    world.graph.then(FINALLY[case])
    await _question(world)
    await world.run()
    (command,) = world.commands("send")
    assert (command.state, bool(command.error), await world.statuses()) == (FAILED, True, ["failed"])


async def test_a_failed_send_does_not_block_the_leg(world: World) -> None:
    world.graph.then(FINALLY["bad parameter"])
    await _question(world)
    await world.run()
    await world.reply("I have it now")
    await world.run()
    assert world.states() == [FAILED, DONE]


async def test_tries_have_an_end(world: World) -> None:
    world.graph.then(*[RETRIED["unavailable"]] * 9)
    await _question(world)
    for _ in range(20):
        await world.run()
        world.clock.advance(901)
    assert (world.states(), len(world.graph.sent)) == ([FAILED], PerformSettings().retry.max_attempts)


async def test_later_sends_of_a_leg_wait_for_the_earlier(world: World) -> None:
    world.graph.then(RETRIED["unavailable"])
    await world.post(text("in.1"))
    await world.take_over()
    await world.reply("first")
    await world.reply("second")
    await world.run()
    assert world.graph.texts == ["first"]
    world.clock.advance(60)
    await world.run()
    assert world.graph.texts == ["first", "first", "second"]


async def test_another_legs_sends_do_not_wait(world: World) -> None:
    world.graph.then(RETRIED["unavailable"])
    await world.post(text("in.1"))
    await world.run()
    await world.post(text("in.2", "hi", sender="16505550002"))
    await world.run()
    assert world.graph.texts == ["re: hello", "re: hi"]


# --- nothing is forgotten ---------------------------------------------------------------------------------------------

TROUBLE = st.sampled_from(
    [accepted("x"), HangUp(), *RETRIED.values(), *FINALLY.values(), Answer(200, body=b"not JSON"), Answer(302)]
)


@given(script=st.lists(TROUBLE, max_size=6), crash=st.lists(st.booleans(), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_command_ends(sqlite_world: World, script: list[Any], crash: list[bool]) -> None:
    """Whatever the provider does and whenever we die: who waits has a due time, and in the end nobody waits."""
    world = sqlite_world
    world.graph._script.clear()
    world.graph.then(*(Answer(200, body=_fresh(world)) if one == accepted("x") else one for one in script))
    sender = f"1650556{world.ids.intake():06}"
    await world.post(text(f"in.{world.ids.uuid()}", sender=sender))
    for dies in crash:
        await world.run()
        if dies:
            await world.crash()
        assert all(row.due_at > 0 for row in world.commands() if row.state < FINAL)
    for _ in range(40):
        world.clock.advance(901)
        await world.run()
    assert [row for row in world.commands() if row.state < FINAL] == []
    assert {row.state for row in world.commands("send")} <= {DONE, FAILED, PARKED, SUPERSEDED}


def _fresh(world: World) -> bytes:
    return accepted(f"out.x{world.ids.uuid()}").body
