"""Looking for bytes inside of stored bytes, in the database. For commands that people run: it reads every row."""

from typing import Any

import sqlalchemy as sa

from gateway.store.statement import SQLITE, Database, b


def holds(database: Database, column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """`column` holds the bytes of the parameter. (LIKE looks into bytes or does not, as SQLite was compiled.)"""
    if database is SQLITE:
        place: sa.ColumnElement[int] = sa.func.instr(column, b(name))
    else:
        place = sa.func.position(b(name).op("IN")(column))
    return place > sa.literal_column("0")
