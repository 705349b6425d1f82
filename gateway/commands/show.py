"""Rows on standard output: a table for people, JSON lines for programs.

Rule: both show the same fields; the table is never the only way to learn something.
Rule: nothing is cut off, an id least of all: it is copied from here. On a terminal it goes on below, elsewhere the line
is as long as it must be.
"""

from collections.abc import Sequence

import click
import msgspec
from msgspec import Struct

ENDLESS = 1_000_000
"""Characters of a line that nobody looks at: the table takes of it what it needs."""


def rows(items: Sequence[Struct], *, as_json: bool, empty: str = "Nothing.") -> None:
    """`items` are of one struct; its fields are the columns."""
    if as_json:
        for item in items:
            click.echo(msgspec.json.encode(item).decode())
    elif not items:
        click.echo(empty)
    else:
        _table(items)


def _table(items: Sequence[Struct]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    fields = items[0].__struct_fields__
    table = Table(box=None, pad_edge=False)
    for name in fields:
        table.add_column(name.replace("_", " "), overflow="fold")
    for item in items:
        table.add_row(*(Text(_cell(getattr(item, name))) for name in fields))
    console = Console()
    if not console.is_terminal:
        console.width = ENDLESS
    console.print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode().strip('"')
