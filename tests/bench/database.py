"""What the database says during a run, read beside the gateway."""

from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

_COUNTS = (
    "SELECT (SELECT count(*) FROM intake WHERE state = 0), (SELECT count(*) FROM command WHERE state < 10), "
    "(SELECT count(*) FROM envelope WHERE direction = 'in'), (SELECT count(*) FROM dead), "
    "(SELECT count(*) FROM command)"
)


class Counts(Struct, frozen=True):
    waiting: int
    """Intake rows that are not processed."""
    outbox: int
    """Commands that are not performed."""
    inbound: int
    dead: int
    commands: int

    @property
    def drained(self) -> bool:
        return not self.waiting and not self.outbox


class Database:
    def __init__(self, folder: Path, url: str | None) -> None:
        path = folder / "data" / "throughline.db"
        self._engine = sa.create_engine(url or f"sqlite:///file:{path}?mode=ro&uri=true")

    def counts(self) -> Counts:
        with self._engine.connect() as connection:
            return Counts(*connection.execute(sa.text(_COUNTS)).one())

    def close(self) -> None:
        self._engine.dispose()
