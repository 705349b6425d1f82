"""What a transaction of room 2 has locked, what it changes, and what it will write.

Rule: every number (seq, wire seq, epoch) is given out here, from rows that are locked.
Rule: nothing is written before `write`; until then a batch is values.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from gateway.directory import Directory, from_ms, to_ms
from gateway.process.prepare import Item
from gateway.store import effects, files, outbox, threads
from gateway.store.automatic import said_automatically
from gateway.store.facts import fact_row
from gateway.store.intake import IntakeRow
from gateway.store.outbox import Held, NewCommand
from gateway.store.reads import transcript_rows
from gateway.store.schema import DONE, DUE
from gateway.store.threads import EnvelopeRow, LegRow
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import AddressClaim, Body, CallEvent, Envelope, Evidence, Message, Party, media_parts
from normalizer.ids import (
    ChannelId,
    CommandId,
    ContactId,
    ConversationId,
    EndpointId,
    EnvelopeId,
    ExternalId,
    IntakeId,
    LegId,
    derive,
)
from router.commands import AskAi, Command, FetchMedia, Mark, Notify, Send
from router.conversation import Agent, Ai, Conversation, Queue
from router.decide import Decision, Facts, Say
from router.events import (
    AgentReplied,
    AiAnswered,
    AiGaveUp,
    EngineChanged,
    Fact,
    HolderRequested,
    MediaStored,
    Undelivered,
)

_encode_command = msgspec.json.Encoder().encode


Places = tuple[int, int | None]
"""Seq in the conversation, and on the wire of a live leg."""
Said = tuple[EnvelopeId, int]
"""An envelope of ours, and its seq."""
HOUR_MS = 3_600_000


class Ledger:
    def __init__(
        self,
        tx: Tx,
        now: int,
        directory: Directory,
        new_number: Callable[[], IntakeId],
        owner: str | None,
        lease_ms: int,
    ) -> None:
        self._tx, self._now, self._directory, self._new_number = tx, now, directory, new_number
        self._owner, self._leased_until = owner, now + lease_ms
        self.conversations: dict[ConversationId, Conversation] = {}
        self._before: dict[ConversationId, Conversation] = {}
        self.of_contact: dict[ContactId, ConversationId] = {}
        self.legs: dict[LegId, LegRow] = {}
        self._legs_before: dict[LegId, LegRow] = {}
        self._envelopes: list[EnvelopeRow] = []
        self._externals: list[tuple[ChannelId, ExternalId, EnvelopeId, int, int]] = []
        self._commands: list[NewCommand] = []
        self._files: list[tuple[str, EnvelopeId, int]] = []
        self.touched: set[LegId] = set()
        """Legs whose sockets have something to look at."""
        self.engine_state: bool | None = None
        self.handoffs: list[str] = []
        self.interrupted: set[LegId] = set()
        """Legs on which somebody interrupted what he heard."""
        self._automatic: Counter[LegId] = Counter()
        """What machines of ours say in this very batch."""

    @property
    def count_commands(self) -> int:
        """Those that somebody has yet to perform."""
        return sum(one.done_at is None for one in self._commands)

    def started(self) -> list[Held]:
        return [outbox.started(one) for one in self._commands if one.owner is not None]

    # --- reading under locks ------------------------------------------------------------------------------------------

    def lock(self, contacts: set[ContactId], conversations: set[ConversationId], legs: set[LegId]) -> None:
        if contacts:
            for contact, value in threads.lock_of_contacts(self._tx, contacts).items():
                self.conversations[value.id], self.of_contact[contact] = value, value.id
        missing = conversations - self.conversations.keys()
        if missing:
            self.conversations |= threads.lock(self._tx, missing)
        replies = {self.conversations[one].reply_leg for one in conversations if one in self.conversations}
        wanted = legs | {leg for leg in replies if leg is not None}
        if wanted:
            self.legs = threads.lock_legs(self._tx, wanted)
        self._before, self._legs_before = dict(self.conversations), dict(self.legs)

    def facts(self, conversation: Conversation, engine_up: bool) -> Facts:
        """About the leg that an answer would take."""
        leg = self.legs.get(conversation.reply_leg) if conversation.reply_leg is not None else None
        found = self._directory.of(leg.channel_id) if leg is not None else None
        if leg is None or found is None:
            return Facts(engine_up=engine_up)
        adapter, can = found[0].adapter, found[0].adapter.capabilities
        enough = can.automatic_per_hour is not None and self._automatically(conversation, leg) >= can.automatic_per_hour
        return Facts(engine_up, hasattr(adapter, "fetch"), can.marks_read, can.shows_typing, can.streams, enough)

    def _automatically(self, conversation: Conversation, leg: LegRow) -> int:
        """How often machines of ours wrote to this leg within the hour."""
        stored = said_automatically(self._tx, conversation.id, conversation.head, leg.id, self._now - HOUR_MS)
        return stored + self._automatic[leg.id]

    # --- legs ---------------------------------------------------------------------------------------------------------

    def open_leg(self, item: Item, envelope: Envelope, conversation: ConversationId) -> LegId:
        leg = item.leg
        assert leg is not None
        if leg not in self.legs:
            assert envelope.channel_id is not None
            key, claim = item.claims[0]
            channel, address = envelope.channel_id, str(claim.address)
            self.legs[leg] = LegRow(
                leg, channel, key, conversation, address, envelope.native_thread, None, 0, None, 0, 0
            )
        return leg

    def inbound(self, envelope: Envelope, leg: LegId) -> None:
        """The customer wrote here: the window is open, and this is what a reply answers."""
        assert envelope.channel_id is not None
        found = self._directory.of(envelope.channel_id)
        hours = found[0].adapter.capabilities.window_hours if found else None
        until = None if hours is None else to_ms(envelope.occurred_at + timedelta(hours=hours))
        row = self.legs[leg]
        latest = until if row.window_until is None else max(until or 0, row.window_until)
        said = envelope.body.subject if isinstance(envelope.body, Message) else None
        subject = row.subject if said is None else said
        self.legs[leg] = row._replace(window_until=latest, last_inbound=envelope.external_id, subject=subject)

    def on_the_line(self, event: CallEvent, conversation: ConversationId, leg: LegId) -> None:
        """Events of a call ask for nothing by themselves; but who calls can be answered, and may interrupt us."""
        if event.event == "interrupted":
            self.interrupted.add(leg)
        value = self.conversations[conversation]
        if value.reply_leg is None:
            self.conversations[conversation] = replace(value, reply_leg=leg)

    def is_live(self, channel: ChannelId | None) -> bool:
        found = self._directory.of(channel) if channel is not None else None
        return found is not None and found[0].adapter.capabilities.live

    def _next_wire(self, leg: LegId) -> int:
        row = self.legs[leg]
        self.legs[leg] = row._replace(wire_head=row.wire_head + 1)
        self.touched.add(leg)
        return row.wire_head + 1

    # --- envelopes ----------------------------------------------------------------------------------------------------

    def place(self, item: Item, envelope: Envelope, conversation: ConversationId, leg: LegId) -> Places:
        """A place in the conversation, and on the wire of a live leg."""
        seq = self._next_seq(conversation)
        wire = self._next_wire(leg) if self.is_live(envelope.channel_id) else None
        self._add(item.id, item, envelope, item.content, conversation, seq, leg, wire)
        return seq, wire

    def store(self, item: Item, envelope: Envelope, conversation: ConversationId | None, leg: LegId | None) -> None:
        """No place: it changes or accompanies something that has one."""
        self._add(item.id, item, envelope, item.content, conversation, None, leg, None)

    def _add(self, id: EnvelopeId, item: Item, envelope: Envelope, content: bytes, conversation: ConversationId | None,
             seq: int | None, leg: LegId | None, wire: int | None) -> None:  # fmt: skip
        kind = envelope.body.__struct_config__.tag
        raw = item.raw if envelope is item.envelope else None
        self._envelopes.append(
            EnvelopeRow(id, conversation, seq, leg, wire, envelope.channel_id, str(kind), envelope.direction,
                        envelope.observed, to_ms(envelope.occurred_at), item.row.id, content, raw)
        )  # fmt: skip
        self._files += [
            (part.media.stored, id, place)
            for place, part in media_parts(envelope.body)
            if part.media.stored is not None
        ]
        if envelope.external_id is not None and envelope.channel_id is not None and seq is not None:
            self._externals.append((envelope.channel_id, envelope.external_id, id, 0, self._now))

    def just_placed(self, ref: tuple[ChannelId, ExternalId]) -> EnvelopeId | None:
        """An envelope of this very batch, by the provider's id."""
        return next((row[2] for row in self._externals if row[:2] == ref), None)

    def content_of(self, id: EnvelopeId) -> bytes | None:
        return next((row.content for row in self._envelopes if row.id == id), None)

    def _next_seq(self, conversation: ConversationId) -> int:
        value = self.conversations[conversation]
        self.conversations[conversation] = replace(value, head=value.head + 1)
        return value.head + 1

    # --- decisions ----------------------------------------------------------------------------------------------------

    def carry_out(self, item: Item, decision: Decision, cause: Envelope | None) -> Said | None:
        """Makes envelopes and commands of what was decided. Where the first thing that was said now stands."""
        conversation = decision.conversation.id
        if isinstance(self.conversations[conversation].holder, Ai) and isinstance(
            decision.conversation.holder, Queue | Agent
        ):
            self.handoffs.append(_why(item.fact))
        self.conversations[conversation] = decision.conversation
        said = [self._heard(item, conversation, say) for say in decision.says if say.heard_as is not None]
        says = [(number, say) for number, say in enumerate(decision.says) if say.heard_as is None]
        if on_line := self._is_on_line(decision.conversation.reply_leg):
            # A change of holder may end the call: what is said about it must be heard before.
            said += [self._say(item, conversation, number, say, on_line) for number, say in says]
        for number, body in enumerate(decision.records):
            self._record(item, conversation, number, body)
        if not on_line:
            said += [self._say(item, conversation, number, say) for number, say in says]
        leg = decision.conversation.reply_leg
        channel = cause.channel_id if cause is not None else None
        for command in decision.commands:
            self._command(command, conversation, leg, channel)
        return next(filter(None, said), None)

    def ask(self, conversation: ConversationId, leg: LegId, cause: Envelope, commands: Iterable[Command]) -> None:
        """Commands that need no decision."""
        for command in commands:
            self._command(command, conversation, leg, cause.channel_id)

    def _record(self, item: Item, conversation: ConversationId, number: int, body: Body) -> None:
        leg = self.conversations[conversation].reply_leg
        channel = self.legs[leg].channel_id if leg in self.legs else None
        envelope = self._ours(derive("env", item.id, "record", str(number)), leg, body)
        seq = self._next_seq(conversation)
        found = self._directory.of(channel) if channel is not None else None
        shown = leg is not None and found is not None and found[0].adapter.capabilities.states
        wire = self._next_wire(leg) if shown and leg is not None else None
        self._add(envelope.id, item, envelope, codec.encode(envelope), conversation, seq, leg, wire)

    def _is_on_line(self, leg: LegId | None) -> bool:
        row = self.legs.get(leg) if leg is not None else None
        found = self._directory.of(row.channel_id) if row is not None else None
        return found is not None and found[0].adapter.capabilities.streams

    def _say(
        self, item: Item, conversation: ConversationId, number: int, say: Say, on_line: bool = False
    ) -> Said | None:
        """`on_line`: nothing can withhold it any more but its fence, so without one it has its number at once."""
        if say.leg is None or say.leg not in self.legs or not _has_words(say):
            return None
        id = derive("env", item.id, "say", str(number))
        envelope = self._ours(id, say.leg, Message(parts=say.parts, reply_to=say.reply_to))
        envelope = replace(envelope, author=say.author, agent_id=say.agent_id, locale=self._language(conversation, say))
        envelope, content = codec.seal(envelope)
        seq = self._next_seq(conversation)
        wire = self._next_wire(say.leg) if on_line and not say.fenced and self.is_live(envelope.channel_id) else None
        self._add(envelope.id, item, envelope, content, conversation, seq, say.leg, wire)
        self._automatic[say.leg] += say.author != "agent"
        fence = self.conversations[conversation].epoch if say.fenced else None
        send = Send(envelope.id, careful=say.careful)
        self._command(send, conversation, say.leg, envelope.channel_id, fence)
        return envelope.id, seq

    def _heard(self, item: Item, conversation: ConversationId, say: Say) -> Said | None:
        """The leg has it already: its line ends what is heard, and its send is over before it began."""
        if say.leg is None or say.leg not in self.legs or say.heard_as is None:
            return None
        envelope = self._ours(say.heard_as, say.leg, Message(parts=say.parts))
        envelope = replace(envelope, author=say.author, locale=say.locale)
        envelope, content = codec.seal(envelope)
        seq = self._next_seq(conversation)
        wire = self._next_wire(say.leg) if self.is_live(envelope.channel_id) else None
        self._add(envelope.id, item, envelope, content, conversation, seq, say.leg, wire)
        self._automatic[say.leg] += 1
        self._command(Send(envelope.id), conversation, say.leg, envelope.channel_id, done=True)
        return envelope.id, seq

    def _language(self, conversation: ConversationId, say: Say) -> str | None:
        """A person who does not tell writes in that of the customer's last turn; it may be of this very batch."""
        last = self.conversations[conversation].last_in
        if say.locale is not None or say.author != "agent" or not last:
            return say.locale
        fresh = [row.content for row in self._envelopes if (row.conversation_id, row.seq) == (conversation, last)]
        found = fresh or transcript_rows(self._tx, conversation, last, 1)
        return codec.decode(found[0]).locale if found else None

    def _ours(self, id: str, leg: LegId | None, body: Body) -> Envelope:
        """An outbound envelope for this leg."""
        row = self.legs.get(leg) if leg is not None else None
        found = self._directory.of(row.channel_id) if row is not None else None
        party = (
            Party(claims=(AddressClaim(parse_address(row.address), Evidence.CHANNEL),)) if row is not None else Party()
        )
        return Envelope(
            id=EnvelopeId(id),
            direction="out",
            channel_type=found[0].type if found else "",
            endpoint_id=found[0].id if found else EndpointId(""),
            account=found[1].account if found else None,
            author="system",
            party=party,
            occurred_at=from_ms(self._now),
            native_thread=row.native_thread if row else None,
            body=body,
            channel_id=row.channel_id if row else None,
        )

    def _command(self, command: Command, conversation: ConversationId, leg: LegId | None,
                 channel: ChannelId | None, fence: int | None = None, *, done: bool = False) -> None:  # fmt: skip
        envelope: EnvelopeId | None = None
        state, owner = (DONE if done else DUE), self._owner
        match command:
            case AskAi():
                fence = self.conversations[conversation].epoch
            case Send():
                envelope, owner = command.envelope_id, None  # it goes through its leg's order
            case FetchMedia():
                envelope = command.envelope_id
            case Notify():
                state, owner = DONE, None  # queues are lists that are read: the commit itself is the notice
            case Mark():
                pass
        # What has no outside effect is started by whoever commits it.
        until, epoch = (0, 0) if owner is None else (self._leased_until, 1)
        number, done_at = self._new_number(), self._now if state == DONE else None
        self._commands.append(
            NewCommand(
                number, CommandId(f"cmd_{number:016x}"), str(command.__struct_config__.tag), conversation, leg, channel,
                envelope, _encode_command(command), fence, state, self._now, 0, 0, self._now, owner, until, epoch,
                done_at,
            )
        )  # fmt: skip

    def fact_row(self, fact: Fact, conversation: ConversationId) -> IntakeRow:
        return fact_row(self._new_number(), fact, conversation)

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        changed_legs = [row for leg, row in self.legs.items() if row != self._legs_before.get(leg)]
        threads.save_legs(self._tx, changed_legs)
        threads.add_envelopes(self._tx, self._envelopes)
        effects.own(self._tx, self._externals)
        outbox.add(self._tx, self._commands)
        files.use(self._tx, self._files)
        changed = [value for id, value in self.conversations.items() if value is not self._before.get(id)]
        threads.save(self._tx, changed, self._now)

    def woken(self) -> frozenset[LegId]:
        return frozenset(self.touched)

    def turned(self) -> frozenset[ConversationId]:
        """Those with another holder than before, or another turn that the AI is asked about."""
        return frozenset(
            id
            for id, value in self.conversations.items()
            if (before := self._before.get(id)) is not None
            and (before.epoch, before.asked) != (value.epoch, value.asked)
        )


def _why(fact: Fact | None) -> str:
    match fact:
        case AiAnswered():
            return "unsure"
        case AiGaveUp(engine_down=down):
            return "engine_down" if down else "gave_up"
        case AgentReplied() | HolderRequested():
            return "taken_over"
        case Undelivered():
            return "undelivered"
        case EngineChanged() | MediaStored() | None:
            return "engine_down"


def _has_words(say: Say) -> bool:
    return any(getattr(part, "text", "-") for part in say.parts)
