"""No statement of the daily work reads a whole table: asked of SQLite's own planner."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from gateway.store import (
    automatic,
    effects,
    files,
    heads,
    intake,
    keys,
    outbox,
    overview,
    people,
    reads,
    replay,
    threads,
)
from gateway.store.schema import metadata
from gateway.store.statement import SQLITE, Statement
from gateway.store.store import Store

RARE = {
    "intake._DEPTH",  # for readiness and metrics
    "intake._DEAD_COUNT",
    "effects._SEEN_PRUNE",  # the command `prune`
    "effects._ORPHANS",
    "outbox._PRUNE",
    "reads._BY_EXTERNAL",  # the command `trace`
    "reads._CAUSED",
    "reads._DEAD_OF",
    "reads._SEEN_OF",
    "overview._QUEUES",  # the list of queues
    "overview._PARKED_COUNT",  # for metrics, of what is next to nothing
    "keys._ALL",  # there are few
    "replay._RAW",  # a person replays what died
    "replay._REPLAYED",
}
"""Those may take their time: people and clocks ask for them, no message does."""

STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (automatic, intake, people, threads, effects, outbox, reads, files, heads, keys, overview, replay)
    for name, value in vars(module).items()
    if isinstance(value, Statement)
}
WHOLE_TABLE = re.compile(rf"SCAN ({'|'.join(metadata.tables)})\b(?!.* USING (COVERING )?INDEX)")


def plan(store: Store, statement: Statement) -> list[str]:
    text = statement.text(SQLITE)

    def explain(tx: object) -> list[str]:
        connection: sa.Connection = tx._connection  # type: ignore[attr-defined]  # because only this test looks inside
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (None,) * text.count("?"))
        return [row[3] for row in rows]

    return store.read_now(explain)


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 90
    assert set(STATEMENTS) > RARE


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - RARE))
def test_no_whole_table_is_read(sqlite_store: Store, name: str) -> None:
    assert not [line for line in plan(sqlite_store, STATEMENTS[name]) if WHOLE_TABLE.search(line)]


@pytest.mark.parametrize("name", sorted(RARE))
def test_what_is_listed_as_rare_does_read_one(sqlite_store: Store, name: str) -> None:
    assert [line for line in plan(sqlite_store, STATEMENTS[name]) if WHOLE_TABLE.search(line)]


USES = {
    "automatic._SAID": "SEARCH envelope USING INDEX envelope_seq (conversation_id=? AND seq>?)",
    "reads._WIRE_UNTIL": "SEARCH envelope USING INDEX envelope_wire (leg_id=? AND wire_seq>?)",
    "intake._CLAIM": "SEARCH intake USING INTEGER PRIMARY KEY (rowid<?)",
    "intake._BUSY": "SEARCH intake USING INDEX intake_leased (leased_until>?)",
    "intake._FINISH": "SEARCH intake USING INTEGER PRIMARY KEY (rowid=?)",
    "outbox._CLAIM": "SCAN command USING INDEX command_active",
    "outbox._SETTLE": "SEARCH command USING INTEGER PRIMARY KEY (rowid=?)",
    "outbox._OF_ENVELOPES": "SEARCH command USING INDEX command_envelope (envelope_id=?)",
    "threads._LOCK_OF": "SEARCH conversation USING INDEX sqlite_autoindex_conversation_2 (contact_id=?)",
    "effects._OF_ENVELOPES": "SEARCH external USING INDEX ix_external_envelope_id (envelope_id=?)",
    "effects._PARKED": "SEARCH parked USING INDEX parked_target (channel_id=? AND external_id=?)",
    "effects._SEEN": "SEARCH dedupe USING PRIMARY KEY (key=?)",
}


@pytest.mark.parametrize("name", sorted(USES))
def test_the_index_that_was_made_for_it_is_used(sqlite_store: Store, name: str) -> None:
    assert USES[name] in plan(sqlite_store, STATEMENTS[name])


def test_the_claim_of_the_outbox_looks_up_earlier_sends(sqlite_store: Store) -> None:
    lines = plan(sqlite_store, STATEMENTS["outbox._CLAIM"])
    assert any("SEARCH earlier USING INDEX command_leg (leg_id=? AND n<?)" in line for line in lines)
