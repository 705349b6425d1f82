"""A message as a tree of parts: found by looking for boundaries, not by reading line by line.

Rule: never raises, and looks at each byte a bounded number of times, whatever the structure: 200,000 parts, 10,000
levels or a boundary on every line cost a fraction of a second. What lies beyond a limit stays in its part, unread.
Rule: a message within a message is a file. Its text is not ours and its headers say nothing about this mail.
"""

import re
from binascii import Error as BadText
from binascii import a2b_qp, a2b_uu
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from adapters._mail.headers import Headers, base64_bytes, filename, parameters, read_headers
from adapters._mail.model import MailLimits

_BLANK = re.compile(rb"\r?\n\r?\n")
_END_OF_LINE = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")
_MBOX = re.compile(rb"(?:>?From [^\r\n]{0,500}\r?\n)+")
_UU = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n", re.MULTILINE)
_DASHES = re.compile(rb"^--([^\r\n]{1,200}?)[ \t]*\r?\n(?=(?i:content-))", re.MULTILINE)
_FIRST_DASHES = re.compile(rb"\s*--([^\r\n]{1,200}?)[ \t]*\r?\n")
SCANS = 4
"""How often the bytes of a message may be looked through on all levels together ..."""
SMALL = 8_000_000
"""... and so many bytes more, that small messages may be nested as they like."""


class Part(Struct, frozen=True, kw_only=True):
    """`number` counts the leaves in their order, so that a file is found again."""

    headers: Headers
    mime: str
    parameters: dict[str, str]
    start: int
    end: int
    """Where its body lies in the message."""
    children: "tuple[Part, ...]" = ()
    number: int = 0

    @property
    def is_multipart(self) -> bool:
        return bool(self.children)

    @property
    def disposition(self) -> str:
        return self.headers.tokens("content-disposition").partition(";")[0].strip()

    @property
    def filename(self) -> str | None:
        return filename(self.headers)

    def leaves(self) -> "Iterator[Part]":
        """Itself or what is within, in reading order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


class Tree(Struct, frozen=True):
    root: Part
    data: bytes
    cut: tuple[str, ...]


def read_tree(data: bytes, limits: MailLimits) -> Tree:
    return _Reader(_plain(data[: limits.max_bytes]), limits, len(data) > limits.max_bytes).read()


def _plain(data: bytes) -> bytes:
    """Without the first line of an mbox, and with ends of lines that are ones."""
    if found := _MBOX.match(data):
        data = data[found.end() :]
    head = data[:4096]
    if b"\r" in head and b"\n" not in head:
        return data.replace(b"\r\n", b"\r").replace(b"\r", b"\n")
    return data


class _Reader:
    def __init__(self, data: bytes, limits: MailLimits, too_long: bool) -> None:
        self._data, self._limits = data, limits
        self._parts, self._leaves = 0, 0
        self._scan = SCANS * len(data) + SMALL
        self._cut: dict[str, None] = {"max_bytes": None} if too_long else {}

    def read(self) -> Tree:
        root = self._part(0, len(self._data), 0, "text/plain")
        return Tree(root, self._data, tuple(self._cut))

    def _part(self, start: int, end: int, depth: int, default: str) -> Part:
        headers, body = self._head(start, end, depth)
        mime, given = parameters(headers.raw("content-type"))
        if not _TYPE.fullmatch(mime):
            mime = default if not mime or depth == 0 or "/" not in mime else "application/octet-stream"
        children: tuple[Part, ...] = ()
        if mime.startswith("multipart/"):
            named = given.get("boundary", "").rstrip()
            children = self._children(body, end, named, depth, mime) if named else ()
            if not children and (guessed := self._guessed(body, end)) not in ("", named):
                children = self._children(body, end, guessed, depth, mime)
            mime = mime if children else "text/plain"
        number = 0
        if not children:
            self._leaves += 1
            number = self._leaves
        return Part(headers=headers, mime=mime, parameters=given, start=body, end=end, children=children, number=number)

    def _head(self, start: int, end: int, depth: int) -> tuple[Headers, int]:
        """The header section, and where the body begins. A part without a header starts with a blank line."""
        limit = min(end, start + self._limits.max_header_bytes)
        if self._data.startswith((b"\n", b"\r\n"), start):
            return Headers([]), start + (1 if self._data[start] == 10 else 2)
        blank = _BLANK.search(self._data, start, limit)
        if blank:
            headers = read_headers(self._data[start : blank.start() + 1], self._limits)
            return headers, blank.end() if headers.fields or depth else start
        if limit < end:
            self._cut["max_header_bytes"] = None
            later = min((at for at in self._blanks(limit - 3, end) if at >= 0), default=end)
            headers = read_headers(self._data[start:limit], self._limits)
            return headers, later if headers.fields or depth else start
        headers = read_headers(self._data[start:end], self._limits)
        # A text without a blank line is a header if it looks like one, else it is the text.
        return (headers, end) if headers.fields else (headers, start)

    def _blanks(self, start: int, end: int) -> Iterator[int]:
        for blank in (b"\n\n", b"\n\r\n"):
            at = self._data.find(blank, start, end)
            yield at + len(blank) if at >= 0 else -1

    def _guessed(self, start: int, end: int) -> str:
        """The boundary that the header should have named: with a part's header below it, or nothing above it."""
        end = min(end, start + 4096)
        found = _DASHES.search(self._data, start, end) or _FIRST_DASHES.match(self._data, start, end)
        return found[1].decode("latin-1") if found else ""

    def _children(self, start: int, end: int, boundary: str, depth: int, mime: str) -> tuple[Part, ...]:
        if depth >= self._limits.max_depth or self._scan < end - start:
            self._cut["max_depth"] = None
            return ()
        self._scan -= end - start
        default = "message/rfc822" if mime == "multipart/digest" else "text/plain"
        children: list[Part] = []
        for first, last in self._between(start, end, boundary.encode("utf-8", "surrogatepass")):
            if self._parts >= self._limits.max_parts:
                self._cut["max_parts"] = None
                break
            self._parts += 1
            children.append(self._part(first, last, depth + 1, default))
        return tuple(children)

    def _between(self, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
        """The stretches between lines that are the boundary. The last need not be closed."""
        line, at, open_ = b"\n--" + boundary, start - 1, -1
        for _ in range(4 * self._limits.max_parts):
            at = self._data.find(line, at, end)
            if at < 0:
                break
            closed = _END_OF_LINE.match(self._data, at + len(line), end)
            if closed is None:
                at += len(line)
                continue
            if open_ >= 0:
                yield open_, max(open_, at - (self._data[at - 1 : at] == b"\r"))
            if closed[1]:
                return
            open_ = closed.end()
            at = open_ - 1
        if 0 <= open_ <= end:
            yield open_, end


# --- bytes of a part ----------------------------------------------------------------------------------------------


def content(data: bytes, part: Part, most: int | None = None) -> bytes:
    """Decoded, whatever its encoding calls itself; `most`: so many bytes of it (more or less) are enough."""
    body = data[part.start : part.end if most is None else min(part.end, part.start + most * 3 + 64)]
    encoding = part.headers.tokens("content-transfer-encoding").strip("\"'; ")
    match encoding:
        case "base64" | "base-64":
            return base64_bytes(body)
        case "quoted-printable" | "quoted_printable" | "quotedprintable":
            return a2b_qp(body)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return next((file for _, file in uuencoded(body)[1]), body)
        case _:
            return body


def size(part: Part) -> int:
    """Of its bytes when decoded, near enough without decoding them."""
    raw = part.end - part.start
    encoding = part.headers.tokens("content-transfer-encoding")
    return raw * 3 // 4 - raw // 52 if encoding == "base64" else raw


def uuencoded(body: bytes, most: int = 20) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The text without the files that stand in it, and these (name, bytes)."""
    files: list[tuple[str, bytes]] = []
    kept, place = b"", 0
    for begin in islice(_UU.finditer(body), most):
        if begin.start() < place:
            continue
        finish = body.find(b"\nend", begin.end() - 1)
        if finish < 0:
            break
        file = _uu_bytes(body[begin.end() : finish])
        if file is None:
            continue
        files.append((begin[1].decode("utf-8", "replace"), file))
        kept += body[place : begin.start()]
        place = finish + len(b"\nend")
    return kept + body[place:], files


def _uu_bytes(lines: bytes) -> bytes | None:
    """None: those are other words that happen to begin with `begin`."""
    made = bytearray()
    if not _is_uu(lines.partition(b"\n")[0]):
        return None
    for line in lines.split(b"\n"):
        try:
            made += a2b_uu(line.rstrip(b"\r"))
        except BadText:
            return None
    return bytes(made)


def _is_uu(line: bytes) -> bool:
    """Its first sign says how long it is (45 bytes at most)."""
    return line[:1] in (b"", b"`") or (0x20 < line[0] <= 0x4D and len(line) <= 64)
