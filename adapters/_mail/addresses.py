"""Mailboxes of a header field (RFC 5322 §3.4), as people and their programs really write them.

Rule: never raises and never recurses; commas in names, groups, comments and lone quotes are survived.
Rule: a display name is the sender's claim. It is shown and never compared.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from adapters._mail.headers import decoded_words
from adapters._mail.model import Mailbox

_ANGLE = re.compile(r"<\s*(?:@[^:<>]*:)?([^<>]*)(?:>|\Z)")
_PART = r"[^\s@<>()\[\],;:\"\\]"
_ADDRESS = re.compile(
    # Whole, or not at all: the end of a long one is somebody else's.
    rf'(?<![^\s<>()\[\],;:\\])(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e]){{1,62}}"|{_PART}{{1,64}})'
    rf"@(?:{_PART}{{1,255}}|\[[0-9A-Fa-f.:IPv]{{3,60}}\])(?![^\s<>()\[\],;:])"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,320}+"')
"""A longer one is no name."""
_ESCAPED = re.compile(r"\\.")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""They turn the direction of what stands beside a name."""
_PLUS = re.compile(r"\+[^@]*@")
NAME_MAX = 200
PIECE_MAX = 8_192
"""Characters of one mailbox, with its name."""
ANGLES_MAX = 100


def mailboxes(value: str, most: int = 200) -> tuple[Mailbox, ...]:
    """Those that are addresses; what is none is left out."""
    found = (box for piece in _pieces(value) for box in _boxes(piece))
    return tuple(islice(found, most))


def mailbox(piece: str) -> Mailbox | None:
    """One of them: `Name <local@domain>`, `local@domain (Name)`, or the address alone."""
    return next(_boxes(piece), None)


def _boxes(piece: str) -> Iterator[Mailbox]:
    """One, unless several stand in brackets: then each of them is somebody, and none is the name of another."""
    piece = piece[:PIECE_MAX]
    open_ = _without_comments(piece)
    hidden = _QUOTED.sub(lambda quoted: "\x01" * len(quoted[0]), open_)
    within = islice(_ANGLE.finditer(hidden), ANGLES_MAX)
    angles = [found for found in within if _ADDRESS.search(open_, *found.span(1))]
    for found in angles:
        name = _name(open_[: found.start()]) or _name(_comment(piece)) if len(angles) == 1 else None
        yield from _box(open_[slice(*found.span(1))], name)
    if not angles:
        yield from _box(open_, _name(_comment(piece)))


def _box(text: str, name: str | None) -> Iterator[Mailbox]:
    if matched := _ADDRESS.search(text):
        address = normal_address(matched[0])
        yield Mailbox(address, name if name != address else None)


def normal_address(text: str) -> str:
    """The domain in lower case, without a last dot, and in ASCII where it has such a form."""
    local, _, domain = text.strip().rpartition("@")
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}"


def without_plus(address: str) -> str:
    """What a plus-address is an address of, in lower case."""
    return _PLUS.sub("@", address.lower(), count=1)


def plus_part(address: str) -> str | None:
    local, _, _ = address.rpartition("@")
    _, found, tag = local.partition("+")
    return tag if found else None


def _pieces(value: str) -> Iterator[str]:
    """Split where a comma or semicolon stands outside of quotes, comments and brackets."""
    start, depth, quoted, angle, skip = 0, 0, False, False, False
    if _ESCAPED.sub("", value).count('"') % 2:
        # A lone quote would swallow all that follows.
        value = value.replace('"', " ")
    for place, char in enumerate(value):
        if skip:
            skip = False
        elif char == "\\":
            skip = quoted or depth > 0
        elif char == '"' and not depth:
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char in ",;" or (char == ":" and not angle and _opens_group(value, start, place)):
            # A bracket that is never closed ends here as well.
            angle = False
            if char != ":":
                yield value[start:place]
            start = place + 1
    yield value[start:]


def _opens_group(value: str, start: int, place: int) -> bool:
    return "@" not in value[start:place][:256]


def _name(text: str) -> str | None:
    text = text.strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    name = " ".join(_BIDI.sub("", decoded_words(text.replace('"', ""))).strip("' \t").split())
    return name[:NAME_MAX] or None


def _comment(text: str) -> str:
    """The first one (RFC 5322 §3.2.2); empty where none is closed."""
    start, end = next(_comments(text), (0, 1))
    return text[start + 1 : end - 1]


def _without_comments(text: str) -> str:
    kept, place = "", 0
    for start, end in _comments(text):
        kept, place = kept + text[place:start], end
    return kept + text[place:]


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """Outside of quotes; one within another belongs to it."""
    depth, begun, place = 0, 0, 0 if "(" in text else len(text)
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
        elif char == '"' and not depth and (quoted := _QUOTED.match(text, place)):
            place = quoted.end() - 1
        elif char == "(":
            begun, depth = begun if depth else place, depth + 1
        elif char == ")" and depth:
            depth -= 1
            if not depth:
                yield begun, place + 1
        place += 1
