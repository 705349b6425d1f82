"""Dead letters from the command line: what was given up, and putting it back to work.

Rule: everything at once means what is inbound. A command that ended without success is repeated by its number only:
it may have gone out, and somebody has to know that it did not.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.directory import from_ms
from gateway.operator.house import new_ids, opened
from gateway.settings import Config
from gateway.store.overview import DeadRow, StuckRow, dead_page, stuck_page
from gateway.store.replay import NothingLeft, revive
from gateway.store.replay import replay as replay_row
from gateway.store.schema import PARKED
from gateway.store.store import Store
from normalizer.ids import CommandId

PAGE = 200


class Letter(Struct, frozen=True, kw_only=True):
    id: int
    kind: str
    """`inbound`, or what the command was to do."""
    reason: str
    detail: str
    where: str
    """The endpoint or channel."""
    at: datetime


def list_dead(config: Config) -> list[Letter]:
    with opened(config) as store:
        return [*map(_of_dead, _all_dead(store)), *map(_of_stuck, _all_stuck(store))]


def _of_dead(row: DeadRow) -> Letter:
    return Letter(
        id=row.id, kind="inbound", reason=row.reason, detail=row.detail, where=row.endpoint_id, at=from_ms(row.at)
    )


def _of_stuck(row: StuckRow) -> Letter:
    reason = "parked" if row.state == PARKED else "failed"
    return Letter(id=row.n, kind=row.kind, reason=reason, detail=row.error or "", where=row.channel_id or "",
                  at=from_ms(row.at))  # fmt: skip


def _all_dead(store: Store) -> list[DeadRow]:
    found: list[DeadRow] = []
    while page := _dead_page(store, found[-1].id if found else -1):
        found += page
    return found


def _dead_page(store: Store, after: int) -> list[DeadRow]:
    return store.read_now(lambda tx: dead_page(tx, after, PAGE))


def _all_stuck(store: Store) -> list[StuckRow]:
    found: list[StuckRow] = []
    while page := _stuck_page(store, found[-1].n if found else -1):
        found += page
    return found


def _stuck_page(store: Store, after: int) -> list[StuckRow]:
    return store.read_now(lambda tx: stuck_page(tx, after, PAGE))


def replay(config: Config, ids: Sequence[int] | None, clock: Clock | None = None) -> int:
    """How many went back to work; None: all that is inbound. A running gateway takes them up within its poll."""
    with opened(config, clock) as store:
        numbers = new_ids(store, clock)
        wanted = [row.id for row in _all_dead(store)] if ids is None else ids
        return sum(_replay(store, id, numbers) for id in wanted)


def _replay(store: Store, id: int, numbers: Ids) -> int:
    try:
        return store.write_now(lambda tx: replay_row(tx, id, numbers.intake))
    except NothingLeft:
        raise Failed(f"{id}: its bytes were deleted by a retention rule") from None
    except KeyError:
        return _revive(store, id)


def _revive(store: Store, number: int) -> int:
    found = store.read_now(lambda tx: stuck_page(tx, number - 1, 1))
    if not found or found[0].n != number:
        raise Failed(f"{number}: nothing here has this number and is dead or stuck")
    return int(store.write_now(lambda tx: revive(tx, CommandId(found[0].id))))
