"""What channels do alike: parts as plain text where a channel has nothing else, and what kind of part a file is.

Rule: nothing is left out: choices are numbered, a file is a link, a place is one on a map.
"""

import json
from collections.abc import Mapping, Sequence

from adapters.base import MediaFailed, Refused, TemplateRefused
from normalizer.envelope import (
    Audio,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Location,
    MediaPart,
    MediaRef,
    Order,
    Part,
    Sticker,
    Template,
    Text,
    Video,
    Voice,
)

MAP_URL = "https://maps.google.com/?q="


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
