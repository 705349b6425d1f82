"""What room 3 writes when a call is over, each as one function on a transaction."""

from collections.abc import Iterable

from gateway.perform.begin import Ready
from gateway.store import effects, intake, outbox
from gateway.store.facts import fact_row
from gateway.store.outbox import Settled
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import RANK, Receipt, Status
from normalizer.ids import ChannelId, EnvelopeId, ExternalId, IntakeId
from router.events import AiAnswered, AiGaveUp, Fact


def write_sent(tx: Tx, ready: Ready, settled: Settled, external_ids: Iterable[ExternalId]) -> None:
    """The ids belong to the message whoever holds the command by now; early receipts find it through them."""
    channel, envelope = ready.held.channel_id, ready.held.envelope_id
    assert channel is not None
    assert envelope is not None
    outbox.settle(tx, settled)
    own_sent(tx, channel, envelope, external_ids)


def own_sent(tx: Tx, channel: ChannelId, envelope: EnvelopeId, external_ids: Iterable[ExternalId]) -> None:
    now = tx.now()
    refs = [(channel, one) for one in external_ids]
    if not refs:
        return
    effects.own(tx, [(*ref, envelope, RANK[Status.SENT], now) for ref in refs])
    ranks = []
    for row in effects.unpark(tx, refs):
        body = codec.decode(row.content).body
        if isinstance(body, Receipt):
            ranks.append((RANK[body.status], effects.failure_text(body), row.channel_id, row.external_id))
    effects.raise_ranks(tx, ranks)


def write_fact(tx: Tx, settled: Settled, number: IntakeId, fact: Fact, lane: str) -> None:
    """Outcome and the fact that re-enters stand or fall together; nothing of it if the command is another's by now.

    But what a customer has heard is told whatever became of the command.
    """
    heard = isinstance(fact, AiAnswered | AiGaveUp) and fact.spoken
    if outbox.settle(tx, settled) or heard:
        intake.add(tx, [fact_row(number, fact, lane)])
