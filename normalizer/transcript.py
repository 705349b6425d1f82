"""Envelopes -> the text that an AI or an agent reads.

Rule: only what was said; notes and changes of holder stay out. A part without words is named, so that nobody takes
silence for an answer.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from normalizer.envelope import (
    Audio,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Envelope,
    Image,
    Instant,
    Location,
    Message,
    Order,
    Part,
    Sticker,
    Template,
    Text,
    Unsupported,
    Video,
    Voice,
)

Speaker = Literal["customer", "ai", "agent"]


class Line(Struct, frozen=True):
    speaker: Speaker
    text: str
    at: Instant


def transcript(envelopes: Iterable[Envelope]) -> tuple[Line, ...]:
    """In the given order. What programs of ours said counts as the AI's."""
    return tuple(
        Line(_speaker(envelope), text, envelope.occurred_at)
        for envelope in envelopes
        if not envelope.observed and (text := _text(envelope))
    )


def _speaker(envelope: Envelope) -> Speaker:
    match envelope.author:
        case "customer":
            return "customer"
        case "agent" | "business":
            return "agent"
        case "ai" | "system":
            return "ai"


def _text(envelope: Envelope) -> str:
    match envelope.body:
        case Message(parts=parts):
            return "\n".join(filter(None, map(words, parts)))
        case Unsupported(what=what):
            return f"[{what}]"
        case _:
            return ""


def words(part: Part) -> str:
    """What can be read of a part; the rest in brackets."""
    match part:
        case Text(text=text):
            return text
        case Image(caption=caption) | Video(caption=caption) | Document(caption=caption):
            return f"[{part.__struct_config__.tag}] {caption or ''}".rstrip()
        case Audio() | Sticker():
            return f"[{part.__struct_config__.tag}]"
        case Voice(transcript=text):
            return text or "[voice]"
        case Location(name=name, address=address):
            return " ".join(filter(None, ("[location]", name, address)))
        case ContactCard(name=name):
            return f"[contact card] {name}"
        case ChoicesOffered(text=text, choices=choices):
            return "\n".join((text, *(f"- {choice.title}" for choice in choices)))
        case ChoiceMade(title=title):
            return title
        case Template(name=name):
            return f"[template {name}]"
        case Order(text=text, items=items):
            return " ".join(filter(None, (f"[order of {len(items)} items]", text)))
