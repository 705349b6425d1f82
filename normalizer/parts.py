"""What a message is made of: texts, files, places, questions and what was chosen. Imported from `envelope.py`.

Rule: every part is frozen and the union is closed; a `match` on it has no default branch.
"""

from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType


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
MEDIA_PARTS = (Image, Audio, Voice, Video, Document, Sticker)
"""For `isinstance`, which is slow about unions."""


def part_text(part: Part) -> str:
    """What a person would read of it without pictures; empty when there is nothing to read."""
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
