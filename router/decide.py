"""decide(event, conversation, facts, policy, now) -> Decision. All that happens after a turn is decided here.

Rule: pure; whoever calls it holds the lock on the conversation and writes what it says in the same transaction.
Rule: every automatic decision says why, in words.
Rule: an answer computed for another epoch is dropped here, and once more when it is sent.
Rule: what a leg has heard is recorded, whatever became of the answer; what it has not heard is fenced like any other.
Rule: an answer that did not arrive is no answer: people look at it, in silence, so that no failure can cause another.
"""

from msgspec import Struct
from msgspec.structs import replace

from normalizer.envelope import (
    AuthorKind,
    Body,
    CallEvent,
    Envelope,
    Message,
    Part,
    ReplyTo,
    StateChange,
    Template,
    Text,
    media_parts,
)
from normalizer.ids import AgentId, EnvelopeId, LegId
from router.commands import AskAi, Command, FetchMedia, Mark, Notify
from router.conversation import FIRST, Agent, Ai, Conversation, Holder, Kind, Nobody, Queue, Trigger, kind_of, next_kind
from router.events import AgentReplied, AiAnswered, AiGaveUp, HolderRequested, Undelivered, spoken_id
from router.policy import Policy


class Facts(Struct, frozen=True):
    """What the store knew, read under the lock."""

    engine_up: bool = True
    fetches_media: bool = False
    marks_read: bool = False
    shows_typing: bool = False
    streams: bool = False
    """The leg hears an answer while it is being written."""
    answered_enough: bool = False
    """So many automatic answers went to this leg within the hour that two machines may be talking."""


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
    locale: str | None = None
    heard_as: EnvelopeId | None = None
    """Set: the leg has heard it already, under this id. It is recorded as sent."""


class Decision(Struct, frozen=True, kw_only=True):
    conversation: Conversation
    reason: str
    says: tuple[Say, ...] = ()
    commands: tuple[Command, ...] = ()
    records: tuple[Body, ...] = ()
    """Entries of the conversation's own (state changes), placed before what is said."""
    refused: str | None = None
    """Nothing was done (but recorded what was heard): `conflict`, `stale`, `engine_down`, `no_leg`."""


Event = Envelope | AiAnswered | AiGaveUp | AgentReplied | HolderRequested | Undelivered


def decide(event: Event, conversation: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    """`now` in milliseconds. For an Envelope, `conversation.head` is already its seq and `reply_leg` its leg."""
    match event:
        case Envelope():
            return _customer_wrote(event, conversation, facts, policy, now)
        case AiAnswered():
            return _ai_answered(event, conversation, facts, policy, now)
        case AiGaveUp():
            return _ai_gave_up(event, conversation, policy, now)
        case AgentReplied():
            return _agent_replied(event, conversation, now, policy)
        case HolderRequested():
            return _holder_requested(event, conversation, facts, policy, now)
        case Undelivered():
            return _undelivered(event, conversation, policy, now)


def _customer_wrote(envelope: Envelope, before: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    with_people = isinstance(before.holder, Queue | Agent)
    if envelope.automated and not with_people:
        fetched = fetches(envelope) if facts.fetches_media else ()
        return Decision(conversation=before, reason="a machine wrote: nobody waits for an answer", commands=fetched)
    wrote = replace(before, last_in=before.head)
    trigger, reason = _trigger(before, facts, policy)
    holder = _holder(next_kind(before.holder, trigger), before.holder, policy)
    if holder == before.holder:
        return _to_holder(wrote, envelope, facts, policy, now)
    changed = _change(wrote, holder, reason)
    rest = _to_holder(changed, envelope, facts, policy, now)
    lost_ai = trigger is Trigger.CUSTOMER_WROTE_AI_DOWN and _wants_ai(before, policy)
    says = (_system(policy.engine_down_text, changed.reply_leg),) if lost_ai else ()
    first_turn = isinstance(before.holder, Nobody) and not lost_ai and trigger is not Trigger.TOO_MANY_ANSWERS
    return replace(rest, says=says + rest.says, records=() if first_turn else (_state(changed),))


def _trigger(before: Conversation, facts: Facts, policy: Policy) -> tuple[Trigger, str]:
    if facts.answered_enough and _wants_ai(before, policy):
        return Trigger.TOO_MANY_ANSWERS, "too many automatic answers in an hour"
    if facts.engine_up:
        return Trigger.CUSTOMER_WROTE, "the customer wrote"
    return Trigger.CUSTOMER_WROTE_AI_DOWN, (
        "the AI engine is down" if _wants_ai(before, policy) else "the customer wrote"
    )


def _wants_ai(conversation: Conversation, policy: Policy) -> bool:
    """Whether the AI would answer, if it can."""
    match conversation.holder:
        case Ai():
            return True
        case Nobody():
            return policy.first_holder == "ai"
        case Queue() | Agent():
            return False


def answering(conversation: Conversation, facts: Facts, policy: Policy) -> Kind:
    """Who would answer if the customer spoke now: for whoever is on the line before a word is said."""
    return kind_of(
        _holder(next_kind(conversation.holder, _trigger(conversation, facts, policy)[0]), conversation.holder, policy)
    )


def _to_holder(conversation: Conversation, envelope: Envelope, facts: Facts, policy: Policy, now: int) -> Decision:
    fetched = fetches(envelope) if facts.fetches_media else ()
    match conversation.holder:
        case Ai():
            marks = _marks(envelope, facts, policy)
            decision = _ask(conversation, facts, policy, now, "the customer wrote to the AI", envelope.locale)
            return replace(decision, commands=marks + decision.commands + fetched)
        case Queue() | Agent():
            waiting = _waiting(conversation, policy, now)
            return Decision(conversation=waiting, reason="the customer wrote to a person",
                            commands=(Notify("customer_wrote"), *fetched))  # fmt: skip
        case Nobody():
            return Decision(conversation=conversation, reason="nobody holds it", commands=fetched)


def _ask(
    conversation: Conversation, facts: Facts, policy: Policy, now: int, reason: str, locale: str | None = None
) -> Decision:
    """One question at a time: what comes meanwhile is asked about when the answer is there. Who is on the line does
    not wait for an answer to what he has left behind: his newer turn takes the place of the one before."""
    if conversation.asked is not None and not facts.streams:
        return Decision(conversation=conversation, reason="the AI is still at the turn before")
    asked = replace(
        conversation, asked=conversation.head, next_step="the AI answers", due_at=now + policy.ai_deadline_ms
    )
    speak_at = policy.min_confidence if facts.streams else None
    ask = AskAi(conversation.head, policy.ai_deadline_ms, speak_at, locale)
    return Decision(conversation=asked, reason=reason, commands=(ask,))


def _ai_answered(event: AiAnswered, before: Conversation, facts: Facts, policy: Policy, now: int) -> Decision:
    if why := _stale(event, before):
        return Decision(conversation=before, reason=f"an answer for {why}", says=_heard(event), refused="stale")
    if event.confidence < policy.min_confidence:
        return _hand_off(event, before, policy, now, f"the AI is unsure ({event.confidence:.2f})", policy.handoff_text)
    answered = _rested(before, event.up_to)
    rest = event.text[len(event.spoken) :].strip()
    says = _heard(event)
    if rest or not says:
        says += (Say(parts=(Text(rest),), author="ai", leg=before.reply_leg, fenced=True, locale=event.locale),)
    if before.last_in > event.up_to:
        again = _ask(answered, facts, policy, now, "the AI answered; the customer has written more", event.locale)
        return replace(again, says=says)
    return Decision(conversation=answered, reason="the AI answered", says=says)


def _ai_gave_up(event: AiGaveUp, before: Conversation, policy: Policy, now: int) -> Decision:
    if why := _stale(event, before):
        return Decision(conversation=before, reason=f"a result for {why}", says=_heard(event), refused="stale")
    text = policy.engine_down_text if event.engine_down else policy.handoff_text
    return _hand_off(event, before, policy, now, event.reason, text)


def _hand_off(
    event: AiAnswered | AiGaveUp, before: Conversation, policy: Policy, now: int, reason: str, text: str
) -> Decision:
    holder = _holder(next_kind(before.holder, Trigger.AI_GAVE_UP), before.holder, policy)
    after = _waiting(_change(before, holder, reason), policy, now)
    return Decision(conversation=after, reason=reason, says=(*_heard(event), _system(text, after.reply_leg)),
                    commands=(Notify("handoff"),), records=(_state(after),))  # fmt: skip


def _agent_replied(event: AgentReplied, before: Conversation, now: int, policy: Policy) -> Decision:
    if before.reply_leg is None:
        return Decision(conversation=before, reason="the customer has not written yet", refused="no_leg")
    careful = any(isinstance(part, Template) for part in event.parts)
    author: AuthorKind = "system" if event.system else "agent"
    say = Say(parts=event.parts, author=author, agent_id=event.agent_id, leg=before.reply_leg, careful=careful,
              reply_to=event.reply_to, locale=event.locale)  # fmt: skip
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
            return replace(_ask(after, facts, policy, now, "the AI takes over"), records=(_state(after),))
        case Queue() | Agent() if unanswered:
            waiting = _waiting(after, policy, now)
            return Decision(
                conversation=waiting, reason=after.reason, commands=(Notify("given"),), records=(_state(after),)
            )
        case Ai() | Queue() | Agent() | Nobody():
            return Decision(conversation=_rested(after, after.answered), reason=after.reason, records=(_state(after),))


def _undelivered(event: Undelivered, before: Conversation, policy: Policy, now: int) -> Decision:
    """The AI goes on as if it had been read, so people take over: also when it is being asked something newer, because
    what it is asked about may hold the answer that never came. But once a newer turn was answered, the customer is
    being served and can ask again: a failure that late is shown, and no more. Nothing is said: the way to him has just
    failed, and the next message of his opens it again."""
    if before.answered > event.seq:
        return Decision(conversation=before, reason="a newer turn has its answer")
    holder = _holder(next_kind(before.holder, Trigger.UNDELIVERED), before.holder, policy)
    if holder == before.holder:
        return Decision(conversation=before, reason="an answer of the AI's failed; it is not with the AI any more")
    reason = f"undelivered: an answer of the AI's failed ({event.code})"
    after = _waiting(_reopened(_change(before, holder, reason)), policy, now)
    return Decision(conversation=after, reason=reason, commands=(Notify("handoff"),), records=(_state(after),))


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


def _reopened(conversation: Conversation) -> Conversation:
    """The customer's last turn waits again: who gets it by a transfer has its due time, and the AI would be asked."""
    return replace(conversation, answered=min(conversation.answered, max(0, conversation.last_in - 1)))


def _stale(event: AiAnswered | AiGaveUp, conversation: Conversation) -> str | None:
    """Whom it was for instead. None: it is what we wait for."""
    if event.epoch != conversation.epoch or not isinstance(conversation.holder, Ai):
        return "an older holder"
    if conversation.asked is None:
        return "a turn that has its answer" if event.up_to <= conversation.answered else None
    return "an older turn" if event.up_to < conversation.asked else None


def _heard(event: AiAnswered | AiGaveUp) -> tuple[Say, ...]:
    """What the leg has heard of it already."""
    if not event.spoken:
        return ()
    return (Say(parts=(Text(event.spoken),), author="ai", leg=event.leg_id, locale=event.locale,
                heard_as=spoken_id(event.command_id)),)  # fmt: skip


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


def interrupts(envelope: Envelope) -> bool:
    """True when somebody on the line did not let us finish."""
    return isinstance(envelope.body, CallEvent) and envelope.body.event == "interrupted"


def asks_for_something(envelope: Envelope) -> bool:
    """True for a turn of the customer's: stored with a seq and answered."""
    match envelope.body:
        case Message():
            return not envelope.observed
        case _:
            return False
