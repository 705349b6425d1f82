"""The JSON of WhatsApp's Cloud API, as far as it is read. Every field may be missing, and usually some are.

Rule: lists hold `Raw` items, each decoded by itself, so that an unreadable one is kept beside its neighbours.
Rule: `from`, `wa_id` and `recipient_id` are absent for people who hide their number, `user_id` in old payloads.
"""

from decimal import Decimal
from typing import Any

from msgspec import Raw, Struct, field

from adapters._json import Reader


class Change(Struct, frozen=True):
    field: str = ""
    value: Raw = Raw(b"null")


class Entry(Struct, frozen=True):
    changes: list[Raw] | None = None


class Delivery(Struct, frozen=True):
    entry: list[Raw]
    object: str | None = None


class Metadata(Struct, frozen=True):
    phone_number_id: str | int | None = None
    display_phone_number: str | None = None


class Profile(Struct, frozen=True):
    name: str | None = None
    username: str | None = None


class Contact(Struct, frozen=True):
    profile: Profile | None = None
    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None


class Value(Struct, frozen=True):
    metadata: Metadata | None = None
    contacts: list[Raw] | None = None
    messages: list[Raw] | None = None
    statuses: list[Raw] | None = None
    message_echoes: list[Raw] | None = None
    calls: list[Raw] | None = None
    errors: list[Raw] | None = None
    user_preferences: list[Raw] | None = None
    standby: Raw = Raw(b"")
    """The same keys once more, when another holder of the conversation answers."""


class ErrorData(Struct, frozen=True):
    details: str | None = None


class Error(Struct, frozen=True):
    code: int | str | None = None
    title: str | None = None
    message: str | None = None
    error_data: ErrorData | None = None
    details: str | None = None
    type: str | None = None
    error_subcode: int | str | None = None
    is_transient: bool | None = None


# --- messages -----------------------------------------------------------------------------------------------------


class TextBody(Struct, frozen=True):
    body: str


class Media(Struct, frozen=True):
    id: str | int | None = None
    mime_type: str | None = None
    sha256: str | None = None
    caption: str | None = None
    filename: str | None = None
    url: str | None = None
    voice: bool | None = None
    animated: bool | None = None


class Place(Struct, frozen=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
    url: str | None = None


class CardName(Struct, frozen=True):
    formatted_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class CardPhone(Struct, frozen=True):
    phone: str | None = None
    wa_id: str | None = None


class CardEmail(Struct, frozen=True):
    email: str | None = None


class CardOrg(Struct, frozen=True):
    company: str | None = None


class Card(Struct, frozen=True):
    name: CardName | None = None
    phones: list[CardPhone] | None = None
    emails: list[CardEmail] | None = None
    org: CardOrg | None = None
    vcard: str | None = None


class Pick(Struct, frozen=True):
    id: str | None = None
    title: str | None = None
    description: str | None = None


class FlowAnswer(Struct, frozen=True):
    name: str | None = None
    body: str | None = None
    response_json: Any = None
    """JSON in a text; other things were seen in its place."""


class CallPermission(Struct, frozen=True):
    response: str | None = None


class Interactive(Struct, frozen=True):
    type: str | None = None
    button_reply: Pick | None = None
    list_reply: Pick | None = None
    nfm_reply: FlowAnswer | None = None
    call_permission_reply: CallPermission | None = None


class Button(Struct, frozen=True):
    payload: str | None = None
    text: str | None = None


class ReactionBody(Struct, frozen=True):
    message_id: str
    emoji: str | None = None


class Product(Struct, frozen=True):
    product_retailer_id: str | int
    quantity: int
    item_price: Decimal
    currency: str


class OrderBody(Struct, frozen=True):
    product_items: list[Product]
    catalog_id: str | int | None = None
    text: str | None = None


class System(Struct, frozen=True):
    body: str | None = None
    type: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    """Its name before v12.0 of the API."""
    user_id: str | None = None
    parent_user_id: str | None = None
    previous_user_id: str | None = None
    previous_parent_user_id: str | None = None


class ReferredProduct(Struct, frozen=True):
    catalog_id: str | int | None = None
    product_retailer_id: str | int | None = None


class Context(Struct, frozen=True):
    from_: str | None = field(name="from", default=None)
    id: str | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    referred_product: ReferredProduct | None = None


class AdReferral(Struct, frozen=True):
    source_url: str | None = None
    source_id: str | None = None
    source_type: str | None = None
    headline: str | None = None
    body: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    thumbnail_url: str | None = None
    ctwa_clid: str | None = None


class UnsupportedBody(Struct, frozen=True):
    type: str | None = None


class EditBody(Struct, frozen=True):
    original_message_id: str
    message: "Message | None" = None


class RevokeBody(Struct, frozen=True):
    original_message_id: str


class Message(Struct, frozen=True):
    """Of `messages[]` and `message_echoes[]`; the content lies under the key that `type` names."""

    id: str | None = None
    type: str | None = None
    timestamp: str | int | float | None = None
    from_: str | None = field(name="from", default=None)
    from_user_id: str | None = None
    from_parent_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    to_parent_user_id: str | None = None
    group_id: str | None = None
    context: Context | None = None
    referral: AdReferral | None = None
    errors: list[Error] | None = None
    origin: str | None = None
    text: TextBody | None = None
    image: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    voice: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Place | None = None
    contacts: list[Card] | None = None
    interactive: Interactive | None = None
    button: Button | None = None
    reaction: ReactionBody | None = None
    order: OrderBody | None = None
    system: System | None = None
    edit: EditBody | None = None
    revoke: RevokeBody | None = None
    unsupported: UnsupportedBody | None = None
    message: "Message | None" = None
    """Of an echo in `standby`: its content."""


# --- statuses and calls -------------------------------------------------------------------------------------------


class Pricing(Struct, frozen=True):
    category: str | None = None


class Status(Struct, frozen=True):
    id: str | None = None
    status: str | None = None
    timestamp: str | int | float | None = None
    type: str | None = None
    """`call` under the field `calls`."""
    recipient_id: str | None = None
    recipient_type: str | None = None
    recipient_user_id: str | None = None
    recipient_parent_user_id: str | None = None
    parent_recipient_user_id: str | None = None
    """Another spelling that Meta's pages use for the same."""
    recipient_participant_id: str | None = None
    recipient_participant_user_id: str | None = None
    biz_opaque_callback_data: str | None = None
    pricing: Pricing | None = None
    errors: list[Error] | None = None


class Call(Struct, frozen=True):
    id: str | None = None
    from_: str | None = field(name="from", default=None)
    from_user_id: str | None = None
    from_parent_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    to_parent_user_id: str | None = None
    event: str | None = None
    direction: str | None = None
    timestamp: str | int | float | None = None
    status: str | None = None
    """How it ended."""
    duration: int | None = None


class Preference(Struct, frozen=True):
    """What a customer set in his app: whether he wants this category of messages."""

    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None
    category: str | None = None
    value: str | None = None
    detail: str | None = None
    timestamp: str | int | float | None = None


# --- answers of the API -------------------------------------------------------------------------------------------


class AcceptedMessage(Struct, frozen=True):
    id: str | None = None


class Accepted(Struct, frozen=True):
    """Of `POST /<phone number id>/messages`: for a message, or `success` for a mark."""

    messages: list[AcceptedMessage] | None = None
    success: bool | None = None


class MediaInfo(Struct, frozen=True):
    """Of an upload (`id` alone) and of `GET /<media id>`."""

    id: str | int | None = None
    url: str | None = None
    mime_type: str | None = None
    sha256: str | None = None
    file_size: int | str | None = None


class NumberInfo(Struct, frozen=True):
    display_phone_number: str | None = None
    verified_name: str | None = None
    quality_rating: str | None = None


class SubscribedApps(Struct, frozen=True):
    """Of `GET /<WABA id>/subscribed_apps`: who gets the account's webhooks."""

    data: list[Raw] = []


class ErrorAnswer(Struct, frozen=True):
    error: Raw = Raw(b"")


read_entry = Reader(Entry).read
read_change = Reader(Change).read
read_value = Reader(Value).read
read_contact = Reader(Contact).read
read_message = Reader(Message).read
read_status = Reader(Status).read
read_call = Reader(Call).read
read_preference = Reader(Preference).read
read_error = Reader(Error).read
