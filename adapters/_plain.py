"""What channels do alike: the envelope of what came in, what kind of part a file is, and parts as plain text where a
channel has nothing else.

Rule: nothing is left out: choices are numbered, a file is a link, a place is one on a map.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Raw

from adapters.base import MediaFailed, RawInbound, Refused, TemplateRefused
from normalizer.address import Address
from normalizer.envelope import (
    AddressClaim,
    Audio,
    Body,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Envelope,
    Evidence,
    Image,
    Location,
    MediaPart,
    MediaRef,
    Message,
    Order,
    Part,
    Party,
    Sticker,
    Template,
    Text,
    Video,
    Voice,
    inbound_id,
)
from normalizer.text import split

SAYS = frozenset(
    {
        "text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
        "choices_offered",
    }
)  # fmt: skip
"""Parts that a text can say."""
MAP_URL = "https://maps.google.com/?q="


def envelope(
    raw: RawInbound,
    channel_type: str,
    body: Body,
    slice_: Raw | Mapping[str, Any],
    *,
    key: str | None = None,
    place: int = 0,
    **facts: Any,
) -> Envelope:
    """What came in. `key` names the event by the provider's id; without one its name is the intake row."""
    given: dict[str, Any] = {"direction": "in", "occurred_at": raw.received_at, "account": None, **facts}
    if given.get("party") == Party():
        del given["party"]
    return Envelope(
        id=inbound_id(raw.endpoint_id, given["account"], key or f"{raw.id}#{place}"),
        channel_type=channel_type,
        endpoint_id=raw.endpoint_id,
        received_at=raw.received_at,
        dedupe_keys=(key,) if key else (),
        body=body,
        raw=slice_ if isinstance(slice_, Raw) else Raw(json.dumps(slice_).encode()),
        **given,
    )


def known_by(address: Address | None) -> Party:
    """A person whom the channel itself knows by this address."""
    return Party(claims=(AddressClaim(address, Evidence.CHANNEL),)) if address else Party()


def plain(part: Part, media_urls: Mapping[str, str]) -> str:
    """Raises SendError for what no text can say."""
    match part:
        case Text(text=text):
            return text
        case Image(media=media, caption=caption) | Video(media=media, caption=caption):
            return _lines(caption, link(media, media_urls))
        case Document(media=media, caption=caption):
            return _lines(caption, media.filename, link(media, media_urls))
        case Audio(media=media) | Voice(media=media) | Sticker(media=media):
            return link(media, media_urls)
        case Location():
            return _lines(part.name, part.address, MAP_URL + coordinates(part))
        case ContactCard():
            return _lines(part.name, *part.phones, *part.emails, part.organization)
        case ChoicesOffered():
            return numbered(part)
        case Template():
            raise TemplateRefused("this channel has no templates")
        case ChoiceMade() | Order():
            raise Refused("only customers choose and order")


def media_part(media: MediaRef) -> MediaPart:
    """By what its sender says of its type. A sound in WhatsApp's own format was recorded, another one was attached."""
    match (media.mime or "").partition(";")[0].strip().lower().split("/"):
        case ["image", _]:
            return Image(media)
        case ["video", _]:
            return Video(media)
        case ["audio", "ogg"]:
            return Voice(media)
        case ["audio", _]:
            return Audio(media)
        case _:
            return Document(media)


def answers(text: str) -> str | None:
    """The answers of a form, as JSON text; None for what is no JSON object."""
    try:
        return text if text.startswith("{") and isinstance(json.loads(text), dict) else None
    except (ValueError, RecursionError):
        return None


def texts(body: Body, media_urls: Mapping[str, str], limit: int) -> list[str]:
    """A message as texts of at most so many characters. Raises SendError for what no text can say."""
    parts = body.parts if isinstance(body, Message) else ()
    found = [text for part in parts for text in split(plain(part, media_urls), limit)]
    if not found:
        raise Refused("there is nothing to send")
    return found


def link(media: MediaRef, media_urls: Mapping[str, str]) -> str:
    """Where the bytes can be had. A link that a payload named is used only while we hold no bytes of our own."""
    url = media_urls.get(media.stored) if media.stored else media.url
    if media.failed or not url:
        raise MediaFailed("there is no public link to the bytes")
    return url


def coordinates(place: Location) -> str:
    return f"{place.latitude:.6f},{place.longitude:.6f}"


def numbered(offer: ChoicesOffered) -> str:
    """A question with its answers counted from 1."""
    check(offer.choices)
    lines = [
        f"{number}. {choice.title}" + (f" – {choice.description}" if choice.description else "")
        for number, choice in enumerate(offer.choices, 1)
    ]
    where = f"{offer.link.title}: {offer.link.url}" if offer.link else None
    return "\n\n".join(filter(None, (offer.header, offer.text, "\n".join(lines), where, offer.footer)))


def check(choices: Sequence[Choice]) -> None:
    """Raises Refused for choices that nobody could tell apart."""
    ids = [choice.id for choice in choices]
    if not all(ids) or not all(choice.title.strip() for choice in choices):
        raise Refused("a choice needs an id and a title")
    if len(set(ids)) < len(ids):
        raise Refused("two choices have the same id")


def _lines(*lines: str | None) -> str:
    return "\n".join(filter(None, lines))
