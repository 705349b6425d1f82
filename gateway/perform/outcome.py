"""What room 3 writes when a call is over, each as one function on a transaction.

Rule: a send ends without success in one way, `write_settled`, and that it did is told in the same commit.
"""

from collections.abc import Callable, Iterable, Sequence

from gateway.store import effects, intake, outbox, threads
from gateway.store.facts import fact_row
from gateway.store.outbox import Held, Settled
from gateway.store.schema import FAILED, PARKED
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import RANK, Receipt, Status
from normalizer.ids import ChannelId, EnvelopeId, ExternalId, IntakeId
from router.events import AiAnswered, AiGaveUp, Fact, undelivered

NewNumber = Callable[[], IntakeId]


def write_settled(
    tx: Tx, rows: Sequence[tuple[Held, Settled]], new_number: NewNumber, *, is_missed: bool = True
) -> None:
    """What becomes of commands after an error or a doubt. `is_missed`: somebody still waits for what is given up."""
    ended = [(held, one) for held, one in rows if not _is_given_up(held, one)]
    outbox.settle_many(tx, [one for _, one in ended])
    failed = [(held, one) for held, one in rows if _is_given_up(held, one) and outbox.give_up(tx, one)]
    if failed and is_missed:
        _tell(tx, [(held, one.error or "failed") for held, one in failed], new_number)


def _is_given_up(held: Held, settled: Settled) -> bool:
    """A person looks after the command then, if at all; whoever was to be answered waits meanwhile."""
    return held.kind == "send" and settled.state in (FAILED, PARKED)


def write_sent(tx: Tx, held: Held, settled: Settled, external_ids: Iterable[ExternalId], new_number: NewNumber) -> None:
    """The ids belong to the message whoever holds the command by now; early receipts find it through them."""
    outbox.settle(tx, settled)
    write_ids(tx, held, external_ids, new_number)


def write_ids(tx: Tx, held: Held, external_ids: Iterable[ExternalId], new_number: NewNumber) -> None:
    """It is out under these; an early receipt may have said that it failed."""
    assert held.channel_id is not None
    assert held.envelope_id is not None
    if codes := own_sent(tx, held.channel_id, held.envelope_id, external_ids):
        _tell(tx, [(held, codes[0])], new_number)


def own_sent(tx: Tx, channel: ChannelId, envelope: EnvelopeId, external_ids: Iterable[ExternalId]) -> list[str]:
    """Why what was sent has failed, if early receipts say so."""
    now = tx.now()
    refs = [(channel, one) for one in external_ids]
    if not refs:
        return []
    effects.own(tx, [(*ref, envelope, RANK[Status.SENT], now) for ref in refs])
    ranks = []
    for row in effects.unpark(tx, refs):
        body = codec.decode(row.content).body
        if isinstance(body, Receipt):
            ranks.append((RANK[body.status], effects.failure_text(body), row.channel_id, row.external_id))
    is_bad = any(rank == RANK[Status.FAILED] for rank, *_ in ranks)
    failed = effects.failed_by(ranks, effects.get(tx, refs)) if is_bad else {}
    effects.raise_ranks(tx, ranks)
    return list(failed.values())


def _tell(tx: Tx, failed: list[tuple[Held, str]], new_number: NewNumber) -> None:
    """Of messages that somebody waits for, as a fact of each."""
    rows = threads.get_envelopes(tx, {held.envelope_id for held, _ in failed if held.envelope_id is not None})
    for held, code in failed:
        row = rows.get(held.envelope_id or EnvelopeId(""))
        fact = None if row is None else undelivered(codec.decode(row.content), held.conversation_id, row.seq, code)
        if fact is not None:
            intake.add(tx, [fact_row(new_number(), fact, held.conversation_id)])


def write_fact(tx: Tx, settled: Settled, number: IntakeId, fact: Fact, lane: str) -> None:
    """Outcome and the fact that re-enters stand or fall together; nothing of it if the command is another's by now.

    But what a customer has heard is told whatever became of the command.
    """
    heard = isinstance(fact, AiAnswered | AiGaveUp) and fact.spoken
    if outbox.settle(tx, settled) or heard:
        intake.add(tx, [fact_row(number, fact, lane)])
