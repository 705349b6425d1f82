"""Faults of a SQLite database under a store that works: commits and statements of its writer that fail, or say so."""

import sqlite3
import threading
from typing import Any

import sqlalchemy as sa


class Faults:
    """So many commits that fail, or only say so, and the statement that does."""

    def __init__(self, engine: sa.Engine) -> None:
        self.commits = self.doubts = self.statements = 0
        self._commit = engine.dialect.do_commit
        engine.dialect.do_commit = self._do_commit  # type: ignore[method-assign, assignment]
        sa.event.listen(engine, "before_cursor_execute", self._before)

    def none(self) -> None:
        self.commits = self.doubts = self.statements = 0

    def _do_commit(self, connection: Any) -> None:
        if _is_writer() and self.commits:
            self.commits -= 1
            raise sqlite3.OperationalError("disk I/O error")
        self._commit(connection)
        if _is_writer() and self.doubts:
            self.doubts -= 1
            raise sqlite3.OperationalError("the connection broke")

    def _before(self, *_: object) -> None:
        if _is_writer() and self.statements:
            self.statements -= 1
            if self.statements == 0:
                raise sa.exc.OperationalError("", None, sqlite3.OperationalError("database or disk is full"))


def _is_writer() -> bool:
    return threading.current_thread().name == "store-write"
