"""Envelopes -> the text that an AI or an agent reads.

Rule: only what was said; notes and changes of holder stay out. A part without words is named, so that nobody takes
silence for an answer.
Rule: what a caller interrupted was said only as far as it was heard.
"""

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from normalizer.envelope import (
    Audio,
    CallEvent,
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


INTERRUPTED = "[interrupted]"
_SPOKEN = re.compile(r"\w+")


def transcript(envelopes: Iterable[Envelope]) -> tuple[Line, ...]:
    """In the given order. What programs of ours said counts as the AI's."""
    said: list[tuple[Envelope, str]] = []
    for envelope in envelopes:
        match envelope.body:
            case CallEvent(event="interrupted", detail=str() as heard):
                _interrupt(said, envelope, heard)
            case _:
                if not envelope.observed and (text := _text(envelope)):
                    said.append((envelope, text))
    return tuple(Line(_speaker(envelope), text, envelope.occurred_at) for envelope, text in said)


def _interrupt(said: list[tuple[Envelope, str]], event: Envelope, heard: str) -> None:
    """Our last message on that channel ends where the caller stopped listening."""
    for place in range(len(said) - 1, -1, -1):
        envelope, text = said[place]
        if envelope.direction == "out" and envelope.channel_id == event.channel_id:
            said[place] = envelope, as_heard(text, heard)
            return


def as_heard(text: str, heard: str) -> str:
    """`text` up to the end of what was heard of it; what can not be found in it was heard as the provider says.

    Words are compared, for speech has no punctuation.
    """
    words, wanted = list(_SPOKEN.finditer(text)), [word.casefold() for word in _SPOKEN.findall(heard)]
    if not wanted:
        return INTERRUPTED
    spoken = [word[0].casefold() for word in words]
    for start in range(len(words) - len(wanted) + 1):
        if spoken[start : start + len(wanted)] == wanted:
            last = start + len(wanted) - 1
            return text if last == len(words) - 1 else f"{text[: words[last].end()]} {INTERRUPTED}"
    return f"{heard.strip()} {INTERRUPTED}"


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
