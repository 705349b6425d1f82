"""What a commit of room 3 asks of the database: counted, since each statement is paid for with every message."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.perform import verdict
from gateway.perform.outcome import write_sent
from gateway.store import outbox
from gateway.store.statement import Statement
from gateway.store.tx import Tx
from normalizer.ids import ExternalId
from tests.rooms.world import World, status, text


@pytest.mark.parametrize(("early", "statements"), [([], 3), (["delivered"], 5), (["failed", "read"], 6)])
async def test_while_nothing_fails_a_send_costs_no_statement_more(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, early: list[str], statements: int
) -> None:
    """Its outcome, its id and who waits for that; then what waited. Only a receipt that says no is looked at twice."""
    world, run = sqlite_world, list[Statement]()
    await world.post(text("in.1"))
    await world.answer_ai()
    if early:
        await world.post(*(status("out.1", one) for one in early))
    (held,) = await world.store.write(lambda tx: outbox.claim(tx, "other", ["send"], lease_ms=30_000, most=1))
    text_of = Statement._for

    def counted(self: Statement, *args: Any) -> Any:
        run.append(self)
        return text_of(self, *args)

    def written(tx: Tx) -> None:
        monkeypatch.setattr(Statement, "_for", counted)
        write_sent(tx, held, verdict.done(held, tx.now()), [ExternalId("out.1")], world.ids.intake)
        monkeypatch.undo()

    await world.store.write(written)
    assert len(run) == statements
