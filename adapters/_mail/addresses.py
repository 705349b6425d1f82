"""Mailboxes of a header field (RFC 5322 §3.4), as people and their programs really write them.

Rule: never raises and never recurses; commas in names, groups, comments and lone quotes are survived.
Rule: a display name is the sender's claim. It is shown and never compared.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from adapters._mail.headers import decoded_words
from adapters._mail.model import Mailbox

_ANGLE = re.compile(r"<\s*(?:@[^:<>]*:)?([^<>]*)(?:>|\Z)")
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\]{1,255}")
_QUOTED_LOCAL = re.compile(r'"[^"\\\s]{1,62}"@[^\s@<>()\[\],;:"\\]{1,255}')
_LITERAL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@\[[0-9A-Fa-f.:IPv]{3,60}\]")
_PLUS = re.compile(r"\+[^@]*@")
NAME_MAX = 200


def mailboxes(value: str, most: int = 200) -> tuple[Mailbox, ...]:
    """Those that are addresses; what is none is left out."""
    found: list[Mailbox] = []
    for piece in _pieces(value):
        if len(found) >= most:
            break
        if (one := mailbox(piece)) is not None:
            found.append(one)
    return tuple(found)


def mailbox(piece: str) -> Mailbox | None:
    """One of them: `Name <local@domain>`, `local@domain (Name)`, or the address alone."""
    angle = _ANGLE.search(piece)
    within = angle[1] if angle else piece
    matched = _QUOTED_LOCAL.search(within) or _LITERAL.search(within) or _ADDRESS.search(within)
    if matched is None:
        return None
    rest = piece[: angle.start()] if angle else piece.replace(matched[0], " ", 1)
    comment = _comment(piece[angle.end() :] if angle else rest)
    name = _name(rest if angle else "") or comment
    address = normal_address(matched[0])
    return Mailbox(address, name if name != address else None)


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
    if value.count('"') % 2:
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
    name = " ".join(decoded_words(text.replace('"', "")).strip("' \t").split())
    return name[:NAME_MAX] or None


def _comment(text: str) -> str | None:
    before, found, rest = text.partition("(")
    return _name(rest.rpartition(")")[0]) if found and not before.strip(" \t") else None
