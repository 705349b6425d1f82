"""Text for ears: what a voice reads aloud, without the marks that only eyes understand.

Rule: nothing that was meant is left out: a link keeps its host, an emphasis its words. Emoji and marks are not words.
Rule: whatever comes in, what goes out is legal in XML and in JSON, on one line.
"""

import re
from urllib.parse import urlsplit

from normalizer.envelope import Audio, ChoiceMade, ChoicesOffered, Part, Text, Voice

MAX_CHARS = 12_000
"""Of one text; a quarter of an hour aloud."""
_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*([-*_=])(?:[ \t]*\1){2,}[ \t]*$", re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>+[ \t]?|[-*+•][ \t]+)+", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]*\)){0,2000}(?:\s+\"[^\"\n]{0,300}\")?\)")
_URL = re.compile(r"<?\bhttps?://[^\s<>]{1,2000}>?", re.IGNORECASE)
_EMPHASIS = re.compile(r"\*\*|__|~~|`+|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_UNSPEAKABLE = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\ufe00-\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENDS = re.compile(r"([^\s.!?:;,…。！？])[ \t]*\n+[ \t]*(?=\S)")


def spoken(text: str) -> str:
    """All of a text."""
    text = _ILLEGAL.sub(" ", text[:MAX_CHARS])
    text = _RULE.sub("", _FENCE.sub("", text))
    text = _LINE_MARK.sub("", text)
    text = _ENDS.sub(r"\1. ", text.strip())
    return " ".join(_inline(text).split())


def token(text: str) -> str:
    """A piece of a text, whose spaces at its ends count: the next piece follows."""
    inner = spoken(text)
    if not inner:
        return " " if text and text.isspace() else ""
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() else ""
    return before + inner + after


def _inline(text: str) -> str:
    text = _LINK.sub(lambda found: found[1], text)
    text = _URL.sub(lambda found: _host(found[0]), text)
    return _UNSPEAKABLE.sub(" ", _EMPHASIS.sub("", text))


def _host(found: str) -> str:
    """`https://www.shop.example/a?b=c.` is said as `shop.example.`"""
    bare = found.strip("<>")
    url = bare.rstrip(".,;:!?)]}'\"")
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return host.removeprefix("www.") + bare[len(url) :]


def words(parts: tuple[Part, ...]) -> str:
    """What is said of a message; empty when there is nothing to say."""
    return "\n".join(filter(None, map(_words, parts)))


def _words(part: Part) -> str:
    match part:
        case Text(text=text):
            return text
        case ChoicesOffered(text=text, choices=choices, link=link):
            shown = [*(choice.title for choice in choices), *([link.title] if link else [])]
            return "\n".join([text, *shown])
        case _:
            return ""


def keys(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """What is pressed rather than read: a choice on the other side's telephone."""
    return tuple(part.id for part in parts if isinstance(part, ChoiceMade))


def recordings(parts: tuple[Part, ...]) -> tuple[Audio | Voice, ...]:
    """What is played rather than read."""
    return tuple(part for part in parts if isinstance(part, Audio | Voice))
