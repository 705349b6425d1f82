"""How far the wires of many legs have come, for those who look without having been woken."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import leg
from gateway.store.statement import AnyOf, Statement
from gateway.store.tx import Tx
from normalizer.ids import LegId


class Head(NamedTuple):
    id: LegId
    wire_head: int
    valid_from: int


_HEADS = Statement(lambda d: sa.select(*(leg.c[name] for name in Head._fields)).where(AnyOf(leg.c.id, "ids")), "ids")


def heads(tx: Tx, legs: Iterable[LegId]) -> list[Head]:
    """Those that exist."""
    return [Head(*row) for row in tx.rows(_HEADS, (tx.many(legs),))]
