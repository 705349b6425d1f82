"""What was given up, for people to look at: the dead, stuck commands, orphans; the first two can go back to work."""

from gateway.api import shapes, views
from gateway.api.base import Answer, Api, Asked, bad_cursor, from_cursor, number_of, to_cursor, whole
from gateway.api.problems import Problem
from gateway.store import overview
from gateway.store.replay import NothingLeft, replay, revive
from gateway.store.tx import Tx
from normalizer.ids import CommandId

DAY_MS = 86_400_000

Item = shapes.DeadView | shapes.StuckView


async def list_dead(api: Api, asked: Asked[shapes.DeadQuery, None]) -> Answer:
    query = asked.query
    kind, after = ("inbound", -1) if query.cursor is None else _place(query.cursor)
    kinds = ("inbound", "command") if query.kind is None else (query.kind,)

    def look(tx: Tx) -> list[tuple[str, int, Item]]:
        found: list[tuple[str, int, Item]] = []
        for one in kinds[kinds.index(kind) if kind in kinds else 0 :]:
            start = after if one == kind else -1
            found += _page(tx, one, start, query.limit + 1 - len(found))
        return found

    rows = await api.core.store.read(look)
    shown = rows[: query.limit]
    following = to_cursor(*shown[-1][:2]) if len(rows) > query.limit else None
    return Answer(shapes.DeadPage(items=tuple(row[2] for row in shown), next=following))


def _place(cursor: str) -> tuple[str, int]:
    kind, after = from_cursor(cursor, 2)
    if kind not in {"inbound", "command"}:
        raise bad_cursor()
    return kind, number_of(after)


def _page(tx: Tx, kind: str, after: int, most: int) -> list[tuple[str, int, Item]]:
    if most <= 0:
        return []
    if kind == "inbound":
        return [(kind, row.id, views.dead(row)) for row in overview.dead_page(tx, after, most)]
    return [(kind, row.n, views.stuck(row)) for row in overview.stuck_page(tx, after, most)]


async def replay_one(api: Api, asked: Asked[None, None]) -> Answer:
    id = asked.path["id"]
    number = whole(id)
    count = await _revived(api, CommandId(id)) if number is None else await _replayed(api, number)
    if count == 0:
        raise Problem("already_replayed")
    return Answer(shapes.Replayed(id=id, replayed=count))


async def _replayed(api: Api, id: int) -> int:
    try:
        count = await api.core.store.write(lambda tx: replay(tx, id, api.core.ids.intake))
    except KeyError:
        raise Problem("not_found") from None
    except NothingLeft:
        raise Problem("bytes_gone") from None
    return count


async def _revived(api: Api, id: CommandId) -> int:
    if not await api.core.store.write(lambda tx: revive(tx, id)):
        raise Problem("not_found", "no such command, or it is not stuck")
    api.core.wake.outbox.ring()
    return 1


async def list_orphans(api: Api, asked: Asked[shapes.PageQuery, None]) -> Answer:
    query = asked.query
    after = -1 if query.cursor is None else number_of(from_cursor(query.cursor, 1)[0])
    before = api.core.store.now() - api.core.config.rooms.park_orphan_days * DAY_MS
    rows = await api.core.store.read(lambda tx: overview.orphan_page(tx, after, before, query.limit + 1))
    shown = rows[: query.limit]
    following = to_cursor(shown[-1].id) if len(rows) > query.limit else None
    return Answer(shapes.OrphanPage(items=tuple(map(views.orphan, shown)), next=following))
