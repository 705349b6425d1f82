"""Envelope, the one normalized record: context outside, body inside.

Rule: every value is frozen and every union is closed; a `match` on one has no default branch.
Rule: an envelope never refers to a provider's format. What the provider sent stays beside it, in `raw`.
Rule: times are aware and in UTC; the wire form is RFC 3339.
"""

from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

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


# --- parts of a message -------------------------------------------------------------------------------------------


class MediaRef(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where bytes are: at the provider (`external_id`, `url`) until they are `stored` here."""

    external_id: str | None = None
    url: str | None = None
    mime: str | None = None
    """As the provider says; `sniffed` is what the bytes say."""
    sha256: str | None = None
    """Lower-case hex, as the provider says."""
    size: int | None = None
    filename: str | None = None
    stored: str | None = None
    """SHA-256 of the stored bytes, lower-case hex: their name in the media store."""
    sniffed: str | None = None
    failed: str | None = None
    """Why the bytes could not be had, when we gave up. The message stands without them."""


class Text(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class Image(Struct, frozen=True, tag_field="type", tag="image", omit_defaults=True):
    media: MediaRef
    caption: str | None = None


class Audio(Struct, frozen=True, tag_field="type", tag="audio"):
    media: MediaRef


class Voice(Struct, frozen=True, tag_field="type", tag="voice", omit_defaults=True):
    """Recorded for this conversation, unlike an audio file that was attached."""

    media: MediaRef
    transcript: str | None = None


class Video(Struct, frozen=True, tag_field="type", tag="video", omit_defaults=True):
    media: MediaRef
    caption: str | None = None


class Document(Struct, frozen=True, tag_field="type", tag="document", omit_defaults=True):
    media: MediaRef
    caption: str | None = None


class Sticker(Struct, frozen=True, tag_field="type", tag="sticker", omit_defaults=True):
    media: MediaRef
    animated: bool = False


class Location(Struct, frozen=True, tag_field="type", tag="location", omit_defaults=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    url: str | None = None


class ContactCard(Struct, frozen=True, tag_field="type", tag="contact_card", omit_defaults=True):
    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    organization: str | None = None
    vcard: str | None = None
    requested: bool = False
    """True when the customer answered our request for his own details rather than forwarding somebody's."""


class Choice(Struct, frozen=True, omit_defaults=True):
    id: str
    title: str
    description: str | None = None
    section: str | None = None


class Link(Struct, frozen=True):
    title: str
    url: str


class ChoicesOffered(Struct, frozen=True, tag_field="type", tag="choices_offered", omit_defaults=True):
    """A question with answers to tap, or (`link`) with one address to open."""

    text: str
    choices: tuple[Choice, ...] = ()
    link: Link | None = None
    header: str | None = None
    footer: str | None = None
    button: str | None = None
    """The label that opens a list of choices. None: the channel's own default."""
    request: Literal["location", "contact"] | None = None


class ChoiceMade(Struct, frozen=True, tag_field="type", tag="choice_made", omit_defaults=True):
    id: str
    title: str
    description: str | None = None
    form: str | None = None
    """The answers of a form as JSON text, when the choice was a filled-in form."""


class TemplateParameter(Struct, frozen=True, omit_defaults=True):
    type: Literal[
        "text", "currency", "date_time", "image", "video", "document", "location", "payload", "coupon_code", "action"
    ]
    text: str | None = None
    name: str | None = None
    media: MediaRef | None = None
    value: Raw | UnsetType = UNSET
    """The JSON of the kinds that have a structure of their own (currency, date_time, location, action)."""


class TemplateComponent(Struct, frozen=True, omit_defaults=True):
    type: Literal["header", "body", "button"]
    parameters: tuple[TemplateParameter, ...] = ()
    sub_type: str | None = None
    index: int | None = None


class Template(Struct, frozen=True, tag_field="type", tag="template", omit_defaults=True):
    """A text that the provider approved beforehand, by name."""

    name: str
    language: str
    components: tuple[TemplateComponent, ...] = ()


class OrderItem(Struct, frozen=True):
    product: str
    quantity: int
    price: str
    """Decimal text; never a float."""
    currency: str


class Order(Struct, frozen=True, tag_field="type", tag="order", omit_defaults=True):
    items: tuple[OrderItem, ...]
    catalog: str | None = None
    text: str | None = None


Part = (
    Text | Image | Audio | Voice | Video | Document | Sticker | Location | ContactCard
    | ChoicesOffered | ChoiceMade | Template | Order
)  # fmt: skip
MediaPart = Image | Audio | Voice | Video | Document | Sticker
_MEDIA_PARTS = (Image, Audio, Voice, Video, Document, Sticker)
"""For `isinstance`, which is slow about unions."""


# --- bodies -------------------------------------------------------------------------------------------------------


class Referral(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The advertisement or product that the customer came from."""

    source: str | None = None
    source_id: str | None = None
    url: str | None = None
    headline: str | None = None
    text: str | None = None
    click_id: str | None = None


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
    return tuple([(place, part) for place, part in enumerate(body.parts) if isinstance(part, _MEDIA_PARTS)])


def plain_text(body: Body) -> str:
    """What a person would read of it on one screen without pictures; empty when there is nothing to read."""
    if not isinstance(body, Message):
        return ""
    return "\n".join(filter(None, map(_part_text, body.parts)))


def _part_text(part: Part) -> str:
    match part:
        case Text(text=text):
            return text
        case Image(caption=caption) | Video(caption=caption) | Document(caption=caption):
            return caption or ""
        case Voice(transcript=transcript):
            return transcript or ""
        case Audio() | Sticker():
            return ""
        case Location(name=name, address=address):
            return " ".join(filter(None, (name, address)))
        case ContactCard(name=name):
            return name
        case ChoicesOffered(text=text):
            return text
        case ChoiceMade(title=title):
            return title
        case Template(name=name):
            return name
        case Order(text=text):
            return text or ""
