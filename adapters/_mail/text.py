"""Which parts of a message are its text, and what they say.

Rule: plain text is preferred; HTML speaks where it is empty or only says that one should look at the HTML.
Rule: what is not shown as text is a file, and no part is both or neither.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from adapters._mail import html as markup
from adapters._mail.charset import decoded
from adapters._mail.mime import Part, Tree, content, uuencoded
from adapters._mail.model import MailLimits

_STUB = re.compile(
    r"(?is)(?:(?:view|read|see|open|display|enable|support|requires?|kann|anzeigen|afficher|ver)\b.{0,80}\bhtml\b"
    r"|\bhtml\b.{0,80}\b(?:e?-?mail|message|nachricht|version|format|client|viewer)\b)"
)
_STUB_CHARS = 400
"""A text that is longer has something to say of its own."""
_VIEWS = frozenset({"text/x-amp-html", "text/watch-html"})
"""Further views of what the message says already."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Block(Struct):
    """The same words, as text and as HTML."""

    plain: list[Part]
    html: list[Part]


class Words(Struct, frozen=True):
    text: str
    html: str
    plain: str
    """The text as its sender wrote it, empty when `text` was made of HTML."""


def blocks(part: Part, *, alone: bool = True) -> Iterator[Block]:
    """In reading order. `alone`: it is the whole message, so that a name makes no file of it."""
    match part.mime:
        case "multipart/alternative" if part.children:
            both = Block([], [])
            for child in part.children:
                for block in blocks(child, alone=False):
                    # The last one is the best one (RFC 2046 §5.1.4).
                    both.plain, both.html = block.plain or both.plain, block.html or both.html
            yield both
        case "multipart/related" if part.children:
            start = part.parameters.get("start", "").strip("<> ")
            root = (c for c in part.children if start and c.headers.raw("content-id").strip("<> ") == start)
            yield from blocks(next(root, part.children[0]), alone=False)
        case "multipart/signed" | "multipart/report" if part.children:
            yield from blocks(part.children[0], alone=False)
        case "multipart/encrypted":
            return
        case _ if part.children:
            for child in part.children:
                yield from blocks(child, alone=False)
        case "text/plain" | "text/html" if part.disposition != "attachment" and (alone or not part.filename):
            yield Block([part], []) if part.mime == "text/plain" else Block([], [part])
        case _:
            return


def words(tree: Tree, found: list[Block], limits: MailLimits) -> Words:
    texts, htmls, plains = [], [], []
    for block in found:
        plain = "\n".join(plain_text(tree, part, limits) for part in block.plain).strip("\n")
        html = "\n".join(decoded_text(tree, part, limits.max_html_chars) for part in block.html)
        spoken = markup.text_of(html) if html and is_stub(plain) else ""
        texts.append(spoken or plain)
        plains.append(plain if not spoken else "")
        if html:
            htmls.append(html)
    whole = "\n\n".join(filter(None, texts))[: limits.max_text_chars]
    return Words(whole, "\n".join(htmls)[: limits.max_html_chars], "\n\n".join(filter(None, plains)))


def is_stub(plain: str) -> bool:
    return not plain.strip() or (len(plain) < _STUB_CHARS and _STUB.search(plain) is not None)


def decoded_text(tree: Tree, part: Part, most: int) -> str:
    data = content(tree.data, part, most * 4)
    label = part.parameters.get("charset")
    if label is None and data[:3] == b"\xef\xbb\xbf":
        label = "utf-8"
    text = decoded(data, label or _declared(data, part)).removeprefix("\ufeff")[:most]
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


_META = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?([a-z0-9_:.-]{1,40})")


def _declared(data: bytes, part: Part) -> str | None:
    found = _META.search(data[:4096]) if part.mime == "text/html" else None
    return found[1].decode("ascii") if found else None


def plain_text(tree: Tree, part: Part, limits: MailLimits) -> str:
    """Without the uuencoded files in it, and with flowed lines made whole."""
    text = decoded_text(tree, part, limits.max_text_chars)
    if "begin " in text:
        kept, files = uuencoded(text.encode("utf-8", "surrogatepass"))
        text = kept.decode("utf-8", "replace") if files else text
    if part.parameters.get("format", "").strip().lower() == "flowed":
        return unflowed(text, part.parameters.get("delsp", "").strip().lower() == "yes")
    return text


def unflowed(text: str, delsp: bool = False) -> str:
    """Lines that were broken for the way are joined again (RFC 3676); each depth of quoting by itself."""
    made: list[list[str]] = []
    flowing, before = False, 0
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        signs = bare == "-- "
        flows = bare.endswith(" ") and not signs
        if flows and delsp:
            bare = bare[:-1]
        if flowing and depth == before and not signs:
            made[-1].append(bare)
        else:
            made.append([">" * depth + (" " if depth else "") + bare])
        flowing, before = flows, depth
    return "\n".join(map("".join, made))


# --- files --------------------------------------------------------------------------------------------------------


def file_parts(root: Part, found: list[Block]) -> Iterator[Part]:
    """The leaves that are neither text nor a further view of it, nor the proof of a signature."""
    used = {part.number for block in found for part in (*block.plain, *block.html)}
    proofs = set(_proofs(root))
    for leaf in root.leaves():
        if leaf.number not in used and leaf.number not in proofs and leaf.mime not in _VIEWS and leaf.end > leaf.start:
            yield leaf


def _proofs(part: Part) -> Iterator[int]:
    if part.mime == "multipart/signed":
        yield from (child.number for child in part.children[1:2] if not child.children)
    for child in part.children:
        yield from _proofs(child)
