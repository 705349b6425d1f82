"""A statement: written in SQLAlchemy Core once, compiled once per database, run as text with positional rows.

Rule: the hot path pays for no expression tree: `Statement` compiles when it is first used on a database and is then
only text and an order of parameters.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

Row = Sequence[Any]


class AnyOf(ColumnElement[bool]):
    """`column` is one of the values of a single list parameter, however many there are."""

    inherit_cache = False
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> "AnyOf":
        """A comparison by itself: without this SQLite would get `... = 1` behind it, and no index."""
        return self

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: sa.BindParameter[Any] = sa.bindparam(name)


@compiles(AnyOf, "sqlite")
def _any_of_sqlite(element: AnyOf, compiler: Any, **kw: Any) -> str:
    column, values = compiler.process(element.column, **kw), compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  because both are compiled expressions


@compiles(AnyOf, "postgresql")
def _any_of_postgresql(element: AnyOf, compiler: Any, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY({compiler.process(element.values, **kw)})"


@dataclass(frozen=True)
class Database:
    """What differs between the two."""

    name: str
    insert: Callable[[sa.Table], Any]
    dialect: Any
    many: Callable[[Iterable[Any]], Any]
    """A list as the one parameter of `AnyOf`."""


SQLITE = Database("sqlite", sqlite.insert, sqlite.dialect(paramstyle="qmark"), lambda values: json.dumps(list(values)))
POSTGRESQL = Database(
    "postgresql",
    postgresql.insert,
    postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]  # because SQLAlchemy leaves it untyped
    list,
)


class Statement:
    """`names` is the order in which the caller gives the parameters."""

    def __init__(self, build: Callable[[Database], Any], *names: str) -> None:
        self._build = build
        self._names = names
        self._compiled: dict[str, tuple[str, Callable[[Row], Row]]] = {}

    def run(self, connection: Connection, database: Database, row: Row = ()) -> CursorResult[Any]:
        text, order = self._for(database)
        return connection.exec_driver_sql(text, order(row))

    def run_many(self, connection: Connection, database: Database, rows: Sequence[Row]) -> int:
        """How many rows it touched in all."""
        if not rows:
            return 0
        text, order = self._for(database)
        return connection.exec_driver_sql(text, [order(row) for row in rows]).rowcount

    def text(self, database: Database) -> str:
        return self._for(database)[0]

    def _for(self, database: Database) -> tuple[str, Callable[[Row], Row]]:
        found = self._compiled.get(database.name)
        if found is None:
            compiled = self._build(database).compile(dialect=database.dialect)
            found = self._compiled[database.name] = (str(compiled), _ordering(self._names, compiled))
        return found


def _ordering(names: Sequence[str], compiled: Any) -> Callable[[Row], Row]:
    """From the caller's order to the text's, which also holds the statement's own constants."""
    order: list[str] = list(compiled.positiontup or ())
    if order == list(names):
        return tuple
    own = [name for name in dict.fromkeys(order) if name not in names]
    constants = tuple(compiled.params[name] for name in own)
    places = [[*names, *own].index(name) for name in order]
    if len(places) == 1:
        return lambda row: ((*row, *constants)[places[0]],)
    pick = itemgetter(*places) if places else tuple
    return lambda row: pick((*row, *constants))


def insert(table: sa.Table, *names: str, ignore: bool = False) -> Statement:
    """INSERT of the named columns; `ignore`: a row whose key is there already is left alone."""

    def build(database: Database) -> Any:
        statement = database.insert(table).values({name: sa.bindparam(name) for name in names})
        return statement.on_conflict_do_nothing() if ignore else statement

    return Statement(build, *names)


def b(name: str) -> Any:
    """A parameter. Its name may not be a column's own in an UPDATE; hence the `p_` of callers."""
    return sa.bindparam(name)
