"""Side events: receipts, reactions, edits and revokes change a message that may not be here yet.

Rule: both sides touch the message's row in `external` first; who comes second applies.
Rule: a status only rises, so that every order of receipts ends alike.
Rule: an answer that fails by it is a fact, in the same commit. What a batch itself contradicts is none; what a later
one contradicts was one, and what was decided on it stands.
"""

from collections.abc import Callable

from msgspec.structs import replace

from gateway.process.ledger import Ledger
from gateway.process.prepare import Item
from gateway.store import effects, outbox, threads
from gateway.store.effects import ExternalRow, Parked, Ref
from gateway.store.threads import EnvelopeRow
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import (
    RANK,
    Edit,
    Envelope,
    MediaPart,
    Message,
    Part,
    Reaction,
    Receipt,
    Revoke,
    Status,
    media_parts,
)
from normalizer.ids import CommandId, ConversationId, EnvelopeId, ExternalId, IntakeId
from router.events import Undelivered, undelivered


class SideEvents:
    def __init__(self, tx: Tx, now: int, ledger: Ledger, new_number: Callable[[], IntakeId]) -> None:
        self._tx, self._now, self._ledger, self._new_number = tx, now, ledger, new_number
        self._rows: dict[Ref, ExternalRow] = {}
        self._targets: dict[EnvelopeId, EnvelopeRow] = {}
        self._arrived: list[Ref] = []
        self._parked: list[Parked] = []
        self._ranks: list[tuple[int, str | None, Ref]] = []
        self._content: dict[EnvelopeId, Envelope] = {}

    # --- before the locks ---------------------------------------------------------------------------------------------

    def find(self, items: list[Item]) -> None:
        """Touches the targets, completes sends whose echo came, and reads the envelopes behind them."""
        envelopes = [item.envelope for item in items if item.envelope is not None]
        events = [envelope for envelope in envelopes if _target(envelope) is not None]
        for envelope in events:
            self._echo(envelope)
        refs = {ref for envelope in events if (ref := _ref(envelope))}
        if not self._tx.is_alone:
            refs |= {ref for envelope in envelopes if (ref := _own_ref(envelope))}
        if not refs:
            return
        self._rows = effects.touch(self._tx, refs, self._now)
        known = {row.envelope_id for row in self._rows.values() if row.envelope_id is not None}
        self._targets = threads.get_envelopes(self._tx, known) if known else {}

    def conversations(self) -> set[ConversationId]:
        return {row.conversation_id for row in self._targets.values() if row.conversation_id is not None}

    def _echo(self, envelope: Envelope) -> None:
        """A receipt that carries our key says that this step of the command is out, whatever the call's answer was."""
        if envelope.echo_key is None or not isinstance(envelope.body, Receipt) or envelope.body.target is None:
            return
        command, _, step = envelope.echo_key.rpartition(":")
        found = outbox.echo(self._tx, CommandId(command), int(step)) if step.isdecimal() else None
        if found is not None and envelope.channel_id is not None:
            effects.own(self._tx, [(envelope.channel_id, envelope.body.target, found[0], 0, self._now)])
            self._arrived.append((envelope.channel_id, envelope.body.target))

    # --- in their turn ------------------------------------------------------------------------------------------------

    def apply(self, item: Item, envelope: Envelope, conversation: ConversationId | None) -> None:
        """To its message, or parked until that comes."""
        ref = _ref(envelope)
        if ref is None:
            self._watermark(item, envelope)
            self._ledger.store(item, envelope, conversation, None)
            return
        target = self._row(ref)
        row = self._targets.get(target) if target is not None else None
        self._ledger.store(item, envelope, row.conversation_id if row else conversation, row.leg_id if row else None)
        if target is None and ref not in self._arrived:
            self._parked.append(Parked(self._new_number(), *ref, envelope.id, item.content, self._now))
        else:
            self._change(envelope, ref, target)

    def arrived(self, envelope: Envelope) -> None:
        """A message with an id of the provider's is here: what waited for it can be applied (in `write`)."""
        ref = _own_ref(envelope)
        if ref is not None:
            self._arrived.append(ref)

    def _row(self, ref: Ref) -> EnvelopeId | None:
        found = self._rows.get(ref)
        return found.envelope_id if found is not None else None

    def _change(self, envelope: Envelope, ref: Ref, target: EnvelopeId | None) -> None:
        match envelope.body:
            case Receipt(status=status):
                self._ranks.append((RANK[status], effects.failure_text(envelope.body), ref))
                if target is not None and RANK[status] >= RANK[Status.DELIVERED]:
                    outbox.follow(self._tx, [target])
                self._show(target)
            case Edit(parts=parts):
                self._rewrite(target, ref, lambda body: replace(body, parts=_with_files(parts, body)))
            case Revoke():
                self._rewrite(target, ref, lambda body: replace(body, parts=()))
            case Reaction():
                self._show(target)
            case _:
                raise AssertionError("not a side event")

    def _rewrite(self, target: EnvelopeId | None, ref: Ref, change: Callable[[Message], Message]) -> None:
        """What the message says now; what it said stays in its raw."""
        id = target or self._ledger.just_placed(ref)
        if id is None:
            return
        envelope = self._content.get(id) or self._read(id)
        if envelope is not None and isinstance(envelope.body, Message):
            self._content[id] = replace(envelope, body=change(envelope.body))

    def _read(self, id: EnvelopeId) -> Envelope | None:
        row = self._targets.get(id)
        content = row.content if row is not None else self._ledger.content_of(id)
        return None if content is None else codec.decode(content)

    def _show(self, target: EnvelopeId | None) -> None:
        row = self._targets.get(target) if target is not None else None
        if row is not None and row.leg_id is not None:
            self._ledger.touched.add(row.leg_id)

    def _watermark(self, item: Item, envelope: Envelope) -> None:
        body = envelope.body
        if not isinstance(body, Receipt) or body.up_to is None or not item.claims:
            return
        leg = item.leg
        row = self._ledger.legs.get(leg) if leg is not None else None
        if leg is not None and row is not None and body.up_to > row.read_up_to:
            self._ledger.legs[leg] = row._replace(read_up_to=min(body.up_to, row.wire_head))

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self) -> list[Undelivered]:
        """After the messages of the batch are written: early events find them now. What failed by it and is missed."""
        effects.park(self._tx, self._parked)
        for row in effects.unpark(self._tx, self._arrived) if self._arrived else ():
            self._change(codec.decode(row.content), (row.channel_id, row.external_id), None)
        ranks = [(rank, failure, *ref) for rank, failure, ref in self._ranks]
        effects.raise_ranks(self._tx, ranks)
        threads.replace_content(self._tx, [(codec.encode(one), id) for id, one in self._content.items()])
        failed = (self._undelivered(ref, code) for ref, code in effects.failed_by(ranks, self._rows).items())
        return list({fact.envelope_id: fact for fact in failed if fact is not None}.values())

    def _undelivered(self, ref: Ref, code: str) -> Undelivered | None:
        row = self._targets.get(self._row(ref) or EnvelopeId(""))
        if row is None or row.conversation_id is None:
            return None
        return undelivered(self._content.get(row.id) or codec.decode(row.content), row.conversation_id, row.seq, code)


def _target(envelope: Envelope) -> ExternalId | None:
    match envelope.body:
        case Receipt(target=target) | Reaction(target=target) | Edit(target=target) | Revoke(target=target):
            return target
        case _:
            return None


def _ref(envelope: Envelope) -> Ref | None:
    target = _target(envelope)
    return None if target is None or envelope.channel_id is None else (envelope.channel_id, target)


def _own_ref(envelope: Envelope) -> Ref | None:
    """Where the side events of a message look for it."""
    if _target(envelope) is not None or envelope.external_id is None or envelope.channel_id is None:
        return None
    return envelope.channel_id, envelope.external_id


def _with_files(parts: tuple[Part, ...], before: Message) -> tuple[Part, ...]:
    """A new caption names its picture anew; the bytes that we have of it stay."""
    stored = (part.media for _, part in media_parts(before) if part.media.stored is not None)
    known = {media.external_id: media for media in stored if media.external_id is not None}
    return tuple(
        replace(part, media=known[part.media.external_id])
        if isinstance(part, MediaPart) and part.media.external_id in known
        else part
        for part in parts
    )
