"""From the store's rows to what the API shows."""

from datetime import datetime

from msgspec import Raw, json
from msgspec.structs import replace

from gateway.api import shapes
from gateway.directory import from_ms
from gateway.store.overview import STATES, DeadRow, FailureRow, LinkRow, OrphanRow, StuckRow
from gateway.store.people import AddressRow
from gateway.store.reads import Shown
from gateway.store.schema import FAILED, PARKED
from gateway.store.threads import LegRow
from normalizer import codec
from normalizer.envelope import Evidence
from normalizer.ids import AgentId, ContactId
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue, kind_of


def instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def names(holder: Holder) -> tuple[str | None, AgentId | None]:
    """The queue's name and the agent's id: whichever it is."""
    match holder:
        case Queue(name=name):
            return name, None
        case Agent(agent_id=agent):
            return None, agent
        case Ai() | Nobody():
            return None, None


def conversation(value: Conversation) -> shapes.ConversationView:
    queue, agent = names(value.holder)
    return shapes.ConversationView(
        id=value.id,
        contact_id=value.contact_id,
        holder=kind_of(value.holder),
        queue=queue,
        agent_id=agent,
        epoch=value.epoch,
        head=value.head,
        reason=value.reason,
        next_step=value.next_step,
        due_at=instant(value.due_at),
    )


def leg(row: LegRow, value: Conversation) -> shapes.LegView:
    return shapes.LegView(
        id=row.id,
        channel_id=row.channel_id,
        address=row.address,
        native_thread=row.native_thread,
        window_until=instant(row.window_until),
        replies_here=row.id == value.reply_leg,
    )


def envelope(shown: Shown, contact: ContactId) -> Raw:
    """The wire form with all that the store knows around it; the codec alone writes envelopes, so we add behind it."""
    row = shown.row
    whole = replace(
        codec.decode(bytes(row.content)), channel_id=row.channel_id, contact_id=contact, leg_id=row.leg_id,
        conversation_id=row.conversation_id, seq=row.seq,
    )  # fmt: skip
    rest = json.encode({"status": shown.status, "error": shown.error})
    return Raw(codec.encode(whole)[:-1] + b"," + rest[1:])


def address(row: AddressRow) -> shapes.AddressView:
    return shapes.AddressView(
        address=row.address, contact_id=row.contact_id, evidence=_evidence(row.evidence), since=from_ms(row.at)
    )


def link(row: LinkRow) -> shapes.LinkView:
    return shapes.LinkView(
        child=row.child, parent=row.parent, evidence=_evidence(row.evidence), reason=row.reason, since=from_ms(row.at)
    )


def _evidence(level: int) -> shapes.EvidenceName:
    match Evidence(level):
        case Evidence.CLAIMED:
            return "claimed"
        case Evidence.CHANNEL:
            return "channel"
        case Evidence.VERIFIED:
            return "verified"


def dead(row: DeadRow) -> shapes.DeadView:
    return shapes.DeadView(
        id=str(row.id),
        intake_id=str(row.intake_id),
        index=row.idx,
        endpoint_id=row.endpoint_id,
        what=row.kind,
        reason=row.reason,
        detail=row.detail,
        at=from_ms(row.at),
    )


def stuck(row: StuckRow) -> shapes.StuckView:
    return shapes.StuckView(
        id=row.id,
        what=row.kind,
        state=stuck_state(row.state),
        conversation_id=row.conversation_id,
        channel_id=row.channel_id,
        envelope_id=row.envelope_id,
        attempts=row.attempts,
        error=row.error,
        at=from_ms(row.at),
    )


def stuck_state(state: int) -> shapes.StuckState:
    if state == PARKED:
        return "parked"
    return "failed" if state == FAILED else "dead"


def orphan(row: OrphanRow) -> shapes.OrphanView:
    return shapes.OrphanView(
        id=str(row.id),
        channel_id=row.channel_id,
        external_id=row.external_id,
        envelope_id=row.envelope_id,
        at=from_ms(row.at),
    )


def failure(row: FailureRow) -> shapes.FailureView:
    return shapes.FailureView(
        command_id=row.command_id,
        what=row.kind,
        state=STATES.get(row.state, str(row.state)),
        error=row.error,
        at=from_ms(row.at),
    )
