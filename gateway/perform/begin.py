"""The transaction that sets `sending`: the last look before something leaves the house.

Rule: the holder's epoch is compared here, under the lock of its conversation. What was decided for another epoch stays.
Rule: on a live leg this commit is what makes a message visible: it gets its number on the wire here, unless room 2 has
given it one, which it does for what nothing can withhold.
"""

from msgspec import Struct
from msgspec.structs import replace

from gateway.directory import Directory
from gateway.perform import verdict
from gateway.perform.outcome import NewNumber, write_settled
from gateway.store import effects, outbox, threads
from gateway.store.outbox import Held
from gateway.store.threads import EnvelopeRow, LegRow
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import Envelope, Message
from normalizer.ids import EnvelopeId, ExternalId, LegId


class Ready(Struct, frozen=True):
    """All that a call has to know. From `begin`: committed as `sending`, so that one call of it may be made now."""

    held: Held
    envelope: Envelope
    leg: LegRow
    reply_to: ExternalId | None
    seq: int | None = None
    """The envelope's place in the conversation."""
    before: tuple[ExternalId, ...] = ()
    """What was said over the leg before it, where the channel tells that; only from `begin`."""


def begin(tx: Tx, sends: list[Held], directory: Directory, call_limit_ms: int, new_number: NewNumber) -> list[Ready]:
    now = tx.now()
    fresh = _unfenced(tx, sends, now)
    envelopes = threads.get_envelopes(tx, [held.envelope_id for held in fresh if held.envelope_id is not None])
    legs = threads.lock_legs(tx, {held.leg_id for held in fresh if held.leg_id is not None})
    complete = [held for held in fresh if held.envelope_id in envelopes and held.leg_id in legs]
    _end(tx, [held for held in fresh if held not in complete], now, new_number)
    begun = outbox.begin(tx, complete, now + call_limit_ms)
    ours = [held for held in complete if held.n in begun]
    _number(tx, ours, envelopes, legs, directory)
    replies = _replies(tx, ours, envelopes)
    ready = [_ready(_begun(held), envelopes, legs, replies) for held in ours]
    return [replace(one, before=_before(tx, one, directory)) for one in ready]


def read(tx: Tx, sends: list[Held]) -> list[Ready]:
    """What `begin` would tell of each, with nothing begun. Missing: those that it would end."""
    envelopes = threads.get_envelopes(tx, [held.envelope_id for held in sends if held.envelope_id is not None])
    legs = threads.lock_legs(tx, {held.leg_id for held in sends if held.leg_id is not None})
    complete = [held for held in sends if held.envelope_id in envelopes and held.leg_id in legs]
    replies = _replies(tx, complete, envelopes)
    return [_ready(held, envelopes, legs, replies) for held in complete]


def _unfenced(tx: Tx, sends: list[Held], now: int) -> list[Held]:
    fenced = {held.conversation_id for held in sends if held.fence is not None}
    epochs = {id: value.epoch for id, value in threads.lock(tx, fenced).items()} if fenced else {}
    stale = [held for held in sends if held.fence is not None and epochs.get(held.conversation_id) != held.fence]
    outbox.settle_many(tx, [verdict.superseded(held, now, "the holder has changed") for held in stale])
    return [held for held in sends if held not in stale]


def _end(tx: Tx, broken: list[Held], now: int, new_number: NewNumber) -> None:
    ended = [(held, verdict.failed(held, now, "its envelope or leg is gone")) for held in broken]
    write_settled(tx, ended, new_number)


def _number(tx: Tx, sends: list[Held], envelopes: dict[EnvelopeId, EnvelopeRow], legs: dict[LegId, LegRow],
            directory: Directory) -> None:  # fmt: skip
    wires: list[tuple[int, EnvelopeId]] = []
    for held in sends:
        assert held.envelope_id is not None
        assert held.leg_id is not None
        leg = legs[held.leg_id]
        if envelopes[held.envelope_id].wire_seq is None and _live(directory, leg):
            legs[held.leg_id] = leg._replace(wire_head=leg.wire_head + 1)
            wires.append((leg.wire_head + 1, held.envelope_id))
    if wires:
        threads.number_wires(tx, wires)
        threads.save_legs(tx, legs.values())


def _live(directory: Directory, leg: LegRow) -> bool:
    found = directory.of(leg.channel_id)
    return found is not None and found[0].adapter.capabilities.live


def _before(tx: Tx, ready: Ready, directory: Directory) -> tuple[ExternalId, ...]:
    found = directory.of(ready.leg.channel_id)
    most = 0 if found is None else found[0].adapter.capabilities.recalls
    if not most or ready.seq is None:
        return ()
    return effects.said_before(tx, ready.held.conversation_id, ready.leg.id, ready.seq, most)


def _replies(tx: Tx, sends: list[Held], envelopes: dict[EnvelopeId, EnvelopeRow]) -> dict[EnvelopeId, ExternalId]:
    wanted = {
        body.reply_to.envelope_id
        for held in sends
        if held.envelope_id is not None
        and b'"reply_to"' in envelopes[held.envelope_id].content
        and isinstance(body := codec.decode(envelopes[held.envelope_id].content).body, Message)
        and body.reply_to is not None
        and body.reply_to.envelope_id is not None
    }
    rows = effects.of_envelopes(tx, wanted) if wanted else []
    return {row.envelope_id: row.external_id for row in rows if row.envelope_id is not None}


def _begun(held: Held) -> Held:
    # A receipt may have named a step that is due once more (it was refused after a doubt): it is not called again.
    return held._replace(attempts=held.attempts + 1, step=max(held.step, held.echoed))


def _ready(held: Held, envelopes: dict[EnvelopeId, EnvelopeRow], legs: dict[LegId, LegRow],
           replies: dict[EnvelopeId, ExternalId]) -> Ready:  # fmt: skip
    assert held.envelope_id is not None
    assert held.leg_id is not None
    row = envelopes[held.envelope_id]
    envelope, reply_to = codec.decode(row.content), None
    if isinstance(envelope.body, Message) and envelope.body.reply_to is not None:
        wanted = envelope.body.reply_to
        reply_to = wanted.external_id or replies.get(wanted.envelope_id or EnvelopeId(""))
    return Ready(held, envelope, legs[held.leg_id], reply_to, row.seq)
