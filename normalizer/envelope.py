"""Envelope, the one normalized record: context outside, body inside.

Rule: every value is frozen and every union is closed; a `match` on one has no default branch.
Rule: an envelope never refers to a provider's format. What the provider sent stays beside it, in `raw`.
Rule: times are aware and in UTC; the wire form is RFC 3339.
"""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from normalizer.address import Address
from normalizer.ids import (
    AgentId,
    ChannelId,
    ContactId,
    ConversationId,
    EndpointId,
    EnvelopeId,
    ExternalId,
    LegId,
    derive,
)
from normalizer.parts import (
    MEDIA_PARTS,
    Audio,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Link,
    Location,
    MediaPart,
    MediaRef,
    Order,
    OrderItem,
    Part,
    Sticker,
    Template,
    TemplateComponent,
    TemplateParameter,
    Text,
    Video,
    Voice,
    part_text,
)

__all__ = [
    "RANK", "AddressChange", "AddressClaim", "Audio", "AuthorKind", "Body", "CallEvent", "Choice", "ChoiceMade",
    "ChoicesOffered", "ContactCard", "Document", "Edit", "Envelope", "Evidence", "Failure", "Image", "Instant",
    "Link", "Location", "MediaPart", "MediaRef", "Message", "Note", "Order", "OrderItem", "Part", "Party", "Reaction",
    "Receipt", "Referral", "ReplyTo", "Revoke", "SessionEnded", "StateChange", "Status", "Sticker", "Template",
    "TemplateComponent", "TemplateParameter", "Text", "Typing", "Unsupported", "Video", "Voice", "inbound_id",
    "media_parts", "plain_text",
]  # fmt: skip

Instant = Annotated[datetime, Meta(tz=True)]


class Evidence(IntEnum):
    """How sure we are that an address belongs to the writer. Higher is surer; see `identity.py`."""

    CLAIMED = 1
    CHANNEL = 2
    VERIFIED = 3


class AddressClaim(Struct, frozen=True):
    address: Address
    evidence: Evidence


class Party(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who wrote, or is written to. The first claim is the address to answer to."""

    claims: tuple[AddressClaim, ...] = ()
    name: str | None = None
    username: str | None = None
    """Shown to agents; changes at the owner's will, so it never identifies anybody."""

    @property
    def address(self) -> Address | None:
        return self.claims[0].address if self.claims else None


# --- bodies -------------------------------------------------------------------------------------------------------


class Referral(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The advertisement or product that the customer came from."""

    source: str | None = None
    source_id: str | None = None
    url: str | None = None
    headline: str | None = None
    text: str | None = None
    click_id: str | None = None
    media: MediaRef | None = None
    """The picture or film that it showed: the provider's link, which is not fetched."""


class ReplyTo(Struct, frozen=True, omit_defaults=True):
    """What a message answers: our own envelope when we know it, else the provider's id."""

    external_id: ExternalId | None = None
    envelope_id: EnvelopeId | None = None
    product: str | None = None


class Failure(Struct, frozen=True, omit_defaults=True):
    """What a provider said went wrong. `code` is ours when we know it, else the provider's."""

    code: str
    text: str = ""
    provider_code: str | None = None


class Message(Struct, frozen=True, kw_only=True, tag_field="kind", tag="message", omit_defaults=True):
    parts: tuple[Part, ...]
    subject: str | None = None
    """On channels that have one (mail)."""
    reply_to: ReplyTo | None = None
    forwarded: bool = False
    referral: Referral | None = None
    failures: tuple[Failure, ...] = ()
    """Trouble that the provider reports about this very message (its media could not be had); the parts still count."""


class Status(StrEnum):
    """Of something we sent. See `RANK` for their order."""

    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"


RANK = {Status.SENT: 1, Status.FAILED: 2, Status.DELIVERED: 3, Status.READ: 4, Status.PLAYED: 5}
"""A status only rises. `failed` yields to `delivered`: with several devices one may fail and another receive."""


class Receipt(Struct, frozen=True, kw_only=True, tag_field="kind", tag="receipt", omit_defaults=True):
    """Inbound: what became of a message of ours. Outbound: we tell that we read theirs."""

    status: Status
    target: ExternalId | None = None
    up_to: int | None = None
    """A watermark on live channels: everything up to this number of the leg's wire."""
    recipient: Address | None = None
    failure: Failure | None = None
    typing: bool = False
    """Outbound: also show that an answer is being written."""
    billing: str | None = None


class Reaction(Struct, frozen=True, tag_field="kind", tag="reaction", omit_defaults=True):
    target: ExternalId
    emoji: str | None = None
    """None takes the reaction back."""


class Edit(Struct, frozen=True, tag_field="kind", tag="edit"):
    target: ExternalId
    parts: tuple[Part, ...]


class Revoke(Struct, frozen=True, tag_field="kind", tag="revoke"):
    target: ExternalId


class Typing(Struct, frozen=True, tag_field="kind", tag="typing", omit_defaults=True):
    on: bool = True


class CallEvent(Struct, frozen=True, kw_only=True, tag_field="kind", tag="call_event", omit_defaults=True):
    call: ExternalId
    event: str
    """`ringing`, `connected`, `interrupted`, `key`, `ended`, `accepted`, `rejected`, or the provider's own word."""
    direction: Literal["in", "out"] | None = None
    duration_s: int | None = None
    detail: str | None = None
    """`interrupted`: what the caller heard of our last message. `key`: the key. Else the provider's reason."""


class AddressChange(Struct, frozen=True, kw_only=True, tag_field="kind", tag="address_change", omit_defaults=True):
    """The same person is reached at `new` from now on (`old` None: further addresses of the sender)."""

    old: tuple[Address, ...] = ()
    new: tuple[AddressClaim, ...] = ()
    reason: str


class SessionEnded(Struct, frozen=True, tag_field="kind", tag="session_ended"):
    """The sender's leg is closed by its owner; credentials issued before are void."""


class StateChange(Struct, frozen=True, kw_only=True, tag_field="kind", tag="state_change", omit_defaults=True):
    """Who must answer changed. Written by us into the conversation."""

    state: str
    """The new holder: `ai`, `queue`, `agent`, `nobody`."""
    reason: str
    who: str | None = None


class Note(Struct, frozen=True, tag_field="kind", tag="note"):
    """For colleagues; never leaves the house."""

    text: str


class Unsupported(Struct, frozen=True, kw_only=True, tag_field="kind", tag="unsupported", omit_defaults=True):
    """Something the provider sent for which we have no word. Kept, counted, with its raw."""

    what: str
    """The provider's name for it."""
    failures: tuple[Failure, ...] = ()
    visible: bool = True
    """False: an account notice or the like, which is no turn of the customer's."""


Body = (
    Message | Receipt | Reaction | Edit | Revoke | Typing | CallEvent | AddressChange | SessionEnded
    | StateChange | Note | Unsupported
)  # fmt: skip

AuthorKind = Literal["customer", "ai", "agent", "system", "business"]
"""`business`: written by us, but not through this gateway (a phone app, another system)."""


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: EnvelopeId
    direction: Literal["in", "out"]
    channel_type: str
    endpoint_id: EndpointId
    account: str | None = None
    """The provider's name for our account (phone number id, mailbox, widget); room 2 finds the channel by it."""
    author: AuthorKind = "customer"
    agent_id: AgentId | None = None
    party: Party = Party()
    """The outside person: who wrote (in) or is written to (out)."""
    group: Address | None = None
    """Set when this was said in a group; the group is then the contact, `party` the writer."""
    occurred_at: Instant
    received_at: Instant | None = None
    external_id: ExternalId | None = None
    dedupe_keys: tuple[str, ...] = ()
    """Names of the event, within the channel: any of them seen before makes this a duplicate. Empty: the intake row."""
    native_thread: str | None = None
    echo_key: str | None = None
    """The key that we gave with a send and the provider hands back."""
    observed: bool = False
    """Stored, never answered: standby, echoes, group talk that is not addressed to us."""
    automated: bool = False
    """A machine wrote it (an absence note, a mailing list): people see it, and no machine of ours answers."""
    locale: str | None = None
    body: Body
    channel_id: ChannelId | None = None
    contact_id: ContactId | None = None
    conversation_id: ConversationId | None = None
    leg_id: LegId | None = None
    seq: int | None = None
    """Place in the conversation; room 2 gives it to messages, notes and state changes."""
    raw: Raw | None = None
    """The provider's slice of JSON for this envelope alone."""


def inbound_id(endpoint: EndpointId, account: str | None, key: str) -> EnvelopeId:
    """The id of what came in: the same event gives the same id however often it is delivered."""
    return EnvelopeId(derive("env", endpoint, account or "", key))


def media_parts(body: Body) -> tuple[tuple[int, MediaPart], ...]:
    """The parts of a message that carry bytes, with their places."""
    if not isinstance(body, Message):
        return ()
    return tuple([(place, part) for place, part in enumerate(body.parts) if isinstance(part, MEDIA_PARTS)])


def plain_text(body: Body) -> str:
    """What a person would read of it on one screen without pictures; empty when there is nothing to read."""
    if not isinstance(body, Message):
        return ""
    return "\n".join(filter(None, map(part_text, body.parts)))
