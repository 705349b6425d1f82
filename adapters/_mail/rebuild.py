"""A mail that a provider took apart, as a message again: so that there is one way of reading mails.

Rule: what a provider says becomes one field or one part, and nothing of it another: line ends are gone from header
      fields, and the boundary is a digest of what stands between.
Rule: files go in as they are (`binary`), not a byte of them is encoded.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from urllib.parse import quote

from msgspec import Struct

MAX_HEADERS = 1_000

_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]{1,100}")
_ENDS = re.compile(r"[\x00\r\n]+[ \t]*")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")
_OURS = ("content-", "mime-version")
"""They said how the original was put together."""


class Piece(Struct, frozen=True, kw_only=True):
    """A file of it."""

    data: bytes
    mime: str | None = None
    filename: str | None = None
    content_id: str | None = None


def rebuilt(
    headers: Iterable[tuple[str, str]], text: str | None, html: str | None, files: Sequence[Piece] = ()
) -> bytes:
    bodies = [_text("plain", text or "")] if text or not html else []
    if html:
        bodies.append(_text("html", html))
    inner = _joined("alternative", bodies) if len(bodies) > 1 else bodies[0]
    whole = _joined("mixed", [inner, *map(_file, files)]) if files else inner
    return b"".join((*_head(headers), b"MIME-Version: 1.0\r\n", whole))


def _head(headers: Iterable[tuple[str, str]]) -> list[bytes]:
    kept: list[bytes] = []
    for name, value in headers:
        if len(kept) == MAX_HEADERS:
            break
        if _NAME.fullmatch(name) and not name.lower().startswith(_OURS):
            kept.append(f"{name}: {one_line(value)}\r\n".encode("utf-8", "replace"))
    return kept


def one_line(value: str) -> str:
    return _ENDS.sub(" ", value).strip()


def _text(kind: str, text: str) -> bytes:
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    return head.encode() + text.encode("utf-8", "replace")


def _file(piece: Piece) -> bytes:
    mime = (piece.mime or "").partition(";")[0].strip().lower()
    name = quote(one_line(piece.filename or "")[:300].encode("utf-8", "replace"), safe="")
    cid = one_line(piece.content_id or "").strip("<>").strip()[:300]
    head = [
        f"Content-Type: {mime if _TYPE.fullmatch(mime) else 'application/octet-stream'}",
        "Content-Disposition: " + ("inline" if cid else "attachment") + (f"; filename*=utf-8''{name}" if name else ""),
        "Content-Transfer-Encoding: binary",
        *((f"Content-ID: <{cid}>",) if cid else ()),
    ]
    return "\r\n".join(head).encode("utf-8", "replace") + b"\r\n\r\n" + piece.data


def _joined(kind: str, parts: Sequence[bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    boundary = f"=_{digest.hexdigest()}"
    opening = f"--{boundary}\r\n".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(opening + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
