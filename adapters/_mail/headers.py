"""Header fields, read from their raw bytes by hand.

The standard library's parser of header fields raises on some of them (`From: "`, `Message-ID: <>`) and reads others
wrongly (`Message-ID: <a b@c> junk`); threads and trust hang on these, so nothing of it is used.

Rule: never raises; a field that can not be read is empty, or is what it says letter by letter.
Rule: ids and tokens come from patterns, never from a grammar: `In-Reply-To` may hold several, comments, or no brackets.
"""

import re
from base64 import b64decode
from binascii import Error as BadBase64
from binascii import a2b_qp
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from adapters._mail.charset import decoded, known
from adapters._mail.model import MailLimits

_FIELD = re.compile(rb"([!-9;-~]{1,256})[ \t]*:")
_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*(?:(?<!=)\?(?!=)[^?]*){0,4})\?=")
"""Some programs leave a question mark in it as it is."""
_BETWEEN = re.compile(r"\?=\s+=\?")
_FOLD = re.compile(r"[\r\n\t\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]+")
_BRACKETED = re.compile(r"<\s*([^<>\s]{1,900})\s*>")
_BROKEN = re.compile(r"<[^<>\r\n]*>")
_BARE = re.compile(r"[^\s<>,;\"()]{1,400}@[^\s<>,;\"()]{1,400}")
_PARAMETER = re.compile(r';[ \t]*([^\s=;"*]{1,60})(\*\d{1,2})?(\*)?[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"?|[^;]*)')
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\:*?\"<>|]+")
NAME_MAX = 200
"""Characters of a file's name that are kept, its extension included."""


class Headers:
    """The header section of one part. Names in lower case; values as text, unfolded, with bytes as they came."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields
        self._first: dict[str, str] = {}
        for name, value in fields:
            self._first.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self._first

    def raw(self, name: str) -> str:
        """The first of this name; empty when there is none."""
        return self._first.get(name, "")

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.fields if one == name] if name in self._first else []

    def text(self, name: str) -> str:
        """As a person reads it."""
        return decoded_words(self.raw(name))

    def tokens(self, name: str) -> str:
        """Lower case and without comments: for fields that are words."""
        return self.raw(name).partition("(")[0].strip().lower()


def read_headers(section: bytes, limits: MailLimits) -> Headers:
    fields: list[tuple[str, str]] = []
    for name, value in _unfolded(section[: limits.max_header_bytes]):
        if len(fields) >= limits.max_headers:
            break
        fields.append((name, _as_text(value)[: limits.max_value_chars]))
    return Headers(fields)


def _unfolded(section: bytes) -> Iterator[tuple[str, bytes]]:
    """Lines that are no field and continue none are left out."""
    name, lines = "", list[bytes]()
    for line in section.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            lines.append(line)
        elif found := _FIELD.match(line):
            if name:
                yield name, b"".join(lines)
            name, lines = found[1].decode("ascii").lower(), [line[found.end() :]]
    if name:
        yield name, b"".join(lines)


def _as_text(value: bytes) -> str:
    """Raw bytes outside of ASCII are UTF-8 (RFC 6532), or what clients of old put there."""
    return _FOLD.sub(" ", decoded(value, None)).strip()


# --- words --------------------------------------------------------------------------------------------------------


def decoded_words(value: str) -> str:
    """Encoded words (RFC 2047) become text; also within quotes, where they should not be, and cut within a letter."""
    if "=?" not in value:
        return value
    pieces: list[str] = []
    end, pending, label = 0, b"", ""
    value = _BETWEEN.sub("?==?", value)
    for match in _WORD.finditer(value):
        charset = match[1].partition("*")[0]
        if match.start() > end or charset.lower() != label:
            # What was cut within a letter goes on in the next word of the same charset: those are joined first.
            pieces += (decoded(pending, label), value[end : match.start()])
            pending, label = b"", charset.lower()
        pending += _word_bytes(match[2], match[3], "utf-8" if known(label) == "utf-8" else "latin-1")
        end = match.end()
    pieces += (decoded(pending, label), value[end:])
    return _FOLD.sub(" ", "".join(pieces)).strip()


def _word_bytes(encoding: str, text: str, codec: str) -> bytes:
    """`codec` of letters that should have been encoded, and were not."""
    if encoding in "qQ":
        return a2b_qp(text.encode(codec, "replace"), header=True)
    return base64_bytes(text.encode("latin-1", "replace"))


MAX_PIECES = 1_000
_NO_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))


def base64_bytes(data: bytes) -> bytes:
    """Whatever can be had of it; also of several texts one behind the other, each with its own end."""
    if b"=" in data.rstrip(b"= \t\r\n"):
        return b"".join(base64_bytes(piece) for piece in data.split(b"=", MAX_PIECES)[:MAX_PIECES] if piece.strip())
    try:
        return b64decode(data)
    except BadBase64:
        pass
    letters = data.translate(None, _NO_BASE64).replace(b"=", b"")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return b64decode(letters + b"=" * (-len(letters) % 4))


# --- parameters ---------------------------------------------------------------------------------------------------


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The value in lower case without its parameters, and these (RFC 2231: continuations, charsets)."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(value[:8192]):
        name, number, encoded = match[1].lower(), match[2], bool(match[3])
        text = _unquoted(match[4].strip())
        if number is None and not encoded:
            plain.setdefault(name, decoded_words(text))
        else:
            pieces.setdefault(name, {}).setdefault(int((number or "*0")[1:]), (text, encoded))
    joined = {name: _joined(parts) for name, parts in pieces.items()}
    return value.partition(";")[0].strip().lower(), {**plain, **{k: v for k, v in joined.items() if v}}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    text = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
    return re.sub(r"\\(.)", r"\1", text)


def _joined(parts: Mapping[int, tuple[str, bool]]) -> str:
    """`utf-8'en'%e2%82%ac` in pieces, each of them encoded or not."""
    label, data = "", b""
    for number in sorted(parts):
        text, encoded = parts[number]
        if number == 0 and encoded and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        raw = text.encode("utf-8", "surrogatepass")
        data += unquote_to_bytes(raw) if encoded else raw
    return decoded(data, label or None)


def filename(headers: Headers) -> str | None:
    """As a name only: no folders, no control characters, nothing that turns the direction of writing."""
    _, disposition = parameters(headers.raw("content-disposition"))
    _, content = parameters(headers.raw("content-type"))
    given = disposition.get("filename") or content.get("name") or ""
    return safe_filename(given)


def safe_filename(given: str) -> str | None:
    name = _UNSAFE_NAME.sub("_", re.split(r"[/\\]", given.strip())[-1] or given).strip(". _")
    if len(name) > NAME_MAX:
        stem, dot, extension = name.rpartition(".")
        extension = dot + extension if stem and len(extension) < 20 else ""
        name = name[: NAME_MAX - len(extension)] + extension
    return name or None


# --- ids and times ------------------------------------------------------------------------------------------------


def ids(value: str) -> tuple[str, ...]:
    """Message-IDs without their brackets, in their order, each once."""
    found = _BRACKETED.findall(value) or _BARE.findall(_BROKEN.sub(" ", value))
    return tuple(dict.fromkeys(found))


def message_id(value: str) -> str | None:
    """The message's own id. Broken ones (`<a b@c>`) are taken whole: they still name the message."""
    if found := ids(value):
        return found[0]
    bracketed = re.search(r"<([^<>]*)>", value)
    return re.sub(r"\s+", "", bracketed[1] if bracketed else value)[:900] or None


def date(value: str) -> datetime | None:
    """In UTC; None when it says none that exists. Without a zone it is taken for UTC."""
    try:
        at = parsedate_to_datetime(value[:200])
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (at + timedelta(0)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
