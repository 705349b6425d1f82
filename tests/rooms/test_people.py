"""Promise 9: a phone number belongs to whoever has it, and only as long."""

from __future__ import annotations

from typing import Any

from tests.rooms import line
from tests.rooms.world import World, text

OLD, NEW = "16505551234", "16505559999"
BEFORE, CHANGED, AFTER = "1749416000", "1749416383", "1749417000"


def wrote(id: str, sender: str, at: str, user: str | None = None) -> dict[str, Any]:
    return text(id, sender=sender) | {"timestamp": at} | ({"from_user_id": user} if user else {})


def changed(id: str, old: str, new: str) -> dict[str, Any]:
    system = {"type": "user_changed_number", "wa_id": new, "body": f"User changed from {old} to {new}"}
    return {"from": old, "id": id, "timestamp": CHANGED, "type": "system", "system": system}


async def test_a_new_number_is_the_same_person(world: World) -> None:
    for update in (wrote("in.1", OLD, BEFORE), changed("in.2", OLD, NEW), wrote("in.3", NEW, AFTER)):
        await world.post(update)
    assert len(await world.conversations()) == 1


async def test_what_was_written_before_the_change_and_comes_late_is_still_his(world: World) -> None:
    for update in (wrote("in.1", OLD, BEFORE), changed("in.2", OLD, NEW), wrote("in.3", OLD, BEFORE)):
        await world.post(update)
    assert len(await world.conversations()) == 1


async def test_whoever_gets_the_old_number_is_somebody_else(world: World) -> None:
    """Carriers give numbers to other people; he must not be answered with another one's conversation."""
    for update in (wrote("in.1", OLD, BEFORE), changed("in.2", OLD, NEW), wrote("in.3", OLD, AFTER, "US.77")):
        await world.post(update)
    assert len(await world.conversations()) == 2
    await world.post(wrote("in.4", OLD, AFTER, "US.77"))
    await world.post(wrote("in.5", NEW, AFTER))
    assert len(await world.conversations()) == 2


async def test_all_in_one_batch(world: World) -> None:
    updates = (
        wrote("in.1", OLD, BEFORE),
        changed("in.2", OLD, NEW),
        wrote("in.3", OLD, AFTER),
        wrote("in.4", NEW, AFTER),
    )
    await world.post(*updates)
    assert len(await world.conversations()) == 2


async def test_he_may_get_his_old_number_back(world: World) -> None:
    updates = (wrote("in.1", OLD, BEFORE, "US.11"), changed("in.2", OLD, NEW), wrote("in.3", OLD, AFTER, "US.11"))
    for update in updates:
        await world.post(update)
    assert len(await world.conversations()) == 1


async def test_what_somebody_merely_says_of_himself_finds_nobody(world: World) -> None:
    """He names a number that is not his; who calls from it, not vouched for either, is still somebody else."""
    await world.frame("visitor", id="1", text="call me", says=["tel:+16505551234"])
    await world.frame("+16505551234", endpoint=line.ENDPOINT, id="2", text="who is it", claimed=True)
    assert len(await world.conversations()) == 2
    await world.frame("visitor", id="3", text="again", says=["tel:+16505551234"])
    assert len(await world.conversations()) == 2
