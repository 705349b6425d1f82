"""What has been said aloud of an answer that is still being written: kept with its question until the answer is told.

A process that ends in the middle takes what it was writing with it; what somebody has heard of it must not be lost.

Rule: these are the AI's own words as they would be stored, placeholders included; nobody else's. Besides them there is
no text in the outbox. They go with their question: `prune` deletes those that are over (`finished_retention_days`), and
whoever erases a conversation's content has to erase its questions as well.
Rule: fenced by the lease. What was told meanwhile is left alone.
"""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from gateway.store.outbox import Held, Waiting
from gateway.store.schema import FINAL, command
from gateway.store.statement import Statement, b
from gateway.store.tx import Tx


class Spoken(Struct, frozen=True, omit_defaults=True):
    spoken: str = ""
    whole: bool = False
    """Nothing was to follow."""


_KEEP = Statement(
    lambda d: sa.update(command)
    .values(payload=b("p_payload"))
    .where(command.c.n == b("p_n"), command.c.epoch == b("p_epoch"), command.c.state < sa.literal_column(str(FINAL))),
    "p_payload", "p_n", "p_epoch",
)  # fmt: skip


def keep(tx: Tx, held: Held, said: Spoken) -> None:
    """Beside what the question itself consists of."""
    asked = msgspec.json.decode(held.payload, type=dict[str, msgspec.Raw])
    payload = msgspec.json.encode({**asked, "spoken": said.spoken, "whole": said.whole})
    tx.run(_KEEP, (payload, held.n, held.epoch))


def kept(held: Held | Waiting) -> Spoken:
    """By a former life, or a lease that lapsed."""
    return msgspec.json.decode(held.payload, type=Spoken)
