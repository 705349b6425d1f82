"""What a mail says and brings: the parts of a message as blocks of text and as files.

Rule: a part that a mail can not show as itself is put into words; nothing is left out in silence.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from adapters.base import Attachment, MediaFailed, Refused, TemplateRefused
from normalizer.envelope import (
    Audio,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Location,
    MediaRef,
    Order,
    Part,
    Sticker,
    Template,
    Text,
    Video,
    Voice,
)

SENDS = frozenset(
    {
        "text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
        "choices_offered",
    }
)  # fmt: skip
OCTETS = "application/octet-stream"
ENDINGS = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac", "audio/amr": ".amr", "video/mp4": ".mp4",
    "video/3gpp": ".3gp", "application/pdf": ".pdf", "text/plain": ".txt", "text/csv": ".csv",
    "application/zip": ".zip",
}  # fmt: skip
MAP = "https://www.openstreetmap.org/?mlat={0}&mlon={1}#map=17/{0}/{1}"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_LINK = re.compile(r"https?://[^\s<>\"'`]{1,2000}")
_LINE_ENDS = re.compile(r"\r\n|\r")


class Content(Struct, frozen=True):
    blocks: tuple[str, ...]
    files: tuple[Attachment, ...]


def content_of(parts: Sequence[Part]) -> Content:
    """Raises Refused when there is nothing to send, MediaFailed for a file that is not here."""
    blocks: list[str] = []
    files: list[Attachment] = []
    for part in parts:
        text, media = _said(part)
        if (shown := clean(text).strip("\n")).strip():
            blocks.append(shown)
        if media is not None:
            files.append(_file(media, type(part).__name__.lower()))
    if not blocks and not files:
        raise Refused("there is nothing to send")
    return Content(tuple(blocks), tuple(files))


def clean(text: str) -> str:
    return _HALVES.sub("\ufffd", _CONTROL.sub("", _LINE_ENDS.sub("\n", text)))


def _said(part: Part) -> tuple[str, MediaRef | None]:
    match part:
        case Text(text=text):
            return text, None
        case Image(media=media, caption=caption) | Video(media=media, caption=caption):
            return caption or "", media
        case Document(media=media, caption=caption):
            return caption or "", media
        case Audio(media=media) | Voice(media=media) | Sticker(media=media):
            return "", media
        case Location():
            return _place(part), None
        case ContactCard():
            return _card(part), None
        case ChoicesOffered():
            return "\n".join(_choices(part)), None
        case Template():
            raise TemplateRefused("mail has no templates that a provider keeps")
        case ChoiceMade() | Order():
            raise Refused(f"mail has no way to send {type(part).__struct_config__.tag}")


def _file(media: MediaRef, kind: str) -> Attachment:
    if media.stored is None:
        raise MediaFailed("the file is not stored")
    mime = (media.sniffed or media.mime or OCTETS).partition(";")[0].strip().lower()
    name = clean(media.filename or "").replace("\n", " ").replace("/", "_").replace("\\", "_").strip()
    return Attachment(stored=media.stored, filename=name or kind + ENDINGS.get(mime, ""), mime=mime)


def _place(part: Location) -> str:
    link = part.url or MAP.format(part.latitude, part.longitude)
    return "\n".join(filter(None, (part.name, part.address, link)))


def _card(part: ContactCard) -> str:
    return "\n".join(filter(None, (part.name, part.organization, *part.phones, *part.emails)))


def _choices(part: ChoicesOffered) -> Iterator[str]:
    """Numbered, so that an answer can name one. A section's title stands above its first choice."""
    yield from filter(None, (part.header, part.text))
    if part.choices:
        yield ""
    section = None
    for number, choice in enumerate(part.choices, 1):
        if choice.section and choice.section != section:
            yield choice.section
        section = choice.section
        yield f"{number}. {choice.title}" + (f" - {choice.description}" if choice.description else "")
    if part.link is not None:
        yield f"{part.link.title}: {part.link.url}"
    if part.footer:
        yield from ("", part.footer)


# --- the same as a page -------------------------------------------------------------------------------------------


def as_html(blocks: Sequence[str]) -> str:
    """Paragraphs, with links to what looks like one. Nothing in a text is markup."""
    paragraphs = (paragraph for block in blocks for paragraph in re.split(r"\n{2,}", block) if paragraph.strip())
    shown = "".join(f"<p>{_linked(paragraph).replace(chr(10), '<br>' + chr(10))}</p>\n" for paragraph in paragraphs)
    return f"<!DOCTYPE html>\n<html><body>\n{shown}</body></html>\n"


def _linked(text: str) -> str:
    pieces, end = [], 0
    for found in _LINK.finditer(text):
        link = found[0].rstrip(".,;:!?)]}")
        pieces.append(escape(text[end : found.start()]))
        pieces.append(f'<a href="{escape(link)}">{escape(link)}</a>')
        end = found.start() + len(link)
    return "".join(pieces) + escape(text[end:])
