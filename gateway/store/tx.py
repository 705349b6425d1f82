"""A transaction as the operations see it: a connection, the database's ways, and the store's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from gateway.store.statement import Database, Row, Statement

if TYPE_CHECKING:
    from gateway.store.handover import Arrived, Handover
    from gateway.store.intake import Claim, Claimed, IntakeRow, Leased


class Tx:
    """Lives as long as its transaction. `now()` is the store's clock in milliseconds, the same for every node."""

    __slots__ = ("_connection", "_database", "_handover", "at_once", "handed", "left", "now", "settled", "then")

    def __init__(
        self, connection: Connection, database: Database, now: Callable[[], int], handover: Handover | None = None
    ) -> None:
        self._connection, self._database, self._handover = connection, database, handover
        self.now = now
        self.handed: list[Claimed] = []
        """What room 2 gets when this is committed."""
        self.left = False
        """Something new waits for it in the intake."""
        self.settled: list[Claim] = []
        """Claims that are over with this commit: their rows are settled, or back in the table."""
        self.at_once = 0
        """How many of what it stores it has settled."""
        self.then: Callable[[], None] | None = None
        """Called on the loop when this is committed."""

    def arrive(self, rows: Sequence[IntakeRow]) -> tuple[Sequence[IntakeRow], Sequence[Leased]]:
        """New in the intake: (what waits to be claimed, what is leased to room 2 already)."""
        if self._handover is None:
            self.left |= bool(rows)
            return rows, ()
        waiting, leased = self._handover.split(rows, self.now())
        self.left |= bool(waiting)
        self.handed += [row.claimed() for row in leased]
        return waiting, leased

    def leave(self, rows: Sequence[Arrived]) -> None:
        """These are about to be in the intake, claimed by nobody."""
        self.left = True
        if self._handover is not None:
            self._handover.waits(rows)

    def settle(self, settle: Callable[[Tx, list[Claimed]], Callable[[], None]], rows: list[Claimed]) -> None:
        """These are settled here. An error leaves nothing of it, and they are handed over like all others."""
        handed, settled = self.handed, self.settled
        self.handed, self.settled = [row for row in handed if row not in rows], list(settled)
        self._connection.exec_driver_sql("SAVEPOINT prompts")
        try:
            self.then, self.at_once = settle(self, rows), len(rows)
        except Exception:
            self._connection.exec_driver_sql("ROLLBACK TO prompts")
            self.handed, self.settled = handed, settled
            raise
        finally:
            self._connection.exec_driver_sql("RELEASE prompts")

    @property
    def is_alone(self) -> bool:
        """While it writes nobody else does: SQLite has one place to write."""
        return self._database.name == "sqlite"

    def rows(self, statement: Statement, row: Row = ()) -> list[tuple[Any, ...]]:
        """Read straight from the driver's cursor: nobody here needs rows with names."""
        result = statement.run(self._connection, self._database, row)
        assert result.cursor is not None
        found = list(result.cursor.fetchall())
        result.close()
        return found

    def first(self, statement: Statement, row: Row = ()) -> tuple[Any, ...] | None:
        found = self.rows(statement, row)
        return found[0] if found else None

    def scalar(self, statement: Statement, row: Row = ()) -> Any:
        return self.rows(statement, row)[0][0]

    def run(self, statement: Statement, row: Row = ()) -> int:
        """How many rows it touched."""
        return statement.run(self._connection, self._database, row).rowcount

    def run_many(self, statement: Statement, rows: Sequence[Row]) -> int:
        """How many rows it touched in all."""
        return statement.run_many(self._connection, self._database, rows)

    def many(self, values: Iterable[Any]) -> Any:
        """A list as one parameter."""
        return self._database.many(values)
