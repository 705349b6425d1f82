"""What goes in and out of the API, as structs: the one source for decoding, encoding and the OpenAPI document.

Rule: input forbids unknown fields, so that a misspelt one is told and not ignored; output may gain fields.
Rule: 64-bit numbers that name something are text here: JSON numbers above 2^53 do not survive every client.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from normalizer.codec import VERSION
from normalizer.envelope import Envelope, Instant, Part, Status
from normalizer.ids import AgentId, ChannelId, CommandId, ContactId, ConversationId, EnvelopeId, ExternalId, LegId
from router.conversation import Kind

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_KEY_CHARS = 255

Limit = Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="Most items of a page.")]
Cursor = Annotated[str, Meta(description="`next` of the page before.")]
NOT_BLANK = r"\S"
LANGUAGE_TAG = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$(?!\n)"
"""To Python `$` is before a last line break as well."""
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NOT_BLANK)]
EvidenceName = Literal["claimed", "channel", "verified"]
StuckState = Literal["failed", "parked", "dead"]
Epoch = Annotated[int, Meta(description="Raised by every change of the holder.")]

# --- in -----------------------------------------------------------------------------------------------------------


class ConversationsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    holder: Annotated[Kind | None, Meta(description="Only those that this kind of holder must answer.")] = None
    cursor: Cursor | None = None
    limit: Limit = DEFAULT_LIMIT


class EnvelopesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: Annotated[int, Meta(ge=0, le=2**31 - 1, description="Only what has a higher `seq`.")] = 0
    limit: Limit = DEFAULT_LIMIT


class PageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cursor: Cursor | None = None
    limit: Limit = DEFAULT_LIMIT


class DeadQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Annotated[Literal["inbound", "command"] | None, Meta(description="Only these; else both.")] = None


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class SendMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent writes to the customer: `text`, or `parts` for anything more."""

    agent_id: Annotated[Name, Meta(description="Who wrote it. He holds the conversation from then on.")]
    text: Annotated[str, Meta(min_length=1, pattern=NOT_BLANK)] | None = None
    parts: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=20)] | None = None
    reply_to: Annotated[
        EnvelopeId | None, Meta(description="The message that this one answers, by its `id`; of the same channel.")
    ] = None
    locale: Annotated[
        Annotated[str, Meta(max_length=35, pattern=LANGUAGE_TAG)] | None,
        Meta(description="Its language (BCP 47), like `en-GB`. Left out: that of the customer's last message."),
    ] = None


class PutHolder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who must answer from now on."""

    holder: Kind
    queue: Annotated[Name | None, Meta(description="With `queue`; the default queue when it is left out.")] = None
    agent_id: Annotated[Name | None, Meta(description="With `agent`.")] = None
    expected_epoch: Annotated[
        int, Meta(ge=0, description="The epoch that the caller has seen; another one is a conflict.")
    ]


# --- out ----------------------------------------------------------------------------------------------------------


class ConversationView(Struct, frozen=True, kw_only=True):
    """The single cross-channel thread of a contact."""

    id: ConversationId
    contact_id: ContactId
    holder: Kind
    queue: str | None
    agent_id: AgentId | None
    epoch: Epoch
    head: int
    """The highest `seq`."""
    reason: str
    """Why the holder is the holder."""
    next_step: str
    due_at: Instant | None
    """When the next step is late."""


class ConversationItem(ConversationView, frozen=True, kw_only=True):
    created_at: Instant


class ConversationPage(Struct, frozen=True, kw_only=True):
    items: tuple[ConversationItem, ...]
    next: str | None
    """The `cursor` of the next page; null: this is the last one."""


class ContactRef(Struct, frozen=True, kw_only=True):
    id: ContactId
    kind: str
    """`person` or `group`."""
    name: str | None


class LegView(Struct, frozen=True, kw_only=True):
    """An address of the contact's on one channel."""

    id: LegId
    channel_id: ChannelId
    address: str
    native_thread: str | None
    window_until: Instant | None
    """Until then the channel carries free text; null: it knows no such window."""
    replies_here: bool
    """The customer wrote here last: an answer takes this way."""


class ConversationDetail(ConversationItem, frozen=True, kw_only=True):
    updated_at: Instant
    contact: ContactRef
    legs: tuple[LegView, ...]
    linked: tuple[ConversationView, ...]
    """Conversations of contacts that are known to be the same person."""


class ShownEnvelope(Envelope, frozen=True, kw_only=True, omit_defaults=True):
    """An envelope in its wire form, with what became of it."""

    v: Literal[1]
    status: Status | None
    """Of what we sent: how far it got. Null: not sent yet, or inbound."""
    error: str | None
    """Why it failed: our code and the provider's."""


assert VERSION == 1, "ShownEnvelope names the version of the wire form"


class EnvelopePage(Struct, frozen=True, kw_only=True):
    items: tuple[Raw, ...]
    """ShownEnvelopes."""
    next_after: int | None
    """The `after` of the next page; null: this is the last one so far."""
    head: int


class MessageTaken(Struct, frozen=True, kw_only=True):
    """201: it has its place in the conversation. 202: it is kept and will get one; the same request again tells."""

    conversation_id: ConversationId
    envelope_id: EnvelopeId | None
    seq: int | None


class HolderTaken(Struct, frozen=True, kw_only=True):
    """200: so it is. 202: it is kept and will be decided; the same request with the same key tells."""

    conversation_id: ConversationId
    holder: Kind
    queue: str | None
    agent_id: AgentId | None
    epoch: int | None


class AddressView(Struct, frozen=True, kw_only=True):
    address: str
    contact_id: ContactId
    evidence: EvidenceName
    since: Instant


class LinkView(Struct, frozen=True, kw_only=True):
    """`child` is known to be the same person as `parent`. Unmerge the child to undo it."""

    child: ContactId
    parent: ContactId
    evidence: EvidenceName
    reason: str
    since: Instant


class ContactView(Struct, frozen=True, kw_only=True):
    """A person or group, with everybody who is known to be the same."""

    id: ContactId
    kind: str
    name: str | None
    created_at: Instant
    addresses: tuple[AddressView, ...]
    links: tuple[LinkView, ...]
    conversations: tuple[ConversationView, ...]


class DeadView(Struct, frozen=True, kw_only=True, tag_field="kind", tag="inbound"):
    """Something inbound that could not be processed. It is kept."""

    id: str
    intake_id: str
    index: int
    """Which part of the request."""
    endpoint_id: str
    what: str
    """`raw`: a request or frame. `fact`: something of our own."""
    reason: str
    detail: str
    at: Instant


class StuckView(Struct, frozen=True, kw_only=True, tag_field="kind", tag="command"):
    """Something that we were to do and that ended without success."""

    id: CommandId
    what: str
    state: StuckState
    """`parked`: it may have gone out; repeat it only when you know that it did not."""
    conversation_id: ConversationId
    channel_id: ChannelId | None
    envelope_id: EnvelopeId | None
    attempts: int
    error: str | None
    at: Instant


class DeadPage(Struct, frozen=True, kw_only=True):
    items: tuple[DeadView | StuckView, ...]
    """First what is inbound, then commands; each oldest first."""
    next: str | None


class Replayed(Struct, frozen=True, kw_only=True):
    id: str
    replayed: int
    """How many entries went back to work: all that came of the same request go together."""


class OrphanView(Struct, frozen=True, kw_only=True):
    """A receipt, reaction, edit or revoke whose message never came."""

    id: str
    channel_id: ChannelId
    external_id: ExternalId
    envelope_id: EnvelopeId
    at: Instant


class OrphanPage(Struct, frozen=True, kw_only=True):
    items: tuple[OrphanView, ...]
    next: str | None


class FailureView(Struct, frozen=True, kw_only=True):
    command_id: CommandId
    what: str
    state: str
    error: str
    at: Instant


class SourceView(Struct, frozen=True, kw_only=True):
    """Something that the gateway dials or asks itself: a mailbox, a socket, pages of what was missed."""

    name: str
    ok: bool
    heard_at: Instant | None
    """The last sign of life, by whichever node."""
    trouble: str | None
    """Why it is not heard, as a code."""


class AlarmView(Struct, frozen=True, kw_only=True):
    """Why a channel stands still, until its provider is well when it is asked."""

    code: str
    reason: str
    """What the provider called it, or `probe`: it came out when it was asked."""
    since: Instant


class ChannelHealth(Struct, frozen=True, kw_only=True):
    channel_id: ChannelId
    endpoint_id: str
    type: str
    ok: bool
    detail: str
    """What the provider said when it was asked."""
    checked_at: Instant
    alarm: AlarmView | None = None
    """Something that the gateway was told or found out by itself; with one the channel is not `ok`."""
    sources: tuple[SourceView, ...]
    """Of the channel's endpoint; one that is not heard makes the channel not `ok`."""
    waiting: dict[str, int]
    """Commands that are not performed yet, by kind."""
    failures: tuple[FailureView, ...]
    """The last ones, newest first."""


class QueueView(Struct, frozen=True, kw_only=True):
    name: str
    waiting: int
    oldest_due: Instant | None


class QueueList(Struct, frozen=True, kw_only=True):
    items: tuple[QueueView, ...]
