"""Header fields as they are written: encoded (RFC 2047), folded, and never more than one field.

Rule: whatever comes in, one field comes out. Control characters are gone before anything else is looked at.
Rule: a Message-ID is never cut or encoded, however long: threads hang on it.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence

LINE = 76
"""Characters of a line, where it can be folded at all (RFC 5322 §2.1.1 has 78, and 998 for what can not)."""
WORD_BYTES = 39
"""Of UTF-8 in one encoded word: 64 characters, which fit a line together with the name of their field (RFC 2047 §2)."""
NAME_MAX = 120
SUBJECT_MAX = 240

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPLIT = re.compile(r"[\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")


def one_line(text: str) -> str:
    """Without control characters and half characters, and without blanks at its ends."""
    return _SPLIT.sub("\ufffd", _CONTROL.sub(" ", text)).strip()


def field(name: str, words: Sequence[str]) -> str:
    """Folded between words, never inside of one; with the end of its line."""
    lines, length = [f"{name}:"], len(name) + 1
    for number, word in enumerate(words):
        if number and length + 1 + len(word) > LINE:
            lines.append("")
            length = 0
        lines[-1] += f" {word}"
        length += 1 + len(word)
    return "\r\n".join(lines) + "\r\n"


def unstructured(text: str) -> list[str]:
    """The words of a Subject. What would not come back as it was is encoded."""
    text = one_line(text)[:SUBJECT_MAX].rstrip()
    words = text.split(" ")
    plain = text.isascii() and "=?" not in text and all(words) and max(map(len, words)) <= LINE
    return words if plain else list(encoded(text))


def mailbox(address: str, name: str | None) -> list[str]:
    """`name <address>`, or the address alone."""
    shown = one_line(name or "")[:NAME_MAX]
    if not shown:
        return [address]
    return [*_phrase(shown), f"<{address}>"]


def _phrase(name: str) -> list[str]:
    if not name.isascii() or "=?" in name or len(name) > LINE - 10:
        return list(encoded(name))
    if _ATOMS.fullmatch(name) and "  " not in name:
        return name.split(" ")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"']


def encoded(text: str) -> Iterator[str]:
    """Encoded words; no character is spread over two of them (RFC 2047 §5)."""
    piece = b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(piece) + len(data) > WORD_BYTES:
            yield f"=?utf-8?b?{b64encode(piece).decode()}?="
            piece = b""
        piece += data
    yield f"=?utf-8?b?{b64encode(piece).decode()}?="
