"""Statements are compiled once for each database and give every parameter its place."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gateway.store.schema import command, external
from gateway.store.statement import POSTGRESQL, SQLITE, AnyOf, Statement, b, insert
from gateway.store.store import Store
from gateway.store.tx import Tx


def test_a_list_is_one_parameter_on_both() -> None:
    statement = Statement(lambda d: sa.select(command.c.n).where(AnyOf(command.c.kind, "kinds")), "kinds")
    assert statement.text(SQLITE).endswith("command.kind IN (SELECT value FROM json_each(?))")
    assert statement.text(POSTGRESQL).endswith("command.kind = ANY(%s)")


def test_a_list_is_compared_with_nothing_else() -> None:
    """`... = 1` behind it would cost SQLite the index."""
    statement = Statement(
        lambda d: sa.select(command.c.n).where(AnyOf(command.c.kind, "kinds"), command.c.n > b("after")),
        "kinds",
        "after",
    )
    assert "json_each(?)) AND command.n > ?" in statement.text(SQLITE)


def test_the_callers_order_is_not_the_texts_and_constants_find_their_place(store: Store) -> None:
    """An UPDATE names its columns in the table's order, whatever the caller's order is."""
    add = insert(external, "external_id", "channel_id", "at", "rank")
    change = Statement(
        lambda d: sa.update(external)
        .values(failure=b("p_failure"), rank=external.c.rank + 5)
        .where(external.c.external_id == b("p_id"), external.c.rank < b("p_most"), external.c.channel_id == "wa"),
        "p_most", "p_id", "p_failure",
    )  # fmt: skip
    read = Statement(lambda d: sa.select(external.c.external_id, external.c.rank, external.c.failure))

    def work(tx: Tx) -> tuple[int, list[tuple[object, ...]]]:
        tx.run_many(add, [("x", "wa", 1, 3), ("y", "wa", 1, 8), ("z", "mail", 1, 0)])
        touched = tx.run_many(change, [(6, "x", "why"), (6, "y", "why"), (6, "z", "why")])
        return touched, sorted(tx.rows(read))

    touched, rows = store.write_now(work)
    assert touched == 1
    assert rows == [("x", 8, "why"), ("y", 8, None), ("z", 0, None)]


def test_a_statement_is_compiled_once_for_each_database() -> None:
    built: list[str] = []

    def build(database: object) -> object:
        built.append(type(database).__name__)
        return sa.select(command.c.n)

    statement = Statement(build)
    assert statement.text(SQLITE) == statement.text(SQLITE)
    assert statement.text(POSTGRESQL) == statement.text(POSTGRESQL)
    assert len(built) == 2


def test_the_dialects_write_parameters_as_their_drivers_read_them() -> None:
    assert SQLITE.dialect.paramstyle == "qmark"
    assert isinstance(POSTGRESQL.dialect, postgresql.dialect)
    assert POSTGRESQL.dialect.paramstyle == "format"
