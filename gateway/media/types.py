"""What bytes are, and how a browser may be given them.

Rule: shown inline is what stands in INLINE, as that type and no other. Everything else is downloaded, and what is not
      known to be harmless is downloaded as plain octets: HTML, SVG, XML and scripts never run under our origin.
"""

from collections.abc import Mapping
from urllib.parse import quote

import puremagic

OCTETS = "application/octet-stream"

# What signature tables call oddly, or not at all: (offset, bytes, type). The first that matches counts.
OURS = (
    (0, b"#!AMR", "audio/amr"),
    (28, b"OpusHead", "audio/ogg"),
    (28, b"\x01vorbis", "audio/ogg"),
    (4, b"ftypM4A", "audio/mp4"),
    (8, b"WAVEfmt", "audio/wav"),
)
SAME = {"image/x-ms-bmp": "image/bmp", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav"}
ZIP = b"PK\x03\x04"

INLINE = frozenset({
    "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp",
    "audio/mpeg", "audio/ogg", "audio/aac", "audio/mp4", "audio/amr", "audio/wav",
    "video/mp4", "video/webm", "video/3gpp", "video/quicktime",
})  # fmt: skip
DOWNLOAD = frozenset({
    "application/pdf", "application/zip", "application/msword", "application/rtf", "text/plain", "text/csv",
    "text/vcard", "application/json", "image/heif", "image/heic", "image/tiff",
    "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
})  # fmt: skip


def sniff(head: bytes, declared: str | None = None) -> str:
    """The type that the first bytes tell; octets when they tell none.

    Where they fit several (an office document is a ZIP file), `declared` decides if it is one of these. Where they
    fit none, there is nothing that could contradict plain text: a `declared` type of that kind is believed.
    """
    said = media_type(declared)
    for offset, mark, mime in OURS:
        if head.startswith(mark, offset):
            return mime
    found = _candidates(head)
    if said in found:
        return said
    if head.startswith(ZIP):
        return "application/zip"
    if found:
        return found[0]
    return said if said in ("text/plain", "text/csv") and is_text(head) else OCTETS


def _candidates(head: bytes) -> list[str]:
    """The surest first; without the types that have no name."""
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return []
    named = [match for match in matches if match.mime_type]
    named.sort(key=lambda match: (-match.confidence, -len(match.byte_match), match.mime_type))
    return [SAME.get(match.mime_type, match.mime_type) for match in named]


def media_type(declared: str | None) -> str:
    """Without parameters, in lower case: `audio/ogg; codecs=opus` is `audio/ogg`."""
    return (declared or "").partition(";")[0].strip().lower()


def is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text)


def serving_headers(mime: str, name: str = "") -> Mapping[str, str]:
    """Headers for handing out a file whose sniffed type is `mime` under the `name` that its sender gave it."""
    inline = mime in INLINE
    return {
        "Content-Type": mime if inline or mime in DOWNLOAD else OCTETS,
        "Content-Disposition": f"{'inline' if inline else 'attachment'}{_filename(name)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Referrer-Policy": "no-referrer",
    }


def _filename(name: str) -> str:
    """RFC 6266: ASCII for old clients, then the real one."""
    clean = safe_name(name)
    if not clean:
        return ""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in clean)
    return f"; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def safe_name(name: str, limit: int = 120) -> str:
    """One path segment without control or direction characters; its end, where the extension is, is kept."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(c for c in last if c.isprintable()).strip(" .")
    return clean[-limit:]
