"""One transaction of room 2: dedupe -> identify -> lock -> decide -> write. All of a batch stands or falls together.

Rule: nothing is read for a decision that is not locked, and nothing is written that is not fenced by the rows' claims.
Rule: the statements are counted: each runs once for the whole batch, never once for a message.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from adapters.base import Outcome, Placed
from gateway.directory import Directory, from_ms, to_ms
from gateway.process import unanswered
from gateway.process.identify import Identified
from gateway.process.ledger import Ledger
from gateway.process.prepare import Item
from gateway.process.side import SideEvents
from gateway.store import effects, files, intake, outbox, threads
from gateway.store.effects import Seen
from gateway.store.files import FileRow
from gateway.store.intake import Dead, IntakeRow
from gateway.store.outbox import Held
from gateway.store.reads import get_conversation
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import (
    AddressChange,
    CallEvent,
    Edit,
    Envelope,
    Message,
    Note,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Typing,
    Unsupported,
)
from normalizer.ids import ContactId, ConversationId, EndpointId, EnvelopeId, IntakeId, LegId
from router.conversation import kind_of
from router.decide import answering, asks_for_something, decide, fetches
from router.events import AgentReplied, AiAnswered, AiGaveUp, EngineChanged, HolderRequested, MediaStored, Undelivered
from router.policy import Policy

_encode_outcome = msgspec.json.Encoder().encode

NEVER = 2**62
"""A time that no credential is issued after."""


class Rules(Struct, frozen=True, kw_only=True):
    """What settling needs to know and does not change."""

    directory: Directory
    policy: Policy
    engine: str
    new_id: Callable[[str], str]
    new_number: Callable[[], IntakeId]
    owner: str | None = None
    """Starts commands without an outside effect when they are committed; None: they are claimed like all others."""
    lease_ms: int = 30_000
    along: Callable[[Tx, Held], Held] = lambda tx, held: held
    """Reads along what a command that is started needs at once, where somebody waits for it."""


class Done(Struct, frozen=True, kw_only=True):
    """What the room tells others once the transaction is committed."""

    outcomes: Mapping[IntakeId, Outcome]
    legs: frozenset[LegId]
    commands: int
    started: list[Held]
    """Leased to us already: they may start now."""
    items: list[Item]
    duplicates: list[Item]
    dead: tuple[tuple[IntakeId, str], ...]
    handoffs: list[str]
    """Why a conversation went from the AI to people, as a code; one for each."""
    late: int
    """Answers of the AI that came after the holder had changed."""
    turned: frozenset[ConversationId] = frozenset()
    """What is being written for these may be in vain."""
    interrupted: frozenset[LegId] = frozenset()
    """Legs on which somebody interrupted what he heard."""

    def outcome_of(self, item: Item) -> str:
        """For the item's line."""
        if item in self.duplicates:
            return "duplicate"
        return item.error[0] if item.error is not None else "stored"

    def endpoint_of(self, row: IntakeId) -> EndpointId:
        return next((item.row.endpoint_id for item in self.items if item.row.id == row), EndpointId(""))


def settle(tx: Tx, items: list[Item], rules: Rules) -> Done:
    """`items` in the order of arrival. Raises LostClaim, Raced; any other error is a defect of one of the items."""
    return Settlement(tx, items, rules).run()


class Settlement:
    def __init__(self, tx: Tx, items: list[Item], rules: Rules) -> None:
        self._tx, self._items, self._rules = tx, items, rules
        self._now = tx.now()
        self._ledger = Ledger(tx, self._now, rules.directory, rules.new_number, rules.owner, rules.lease_ms)
        self._side = SideEvents(tx, self._now, self._ledger, rules.new_number)
        self._who = Identified(tx, self._now)
        self._placed: dict[IntakeId, list[Placed]] = {}
        self._errors: dict[IntakeId, str] = {}
        self._facts: list[IntakeRow] = []
        self._dead: list[Dead] = []
        self._duplicates: list[Item] = []
        self._repeats: list[tuple[Item, Seen]] = []
        self._late = 0
        self._calls: set[IntakeId] = set()

    def run(self) -> Done:
        fresh = self._dedupe()
        self._who.find(fresh, self._rules.new_id)
        self._lock(fresh)
        files.add(self._tx, [row for item in fresh for row in item.files])
        for item in fresh:
            self._apply(item)
        self._ledger.write()
        self._facts += [self._ledger.fact_row(fact, fact.conversation_id) for fact in self._side.write()]
        self._place_repeats()
        outcomes = self._finish()
        return Done(outcomes=outcomes, legs=self._ledger.woken(), commands=self._ledger.count_commands,
                    started=self._ledger.started(),
                    items=self._items, duplicates=self._duplicates,
                    dead=tuple((row.intake_id, row.reason) for row in self._dead),
                    handoffs=self._ledger.handoffs, late=self._late, turned=self._ledger.turned(),
                    interrupted=frozenset(self._ledger.interrupted))  # fmt: skip

    # --- dedupe -------------------------------------------------------------------------------------------------------

    def _dedupe(self) -> list[Item]:
        rows = [Seen(key, item.id, item.digest, item.row.id, item.index, self._now)
                for item in self._items for key in item.keys]  # fmt: skip
        seen = effects.claim_keys(self._tx, rows) if rows else {}
        fresh: list[Item] = []
        for item in self._items:
            other = next((seen[key] for key in item.keys if not _is_own(seen[key], item)), None)
            if other is None:
                fresh.append(item)
            else:
                self._repeat(item, other)
        return fresh

    def _repeat(self, item: Item, first: Seen) -> None:
        self._duplicates.append(item)
        if item.row.wants_outcome:
            self._repeats.append((item, first))

    def _place_repeats(self) -> None:
        """Where the first one stands; it may be of this very batch, so this is asked when that is written."""
        if not self._repeats:
            return
        rows = threads.get_envelopes(self._tx, {first.envelope_id for _, first in self._repeats})
        for item, first in self._repeats:
            row = rows.get(first.envelope_id)
            placed = Placed(
                envelope_id=first.envelope_id,
                seq=row.seq if row else None,
                wire_seq=row.wire_seq if row else None,
                at=from_ms(row.at if row else first.at),
                duplicate=True,
                conflict=first.digest != item.digest,
                conversation_id=row.conversation_id if row else None,
            )
            self._placed.setdefault(item.row.id, []).append(placed)

    # --- lock ---------------------------------------------------------------------------------------------------------

    def _lock(self, items: list[Item]) -> None:
        contacts = set(self._who.contact_of.values())
        wanted = {item.fact.conversation_id for item in items
                  if item.fact is not None and not isinstance(item.fact, EngineChanged)}  # fmt: skip
        self._side.find(items)
        self._ledger.lock(contacts, wanted | self._side.conversations(), self._legs(items))

    def _legs(self, items: list[Item]) -> set[LegId]:
        heard = {item.fact.leg_id for item in items if isinstance(item.fact, AiAnswered | AiGaveUp)}
        return {leg for leg in heard | {item.leg for item in items} if leg is not None}

    # --- decide -------------------------------------------------------------------------------------------------------

    def _apply(self, item: Item) -> None:
        if item.error is not None:
            self._bury(item, *item.error)
        elif item.envelope is not None:
            self._envelope(item, item.envelope)
        elif item.fact is not None:
            self._fact(item)

    def _envelope(self, item: Item, envelope: Envelope) -> None:
        if self._ended(item):
            self._errors[item.row.id] = "ended"
            self._keep(item, envelope, None)
            return
        match envelope.body:
            case Receipt() | Reaction() | Edit() | Revoke():
                self._side.apply(item, envelope, self._contact_conversation(item))
            case Message() | Unsupported() | CallEvent() | Note() | StateChange():
                self._thread(item, envelope)
            case AddressChange():
                self._change(item, envelope)
            case SessionEnded():
                leg = self._ledger.open_leg(item, envelope, self._conversation_of(item))
                self._ledger.legs[leg] = self._ledger.legs[leg]._replace(valid_from=NEVER)
                self._ledger.touched.add(leg)
                self._keep(item, envelope, leg)
            case Typing():
                return

    def _thread(self, item: Item, envelope: Envelope) -> None:
        """Into its conversation, with a place of its own; then what happens next is decided."""
        if isinstance(envelope.body, Unsupported) and not envelope.body.visible:
            self._keep(item, envelope, None)
            return
        if not item.claims:
            self._bury(item, "no_address", item.kind)
            return
        conversation_id = self._conversation_of(item)
        leg = self._ledger.open_leg(item, envelope, conversation_id)
        seq, wire = self._ledger.place(item, envelope, conversation_id, leg)
        self._note(item, seq, wire, conversation_id)
        self._side.arrived(envelope)
        if asks_for_something(envelope):
            self._ledger.inbound(envelope, leg)
            before = self._ledger.conversations[conversation_id]
            over = replace(before, reply_leg=leg)
            if not envelope.automated or before.reply_leg is None:
                before = over
            facts = self._ledger.facts(over, self._engine_up())
            self._ledger.carry_out(item, decide(envelope, before, facts, self._rules.policy, self._now), envelope)
        else:
            if isinstance(envelope.body, CallEvent):
                self._ledger.on_the_line(envelope.body, conversation_id, leg)
                self._calls.add(item.row.id)
            self._ledger.ask(conversation_id, leg, envelope, fetches(envelope))

    def _ended(self, item: Item) -> bool:
        """Its owner has closed the leg; what still comes over it comes from somebody else, or too late."""
        leg = self._ledger.legs.get(item.leg) if item.leg is not None else None
        return leg is not None and leg.valid_from == NEVER

    def _change(self, item: Item, envelope: Envelope) -> None:
        """A session that proved who it is gets new credentials; those from before the proof are void."""
        refused = self._who.refused.get(id(item))
        if refused is not None:
            self._errors[item.row.id] = refused
        elif self._ledger.is_live(envelope.channel_id):
            leg = self._ledger.open_leg(item, envelope, self._conversation_of(item))
            since = to_ms(envelope.received_at or envelope.occurred_at)
            self._ledger.legs[leg] = self._ledger.legs[leg]._replace(valid_from=since)
            self._ledger.touched.add(leg)
        self._keep(item, envelope, None)

    def _keep(self, item: Item, envelope: Envelope, leg: LegId | None) -> None:
        """Stored without a place in the conversation."""
        contact = self._who.contact_of.get(id(item))
        conversation = self._ledger.of_contact.get(contact) if contact is not None else None
        self._ledger.store(item, envelope, conversation, leg)
        self._note(item, None, None, conversation)

    def _contact_conversation(self, item: Item) -> ConversationId | None:
        contact = self._who.contact_of.get(id(item))
        return None if contact is None else self._ledger.of_contact.get(contact)

    def _conversation_of(self, item: Item) -> ConversationId:
        contact: ContactId = self._who.contact_of[id(item)]
        return self._ledger.of_contact[contact]

    def _engine_up(self) -> bool:
        """Read once for the whole batch."""
        if self._ledger.engine_state is None:
            self._ledger.engine_state = outbox.engine_up(self._tx, self._rules.engine)
        return self._ledger.engine_state

    def _fact(self, item: Item) -> None:
        match item.fact:
            case EngineChanged(engine=engine, up=up, reason=reason):
                outbox.set_engine(self._tx, engine, up, reason)
                self._ledger.engine_state = up if engine == self._rules.engine else self._ledger.engine_state
                if not up:
                    self._fail_waiting(reason)
            case MediaStored():
                self._media(item.fact)
            case AiAnswered() | AiGaveUp() | AgentReplied() | HolderRequested() | Undelivered():
                self._decide_fact(item, item.fact)
            case None:
                return

    def _decide_fact(
        self, item: Item, fact: AiAnswered | AiGaveUp | AgentReplied | HolderRequested | Undelivered
    ) -> None:
        before = self._ledger.conversations.get(fact.conversation_id)
        if before is None:
            self._errors[item.row.id] = "unknown_conversation"
            return
        facts = self._ledger.facts(before, self._engine_up() if isinstance(fact, HolderRequested) else True)
        decision = decide(fact, before, facts, self._rules.policy, self._now)
        if decision.refused is not None:
            self._errors[item.row.id] = decision.refused
            self._late += isinstance(fact, AiAnswered)
        said = self._ledger.carry_out(item, decision, None)
        after = self._ledger.conversations[fact.conversation_id]
        if said is None:
            self._note(item, after.epoch, None, after.id)
        else:
            self._note(item, said[1], None, after.id, said[0])

    def _fail_waiting(self, reason: str) -> None:
        """The engine went down: who waits for it is served now, not when the question times out."""
        for fact in unanswered.fail(self._tx, reason, self._now):
            self._facts.append(self._ledger.fact_row(fact, fact.conversation_id))

    def _media(self, fact: MediaStored) -> None:
        row = threads.get_envelopes(self._tx, [fact.envelope_id]).get(fact.envelope_id)
        if row is None:
            return
        envelope = codec.decode(row.content)
        assert isinstance(envelope.body, Message)
        parts = tuple(replace(part, media=fact.media) if place == fact.place else part
                      for place, part in enumerate(envelope.body.parts))  # fmt: skip
        changed = replace(envelope, body=replace(envelope.body, parts=parts))
        threads.replace_content(self._tx, [(codec.encode(changed), fact.envelope_id)])
        if fact.media.stored is not None:
            kept = FileRow(fact.media.stored, fact.media.size or 0, fact.media.sniffed or "", self._now)
            files.add(self._tx, [kept])
            files.use(self._tx, [(fact.media.stored, fact.envelope_id, fact.place)])
        if row.leg_id is not None:
            self._ledger.touched.add(row.leg_id)

    # --- finish -------------------------------------------------------------------------------------------------------

    def _bury(self, item: Item, reason: str, detail: str) -> None:
        # The whole request once: what else of it dies finds it by the row's id.
        raw = b"" if any(one.intake_id == item.row.id for one in self._dead) else item.row.raw
        self._dead.append(Dead(self._rules.new_number(), item.row.id, item.index, item.row.endpoint_id, item.row.lane,
                               item.row.kind, reason, detail, raw, self._now))  # fmt: skip
        self._errors[item.row.id] = reason

    def _note(
        self,
        item: Item,
        seq: int | None,
        wire: int | None,
        conversation: ConversationId | None,
        envelope: EnvelopeId | None = None,
    ) -> None:
        if item.row.wants_outcome:
            at = from_ms(self._now)
            placed = Placed(envelope or item.id, seq=seq, wire_seq=wire, at=at, conversation_id=conversation)
            self._placed.setdefault(item.row.id, []).append(placed)

    def _outcomes(self) -> dict[IntakeId, Outcome]:
        rows = {item.row.id for item in self._items if item.last and item.row.wants_outcome}
        return {row: self._outcome(row) for row in rows}

    def _outcome(self, row: IntakeId) -> Outcome:
        placed = tuple(self._placed.get(row, ()))
        return Outcome(placed, self._errors.get(row), self._holder(row, placed))

    def _holder(self, row: IntakeId, placed: tuple[Placed, ...]) -> str | None:
        """Who must answer now. On a line that is who would, if a word were said."""
        touched = [ConversationId(one.conversation_id) for one in placed if one.conversation_id is not None][-1:]
        known = self._ledger.conversations
        found = next((known.get(id) or get_conversation(self._tx, id) for id in touched), None)
        if found is None:
            return None
        if row not in self._calls:
            return kind_of(found.holder)
        return answering(found, self._ledger.facts(found, self._engine_up()), self._rules.policy)

    def _finish(self) -> dict[IntakeId, Outcome]:
        intake.bury(self._tx, self._dead)
        intake.add(self._tx, self._facts)
        outcomes = self._outcomes()
        last = {item.row.id: item for item in self._items}
        done = [(row, item.row.epoch) for row, item in last.items() if item.last and row not in outcomes]
        intake.finish(self._tx, done)
        for row, item in last.items():
            if row in outcomes:
                intake.answer(self._tx, row, item.row.epoch, _encode_outcome(outcomes[row]))
            elif not item.last:
                intake.progress(self._tx, row, item.row.epoch, item.index + 1)
        return outcomes


def _is_own(seen: Seen, item: Item) -> bool:
    return (seen.intake_id, seen.idx) == (item.row.id, item.index)
