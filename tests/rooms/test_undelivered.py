"""An answer of the AI's that fails for good: people get the conversation, whoever told of it, and in silence."""

from __future__ import annotations

import asyncio

import pytest

from adapters.base import Flow, Sent, Unreachable
from gateway.perform import verdict
from gateway.perform.begin import begin
from gateway.perform.outcome import write_settled
from gateway.store import outbox
from gateway.store.schema import DONE, DOUBT, DUE, FAILED, PARKED, SUPERSEDED
from normalizer.ids import CommandId
from router.conversation import Agent, Ai, Conversation, Queue
from tests.gateway.provider import HangUp, Slow
from tests.rooms.engine import Says, Waits, writes
from tests.rooms.graph import accepted, refused
from tests.rooms.line import Ear
from tests.rooms.talk import says
from tests.rooms.world import World, status, text

NO = refused(400, 131026)
"""Undeliverable."""
UNDELIVERED = "undelivered"


async def _answered(world: World, id: str = "in.1") -> None:
    await world.post(text(id))
    await world.run()


async def _told(world: World) -> Conversation:
    """With people, once, who have a time to look at it, and not a word to the customer."""
    await world.run()
    one = await world.conversation()
    assert one.holder == Queue("default")
    assert one.reason.startswith(UNDELIVERED)
    assert (one.next_step, one.due_at is not None, one.last_in > one.answered) == ("a person answers", True, True)
    assert (_handoffs(world), len(world.commands("notify"))) == ([UNDELIVERED], 1)
    assert not any(line.startswith("system:") for line in await world.talk())
    return one


def _handoffs(world: World) -> list[str]:
    return [reason for done in world.processed for reason in done.handoffs]


async def _with_ai(world: World) -> None:
    await world.run()
    assert ((await world.conversation()).holder, _handoffs(world)) == (Ai(), [])
    assert UNDELIVERED not in _facts(world)


def _facts(world: World) -> list[str]:
    """Kinds of the facts that room 2 has read."""
    found = (item.fact for done in world.processed for item in done.items if item.fact is not None)
    return [str(fact.__struct_config__.tag) for fact in found]


# --- how it fails -----------------------------------------------------------------------------------------------------


async def test_refused_on_send(world: World) -> None:
    world.graph.then(NO)
    await _answered(world)
    one = await _told(world)
    assert (world.states(), await world.statuses()) == ([FAILED], ["failed"])
    assert "131026" in one.reason


async def test_tried_too_often(world: World) -> None:
    world.graph.then(*[refused(503, 131016)] * 9)
    await _answered(world)
    assert world.states() == [DUE]
    for _ in range(20):
        world.clock.advance(901)
        await world.run()
    assert world.states() == [FAILED]
    await _told(world)


async def test_in_doubt_for_good(world: World) -> None:
    """A person may have it sent once more; whether it arrived nobody knows, so the customer is not left to wait."""
    await world.send_in_doubt()
    world.graph.then(HangUp())
    for _ in range(3):
        world.clock.advance(21)
        await world.run()
    assert world.states() == [PARKED]
    assert "in doubt" in (await _told(world)).reason


async def test_an_echo_that_comes_before_it_is_parked_has_told(world: World) -> None:
    """Room 3 held it meanwhile and knew nothing: it is out, and no failure."""
    command = await world.send_in_doubt()
    world.clock.advance(21)
    held = await world.store.write(lambda tx: outbox.claim(tx, "other", ["send"], lease_ms=30_000, most=1))
    await world.post(status("out.7", "sent", echo=f"{command}:0"))
    late = verdict.after_doubt(held[0], True, world.store.now())
    await world.store.write(lambda tx: write_settled(tx, [(held[0], late)], world.ids.intake))
    assert (late.state, world.states()) == (PARKED, [DOUBT])
    await _with_ai(world)
    assert world.states() == [DONE]


async def test_a_call_of_another_one_by_now_has_no_say(world: World) -> None:
    world.graph.then(NO)
    await world.post(text("in.1"))
    await world.answer_ai()
    held = await world.store.write(lambda tx: outbox.claim(tx, "other", ["send"], lease_ms=30_000, most=1))
    gone = verdict.failed(held[0]._replace(epoch=held[0].epoch - 1), world.store.now(), "refused")
    await world.store.write(lambda tx: write_settled(tx, [(held[0], gone)], world.ids.intake))
    await _with_ai(world)


async def test_an_adapter_with_a_defect_is_given_up_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a live channel, where a repeat does no harm."""

    def broken(*_: object) -> Flow[Sent]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(world.desk, "send", broken)
    await world.frame("ann", id="1", text="?")
    async with asyncio.timeout(60):
        for _ in range(20):
            await world.run()
            world.clock.advance(901)
    assert world.states() == [FAILED]
    await _told(world)


async def test_what_can_not_be_begun(world: World) -> None:
    """Its leg is gone."""
    await world.post(text("in.1"))
    await world.answer_ai()
    held = await world.store.write(lambda tx: outbox.claim(tx, "other", ["send"], lease_ms=30_000, most=1))
    lost = [held[0]._replace(leg_id=None)]
    await world.store.write(lambda tx: begin(tx, lost, world.directory, 1_000, world.ids.intake))
    assert world.states() == [FAILED]
    await _told(world)


# --- told by a receipt ------------------------------------------------------------------------------------------------


async def test_a_receipt_says_so(world: World) -> None:
    await _answered(world)
    await world.post(status("out.1", "sent"), status("out.1", "failed"))
    one = await _told(world)
    assert (world.states(), await world.statuses(), "131026" in one.reason) == ([DONE], ["failed"], True)


@pytest.mark.parametrize("echo", [False, True])
async def test_an_early_receipt_says_so(world: World, echo: bool) -> None:
    """It is faster than the answer of the call; with our key in it room 2 knows the message by itself."""
    gate = asyncio.Event()
    await world.post(text("in.1"))
    await world.answer_ai()
    world.graph.then(Slow(gate, accepted("out.9")))
    sending = asyncio.create_task(world.performer.drain())
    await world.graph.came(1)
    (command,) = world.commands("send")
    await world.post(status("out.9", "failed", echo=f"{command.id}:0" if echo else None))
    gate.set()
    await sending
    await _told(world)
    assert (await world.statuses(), world.table("parked", "id")) == (["failed"], [])


async def test_a_receipt_ends_the_doubt_and_says_so(world: World) -> None:
    command = await world.send_in_doubt()
    await world.post(status("out.7", "failed", echo=f"{command}:0"))
    await _told(world)
    assert (len(world.graph.sent), world.states()) == (1, [SUPERSEDED])


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_receipt_that_was_contradicted_before_is_none(world: World, batches: int) -> None:
    """With several devices one may fail and another receive."""
    await _answered(world)
    told = [status("out.1", "delivered"), status("out.1", "failed")]
    for part in [told] if batches == 1 else [[one] for one in told]:
        await world.post(*part)
    await _with_ai(world)


async def test_an_early_receipt_that_was_contradicted_is_none(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.post(status("out.1", "failed"))
    await world.post(status("out.1", "delivered"))
    await _with_ai(world)


async def test_what_contradicts_it_later_changes_nothing(world: World) -> None:
    await _answered(world)
    await world.post(status("out.1", "failed"))
    await world.post(status("out.1", "delivered"))
    await _told(world)
    assert await world.statuses() == ["delivered"]


async def test_it_is_told_once(world: World) -> None:
    """By the receipt of each part, and however often."""
    world.engine.then(Says("x" * 9_000))
    await _answered(world)
    for _ in range(3):
        world.clock.advance(4)
        await world.run()
    assert (len(world.graph.sent), world.states()) == (3, [DONE])
    await world.post(status("out.1", "failed"), status("out.2", "failed"))
    await world.post(status("out.3", "failed"))
    await world.post(status("out.3", "failed") | {"timestamp": "1749416399"})
    await _told(world)


# --- who gets it ------------------------------------------------------------------------------------------------------


async def test_people_answer_and_the_ai_does_not_any_more(world: World) -> None:
    world.graph.then(NO)
    await _answered(world)
    await world.post(text("in.2", "hello?"))
    await world.run()
    assert (world.states("ask_ai"), world.graph.texts) == ([DONE], ["re: hello"])
    await world.reply("I am here")
    await world.run()
    one = await world.conversation()
    assert (isinstance(one.holder, Agent), one.due_at, _handoffs(world)) == (True, None, [UNDELIVERED])


async def test_the_question_that_is_being_answered_is_peoples_too(world: World) -> None:
    gate = asyncio.Event()
    await _answered(world)
    world.engine.then(Waits(gate, Says("too late")))
    await world.post(text("in.2", "and?"))
    asking = asyncio.create_task(world.performer.drain())
    await world.engine.asked(2)
    await world.post(status("out.1", "failed"))
    gate.set()
    await asking
    await _told(world)
    assert "ai: too late" not in await world.talk()


async def test_once_a_newer_turn_has_its_answer_it_is_shown_and_no_more(world: World) -> None:
    await _answered(world)
    await _answered(world, "in.2")
    await world.post(status("out.1", "failed"))
    await world.run()
    assert ((await world.conversation()).holder, _handoffs(world)) == (Ai(), [])
    assert await world.statuses() == ["failed", "sent"]


async def test_two_that_fail_are_one_handoff(world: World) -> None:
    await _answered(world)
    await _answered(world, "in.2")
    await world.post(status("out.1", "failed"), status("out.2", "failed"))
    await _told(world)


async def test_given_back_the_ai_is_asked_again_and_may_fail_again(world: World) -> None:
    world.graph.then(NO, NO)
    await _answered(world)
    await world.take_over(Ai())
    await world.run()
    assert (world.states("ask_ai"), world.states()) == ([DONE] * 2, [FAILED] * 2)
    assert ((await world.conversation()).holder, _handoffs(world)) == (Queue("default"), [UNDELIVERED] * 2)


# --- what is none -----------------------------------------------------------------------------------------------------


async def test_a_try_that_is_repeated_is_none(world: World) -> None:
    world.graph.then(refused(503, 131016))
    await _answered(world)
    world.clock.advance(901)
    await _with_ai(world)
    assert world.states() == [DONE]


async def test_what_a_person_or_a_program_of_ours_wrote_is_none(world: World) -> None:
    """Whoever wrote it sees it; and that people take over is no answer."""
    world.graph.then(NO, NO)
    world.engine.then(Says("perhaps", confidence=0.1))
    await _answered(world)
    await world.reply("me")
    await world.reply("a notice", system=True)
    await world.run()
    await world.take_over(Ai())
    await world.post(status("out.1", "failed"))
    await world.run()
    assert (world.states(), await world.statuses()) == ([FAILED, FAILED, DONE], ["failed"] * 3)
    assert ((await world.conversation()).holder, UNDELIVERED in _facts(world)) == (Ai(), False)


async def test_an_answer_that_nobody_wants_any_more_is_none(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.take_over()
    await world.run()
    assert (world.states(), _facts(world).count(UNDELIVERED)) == ([SUPERSEDED], 0)


async def test_a_file_that_is_gone_and_a_mark_are_none(world: World) -> None:
    world.with_policy(mark_read=True)
    image = {"type": "image", "image": {"id": "gone", "mime_type": "image/png", "sha256": "x"}}
    await world.post({**text("in.1"), **image})
    for _ in range(9):
        await world.run()
        world.clock.advance(901)
    assert (world.states("fetch_media"), world.states()) == ([DONE], [DONE])
    await _with_ai(world)


async def test_who_hangs_up_waits_for_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What he has heard is recorded, and what he has not was said to nobody. When he calls again the AI answers."""

    def gone(*_: object) -> Flow[Sent]:
        raise Unreachable("nobody is on the line")

    ear = Ear(world.wake.streams)
    ear.deaf = True
    monkeypatch.setattr(world.line, "send", gone)
    world.engine.then(writes("One. Two."))
    await says(world, "1", "?")
    await world.run()
    assert world.states() == [FAILED]
    await _with_ai(world)


async def test_whom_a_provider_could_not_call_does_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> Flow[Sent]:
        raise Unreachable("that number can not be reached", provider_code="21214")

    Ear(world.wake.streams).deaf = True
    monkeypatch.setattr(world.line, "send", busy)
    await says(world, "1", "?")
    await world.run()
    assert (await world.conversation()).reason.startswith(UNDELIVERED)


# --- an operator has it sent again ------------------------------------------------------------------------------------


async def _revive(world: World) -> None:
    await world.run()
    (command,) = world.commands("send")
    assert await world.store.write(lambda tx: outbox.revive(tx, CommandId(command.id), [FAILED, PARKED]))
    await world.run()


async def test_after_the_handoff_it_is_not_sent_again(world: World) -> None:
    """It is people's now: what the AI wrote before stays unsaid, as with every takeover."""
    world.graph.then(NO)
    await _answered(world)
    await _revive(world)
    assert (world.states(), len(world.graph.sent)) == ([SUPERSEDED], 1)
    await _told(world)


async def test_before_room_2_knows_it_goes_out_and_people_still_look(postgres_world: World) -> None:
    world = postgres_world
    world.graph.then(NO)
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.performer.drain()
    (command,) = world.commands("send")
    await world.store.write(lambda tx: outbox.revive(tx, CommandId(command.id), [FAILED]))
    await world.performer.drain()
    assert (world.states(), len(world.graph.sent)) == ([DONE], 2)
    await _told(world)
