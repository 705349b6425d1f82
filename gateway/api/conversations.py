"""Conversations: listing, reading, answering, and who holds them.

Rule: an answer and a change of holder are facts that enter the intake like everything else; here they only wait
for what came of them.
"""

from collections.abc import Iterable

from adapters.base import Outcome, Placed
from gateway.api import shapes, views
from gateway.api.base import Answer, Api, Asked, from_cursor, number_of, to_cursor
from gateway.api.problems import Problem
from gateway.directory import from_ms
from gateway.store import files, overview, people, reads, threads
from gateway.store.tx import Tx
from normalizer.envelope import MediaPart, Part, ReplyTo, Text
from normalizer.ids import AgentId, ChannelId, ConversationId, EnvelopeId, derive
from router.conversation import Agent, Ai, Conversation, Holder, Kind, Nobody, Queue, kind_of
from router.events import AgentReplied, HolderRequested

KINDS: tuple[Kind, ...] = ("ai", "queue", "agent", "nobody")
NEWEST = (2**62, "")
"""Before every conversation, newest first."""

# --- reading ------------------------------------------------------------------------------------------------------


async def list_all(api: Api, asked: Asked[shapes.ConversationsQuery, None]) -> Answer:
    query = asked.query
    before = NEWEST if query.cursor is None else _place(query.cursor)
    holders = KINDS if query.holder is None else (query.holder,)
    rows = await api.core.store.read(lambda tx: reads.list_conversations(tx, before, holders, query.limit + 1))
    shown = rows[: query.limit]
    following = to_cursor(shown[-1][1], shown[-1][0].id) if len(rows) > query.limit else None
    return Answer(shapes.ConversationPage(items=tuple(_item(*row) for row in shown), next=following))


def _place(cursor: str) -> tuple[int, str]:
    at, id = from_cursor(cursor, 2)
    return number_of(at), id


def _item(value: Conversation, created: int) -> shapes.ConversationItem:
    return shapes.ConversationItem(**_fields(value), created_at=from_ms(created))  # type: ignore[arg-type]  # because a view's fields are spread


def _fields(value: Conversation) -> dict[str, object]:
    view = views.conversation(value)
    return {name: getattr(view, name) for name in view.__struct_fields__}


async def get_one(api: Api, asked: Asked[None, None]) -> Answer:
    id = ConversationId(asked.path["id"])
    found = await api.core.store.read(lambda tx: _detail(tx, id))
    if found is None:
        raise Problem("not_found")
    return Answer(found)


def _detail(tx: Tx, id: ConversationId) -> shapes.ConversationDetail | None:
    value, times = reads.get_conversation(tx, id), overview.began(tx, id)
    if value is None or times is None:
        return None
    contact = people.get_contact(tx, value.contact_id)
    assert contact is not None, "a conversation is made with its contact"
    legs = sorted(reads.legs_of(tx, [id]), key=lambda row: (row.id != value.reply_leg, row.id))
    root = overview.whole_family(tx, value.contact_id)[0]
    linked = (other for other in reads.conversations_of(tx, root) if other.id != id)
    return shapes.ConversationDetail(
        **_fields(value),  # type: ignore[arg-type]  # because a view's fields are spread
        created_at=from_ms(times[0]),
        updated_at=from_ms(times[1]),
        contact=shapes.ContactRef(id=contact[0].id, kind=contact[0].kind, name=contact[0].name),
        legs=tuple(views.leg(row, value) for row in legs),
        linked=tuple(views.conversation(other) for other in linked),
    )


async def envelopes(api: Api, asked: Asked[shapes.EnvelopesQuery, None]) -> Answer:
    id, query = ConversationId(asked.path["id"]), asked.query
    page = await api.core.store.read(lambda tx: _page(tx, id, query.after, query.limit))
    if page is None:
        raise Problem("not_found")
    return Answer(page)


def _page(tx: Tx, id: ConversationId, after: int, most: int) -> shapes.EnvelopePage | None:
    value = reads.get_conversation(tx, id)
    if value is None:
        return None
    rows = reads.page(tx, id, after, most + 1)
    shown = rows[:most]
    return shapes.EnvelopePage(
        items=tuple(views.envelope(one, value.contact_id) for one in shown),
        next_after=shown[-1].row.seq if len(rows) > most else None,
        head=value.head,
    )


# --- answering ----------------------------------------------------------------------------------------------------


async def send_message(api: Api, asked: Asked[None, shapes.SendMessage]) -> Answer:
    id, parts = ConversationId(asked.path["id"]), _parts(asked.body)
    assert asked.key is not None, "the table says that it is required"
    reply_to = asked.body.reply_to
    channel = await api.core.store.read(lambda tx: _way_out(tx, id, reply_to))
    _can_carry(api, channel, parts)
    await _are_here(api, parts)
    fact = AgentReplied(
        conversation_id=id,
        agent_id=AgentId(asked.body.agent_id),
        parts=parts,
        key=asked.key,
        reply_to=None if reply_to is None else ReplyTo(envelope_id=reply_to),
        locale=asked.body.locale,
    )
    outcome = await api.core.receiver.enter(fact, id, outcome_ms=api.core.config.server.call_outcome_ms)
    if outcome is None:
        return Answer(shapes.MessageTaken(conversation_id=id, envelope_id=None, seq=None), 202)
    return await _said(api, id, _placed(outcome))


def _parts(body: shapes.SendMessage) -> tuple[Part, ...]:
    match body:
        case shapes.SendMessage(text=str(text), parts=None):
            return (Text(text),)
        case shapes.SendMessage(text=None, parts=tuple(parts)):
            return parts
        case _:
            raise Problem("bad_request", "either `text` or `parts`", path="$")


def _way_out(tx: Tx, id: ConversationId, reply_to: EnvelopeId | None) -> ChannelId:
    value = reads.get_conversation(tx, id)
    if value is None:
        raise Problem("not_found")
    leg = None if value.reply_leg is None else reads.get_leg(tx, value.reply_leg)
    if leg is None:
        raise Problem("nowhere_to_reply")
    if reply_to is not None:
        _can_be_answered(tx, id, reply_to, leg.channel_id)
    return leg.channel_id


def _can_be_answered(tx: Tx, id: ConversationId, message: EnvelopeId, channel: ChannelId) -> None:
    """A channel can only point at what it carried itself."""
    row = threads.get_envelopes(tx, [message]).get(message)
    if row is None or row.conversation_id != id or row.seq is None:
        raise Problem("bad_request", "no such message in this conversation", path="$.reply_to")
    if row.channel_id != channel:
        raise Problem("bad_request", f"it is not on {channel}, where the answer goes", path="$.reply_to")


def _can_carry(api: Api, channel: ChannelId, parts: Iterable[Part]) -> None:
    found = api.core.directory.of(channel)
    if found is None:
        raise Problem("cannot_send", f"the channel {channel} is not configured any more")
    sends = found[0].adapter.capabilities.sends
    for place, part in enumerate(parts):
        kind = str(part.__struct_config__.tag)
        if kind not in sends:
            raise Problem("cannot_send", f"{channel} carries {', '.join(sorted(sends))}", path=f"$.parts[{place}]")
        if isinstance(part, Text) and not part.text.strip():
            raise Problem("bad_request", "the text is empty", path=f"$.parts[{place}].text")


async def _are_here(api: Api, parts: Iterable[Part]) -> None:
    """Files that are named must be there to be sent."""
    named = {place: part.media for place, part in enumerate(parts) if isinstance(part, MediaPart)}
    stored = {place: media.stored for place, media in named.items() if media.stored is not None}
    if stored:
        known = await api.core.store.read(lambda tx: {sha: files.get(tx, sha) for sha in stored.values()})
        for place, sha in stored.items():
            if known[sha] is None:
                raise Problem("bad_request", "no such file", path=f"$.parts[{place}].media.stored")
    for place, media in named.items():
        if media.stored is None and media.url is None and media.external_id is None:
            raise Problem("bad_request", "one of `stored`, `url` and `external_id`", path=f"$.parts[{place}].media")
        if media.url is not None and not media.url.startswith(("https://", "http://")):
            raise Problem("bad_request", "must begin with https://", path=f"$.parts[{place}].media.url")


def _placed(outcome: Outcome) -> Placed:
    if not outcome.placed:
        raise Problem("not_found" if outcome.error == "unknown_conversation" else "not_processed")
    if outcome.placed[0].conflict:
        raise Problem("key_reused", path="Idempotency-Key")
    return outcome.placed[0]


async def _said(api: Api, id: ConversationId, placed: Placed) -> Answer:
    """The outcome of a repeat names the request that came first; the message is named after it."""
    envelope = _result_of(placed, "say") if placed.duplicate else placed.envelope_id
    row = (await api.core.store.read(lambda tx: threads.get_envelopes(tx, [envelope]))).get(envelope)
    if row is None:
        raise Problem("nowhere_to_reply")
    return Answer(shapes.MessageTaken(conversation_id=id, envelope_id=row.id, seq=row.seq), 201)


def _result_of(placed: Placed, what: str) -> EnvelopeId:
    """The first envelope that room 2 derived from a fact."""
    return EnvelopeId(derive("env", placed.envelope_id, what, "0"))


# --- holding ------------------------------------------------------------------------------------------------------


async def put_holder(api: Api, asked: Asked[None, shapes.PutHolder]) -> Answer:
    id, body = ConversationId(asked.path["id"]), asked.body
    holder = _wanted(body, api.core.config.policy.default_queue)
    fact = HolderRequested(
        conversation_id=id,
        holder=holder,
        expected_epoch=body.expected_epoch,
        by=asked.token.name,
        key=asked.key or api.core.ids.uuid(),
    )
    outcome = await api.core.receiver.enter(fact, id, outcome_ms=api.core.config.server.call_outcome_ms)
    if outcome is None:
        return Answer(_taken(id, holder, None), 202)
    placed = _placed(outcome)
    if outcome.error is None and not placed.duplicate:
        return Answer(_taken(id, holder, placed.seq))
    return await _decided(api, fact, placed)


def _wanted(body: shapes.PutHolder, default_queue: str) -> Holder:
    given = {"queue": body.queue, "agent_id": body.agent_id}
    fits = {"queue": "queue", "agent": "agent_id"}.get(body.holder)
    for name, value in given.items():
        if value is not None and name != fits:
            raise Problem("bad_request", f"does not go with the holder `{body.holder}`", path=f"$.{name}")
    match body.holder:
        case "ai":
            return Ai()
        case "queue":
            return Queue(body.queue or default_queue)
        case "nobody":
            return Nobody()
        case "agent":
            if body.agent_id is None:
                raise Problem("bad_request", "needed with the holder `agent`", path="$.agent_id")
            return Agent(AgentId(body.agent_id))


async def _decided(api: Api, fact: HolderRequested, placed: Placed) -> Answer:
    """Refused, or a repeat: what was decided stands in the conversation, as the entry that a change leaves."""
    entry = _result_of(placed, "record")

    def look(tx: Tx) -> tuple[bool, Conversation | None]:
        return entry in threads.get_envelopes(tx, [entry]), reads.get_conversation(tx, fact.conversation_id)

    changed, value = await api.core.store.read(look)
    if value is None:
        raise Problem("not_found")
    if changed:
        return Answer(_taken(value.id, fact.holder, fact.expected_epoch + 1))
    same = value.epoch == fact.expected_epoch
    raise Problem("engine_down" if same and isinstance(fact.holder, Ai) else "conflict", epoch=value.epoch)


def _taken(id: ConversationId, holder: Holder, epoch: int | None) -> shapes.HolderTaken:
    queue, agent = views.names(holder)
    return shapes.HolderTaken(conversation_id=id, holder=kind_of(holder), queue=queue, agent_id=agent, epoch=epoch)
