from __future__ import annotations

import pytest
import sqlalchemy as sa

from gateway.store import intake
from gateway.store.bytes import holds
from gateway.store.schema import dead
from gateway.store.statement import Statement
from gateway.store.store import Store
from tests.store.rows import dead_row

_FIND = Statement(lambda d: sa.select(dead.c.id).where(holds(d, dead.c.raw, "needle")).order_by(dead.c.id), "needle")
RAWS = [b'{"id":"wamid.1"}', b"\x00\xffwamid.2\x00", b"", b"100%_x"]


@pytest.mark.parametrize(
    ("needle", "found"),
    [(b"wamid", [0, 1]), (b"wamid.2", [1]), (b"\x00", [1]), (b"%_", [3]), (b"WAMID", []), (b"_", [3])],
)
def test_bytes_are_found_as_they_are(store: Store, needle: bytes, found: list[int]) -> None:
    rows = [dead_row(id, intake_id=id)._replace(raw=raw) for id, raw in enumerate(RAWS)]
    store.write_now(lambda tx: intake.bury(tx, rows))
    assert [row[0] for row in store.read_now(lambda tx: tx.rows(_FIND, (needle,)))] == found
