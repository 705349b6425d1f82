"""decide(event, conversation, facts, policy, now) -> Decision. All that happens after a turn is decided here.

Rule: pure; whoever calls it holds the lock on the conversation and writes what it says in the same transaction.
Rule: every automatic decision says why, in words.
Rule: an answer computed for another epoch is dropped here, and once more when it is sent.
"""

from msgspec import Struct
from msgspec.structs import replace

from normalizer.envelope import (
    AuthorKind,
    Body,
    Envelope,
    Message,
    Part,
    ReplyTo,
    StateChange,
    Template,
    Text,
    media_parts,
)
from normalizer.ids import AgentId, LegId
from router.commands import AskAi, Command, FetchMedia, Mark, Notify
from router.conversation import FIRST, Agent, Ai, Conversation, Holder, Kind, Nobody, Queue, Trigger, kind_of, next_kind
from router.events import AgentReplied, AiAnswered, AiGaveUp, HolderRequested
from router.policy import Policy


class Facts(Struct, frozen=True):
    """What the store knew, read under the lock."""

    engine_up: bool = True
    fetches_media: bool = False
    marks_read: bool = False
    shows_typing: bool = False


class Say(Struct, frozen=True, kw_only=True):
    """A message to the customer; room 2 makes an outbound envelope and its Send of it."""

    parts: tuple[Part, ...]
    author: AuthorKind
    agent_id: AgentId | None = None
    leg: LegId | None
    fenced: bool = False
    """Not to be sent once the holder has changed."""
    careful: bool = False
    reply_to: ReplyTo | None = None


class Decision(Struct, frozen=True, kw_only=True):
    conversation: Conversation
    reason: str
    says: tuple[Say, ...] = ()
    commands: tuple[Command, ...] = ()
    records: tuple[Body, ...] = ()
    """Entries of the conversation's own (state changes), placed before what is said."""
    refused: str | None = None
    """Nothing was done: `conflict`, `stale`, `engine_down`, `no_leg`."""


Event = Envelope | AiAnswered | AiGaveUp | AgentReplied | HolderRequested


def decide(event: Event, conversation: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    """`now` in milliseconds. For an Envelope, `conversation.head` is already its seq and `reply_leg` its leg."""
    match event:
        case Envelope():
            return _customer_wrote(event, conversation, facts, policy, now)
        case AiAnswered():
            return _ai_answered(event, conversation, policy, now)
        case AiGaveUp():
            return _ai_gave_up(event, conversation, policy, now)
        case AgentReplied():
            return _agent_replied(event, conversation, now, policy)
        case HolderRequested():
            return _holder_requested(event, conversation, facts, policy, now)


def _customer_wrote(envelope: Envelope, before: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    wrote = replace(before, last_in=before.head)
    trigger = Trigger.CUSTOMER_WROTE if facts.engine_up else Trigger.CUSTOMER_WROTE_AI_DOWN
    holder = _holder(next_kind(before.holder, trigger), before.holder, policy)
    if holder == before.holder:
        return _to_holder(wrote, envelope, facts, policy, now)
    lost_ai = not facts.engine_up and (isinstance(before.holder, Ai) or policy.first_holder == "ai")
    changed = _change(wrote, holder, "the AI engine is down" if lost_ai else "the customer wrote")
    rest = _to_holder(changed, envelope, facts, policy, now)
    says = (_system(policy.engine_down_text, changed.reply_leg),) if lost_ai else ()
    first_turn = isinstance(before.holder, Nobody) and not lost_ai
    return replace(rest, says=says + rest.says, records=() if first_turn else (_state(changed),))


def _to_holder(conversation: Conversation, envelope: Envelope, facts: Facts, policy: Policy, now: int) -> Decision:
    fetched = fetches(envelope) if facts.fetches_media else ()
    match conversation.holder:
        case Ai():
            marks = _marks(envelope, facts, policy)
            decision = _ask(conversation, policy, now, "the customer wrote to the AI")
            return replace(decision, commands=marks + decision.commands + fetched)
        case Queue() | Agent():
            waiting = _waiting(conversation, policy, now)
            return Decision(conversation=waiting, reason="the customer wrote to a person",
                            commands=(Notify("customer_wrote"), *fetched))  # fmt: skip
        case Nobody():
            return Decision(conversation=conversation, reason="nobody holds it", commands=fetched)


def _ask(conversation: Conversation, policy: Policy, now: int, reason: str) -> Decision:
    """One question at a time: what comes meanwhile is asked about when the answer is there."""
    if conversation.asked is not None:
        return Decision(conversation=conversation, reason="the AI is still at the turn before")
    asked = replace(
        conversation, asked=conversation.head, next_step="the AI answers", due_at=now + policy.ai_deadline_ms
    )
    return Decision(conversation=asked, reason=reason, commands=(AskAi(conversation.head, policy.ai_deadline_ms),))


def _ai_answered(event: AiAnswered, before: Conversation, policy: Policy, now: int) -> Decision:
    if _stale(event.epoch, before):
        return Decision(conversation=before, reason="an answer for an older holder", refused="stale")
    if event.confidence < policy.min_confidence:
        return _hand_off(before, policy, now, f"the AI is unsure ({event.confidence:.2f})", policy.handoff_text)
    answered = _rested(before, event.up_to)
    say = Say(parts=(Text(event.text),), author="ai", leg=before.reply_leg, fenced=True)
    if before.last_in > event.up_to:
        again = _ask(answered, policy, now, "the AI answered; the customer has written more")
        return replace(again, says=(say,))
    return Decision(conversation=answered, reason="the AI answered", says=(say,))


def _ai_gave_up(event: AiGaveUp, before: Conversation, policy: Policy, now: int) -> Decision:
    if _stale(event.epoch, before):
        return Decision(conversation=before, reason="a result for an older holder", refused="stale")
    text = policy.engine_down_text if event.engine_down else policy.handoff_text
    return _hand_off(before, policy, now, event.reason, text)


def _hand_off(before: Conversation, policy: Policy, now: int, reason: str, text: str) -> Decision:
    holder = _holder(next_kind(before.holder, Trigger.AI_GAVE_UP), before.holder, policy)
    after = _waiting(_change(before, holder, reason), policy, now)
    return Decision(conversation=after, reason=reason, says=(_system(text, after.reply_leg),),
                    commands=(Notify("handoff"),), records=(_state(after),))  # fmt: skip


def _agent_replied(event: AgentReplied, before: Conversation, now: int, policy: Policy) -> Decision:
    if before.reply_leg is None:
        return Decision(conversation=before, reason="the customer has not written yet", refused="no_leg")
    careful = any(isinstance(part, Template) for part in event.parts)
    author: AuthorKind = "system" if event.system else "agent"
    say = Say(parts=event.parts, author=author, agent_id=event.agent_id, leg=before.reply_leg, careful=careful,
              reply_to=event.reply_to)  # fmt: skip
    if event.system:
        return Decision(conversation=before, reason="a program of ours wrote", says=(say,))
    kind = next_kind(before.holder, Trigger.AGENT_REPLIED)
    holder = Agent(event.agent_id) if kind == "agent" and not isinstance(before.holder, Agent) else before.holder
    if holder == before.holder:
        return Decision(conversation=_rested(before, before.last_in), reason="an agent answered", says=(say,))
    after = _rested(_change(before, holder, "an agent answered"), before.last_in)
    return Decision(
        conversation=after, reason="an agent answered and holds it now", says=(say,), records=(_state(after),)
    )


def _holder_requested(event: HolderRequested, before: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    if event.expected_epoch != before.epoch:
        return Decision(conversation=before, reason="the holder changed meanwhile", refused="conflict")
    if isinstance(event.holder, Ai) and not facts.engine_up:
        return Decision(conversation=before, reason="the AI engine is down", refused="engine_down")
    after = _change(before, event.holder, f"asked for by {event.by}")
    unanswered = after.last_in > after.answered
    match event.holder:
        case Ai() if unanswered:
            return replace(_ask(after, policy, now, "the AI takes over"), records=(_state(after),))
        case Queue() | Agent() if unanswered:
            waiting = _waiting(after, policy, now)
            return Decision(
                conversation=waiting, reason=after.reason, commands=(Notify("given"),), records=(_state(after),)
            )
        case Ai() | Queue() | Agent() | Nobody():
            return Decision(conversation=_rested(after, after.answered), reason=after.reason, records=(_state(after),))


# --- small steps --------------------------------------------------------------------------------------------------


def _holder(kind: Kind | str, current: Holder, policy: Policy) -> Holder:
    if kind == kind_of(current):
        return current
    if kind == FIRST:
        kind = policy.first_holder
    return Ai() if kind == "ai" else Queue(policy.default_queue)


def _change(conversation: Conversation, holder: Holder, reason: str) -> Conversation:
    return replace(conversation, holder=holder, epoch=conversation.epoch + 1, reason=reason, asked=None)


def _waiting(conversation: Conversation, policy: Policy, now: int) -> Conversation:
    """With people: they have a time to look at it, counted from the first message they have not answered."""
    if conversation.due_at is not None and conversation.next_step == "a person answers":
        return conversation
    return replace(conversation, next_step="a person answers", due_at=now + policy.queue_due_ms)


def _rested(conversation: Conversation, up_to: int) -> Conversation:
    """Nothing of the customer's up to `up_to` waits any more."""
    return replace(conversation, asked=None, answered=max(conversation.answered, up_to), next_step="", due_at=None)


def _stale(epoch: int, conversation: Conversation) -> bool:
    return epoch != conversation.epoch or not isinstance(conversation.holder, Ai)


def _state(conversation: Conversation) -> StateChange:
    who = conversation.holder.agent_id if isinstance(conversation.holder, Agent) else None
    return StateChange(state=kind_of(conversation.holder), reason=conversation.reason, who=who)


def _system(text: str, leg: LegId | None) -> Say:
    return Say(parts=(Text(text),), author="system", leg=leg)


def _marks(envelope: Envelope, facts: Facts, policy: Policy) -> tuple[Command, ...]:
    if not policy.mark_read or not facts.marks_read or envelope.external_id is None:
        return ()
    return (Mark(envelope.external_id, typing=facts.shows_typing),)


def fetches(envelope: Envelope) -> tuple[Command, ...]:
    """One for each part whose bytes are not here yet."""
    wanted = (place for place, part in media_parts(envelope.body) if part.media.stored is None)
    return tuple(FetchMedia(envelope.id, place) for place in wanted)


def asks_for_something(envelope: Envelope) -> bool:
    """True for a turn of the customer's: stored with a seq and answered."""
    match envelope.body:
        case Message():
            return not envelope.observed
        case _:
            return False
