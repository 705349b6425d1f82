"""HTML of strangers: sanitized to be shown, told apart from what it quotes, and as text.

Rule: nothing is loaded from elsewhere: pictures stay only when they came with the mail (`cid:`).
Rule: what is nested too deeply, or has too many elements, is read as text alone. The sanitizer takes quadratic time
over deep trees (9 s for 50,000 levels), so such a tree never reaches it.
"""

import html as entities
import re
from collections.abc import Iterator

import nh3
from inscriptis import get_text  # type: ignore[import-untyped]
from inscriptis.css_profiles import CSS_PROFILES  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]

MAX_DEPTH = 150
MAX_TAGS = 20_000
MAX_ENTITIES = 20_000
TO_TEXT_TAGS = 3_000
TO_TEXT_CHARS = 100_000
"""HTML beyond these is turned to text the short way: without tables and lists."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})([^<>]{0,4000})>")
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_LOOSE = frozenset({"p", "li", "td", "tr", "th", "dd", "dt", "option", "thead", "tbody", "tfoot", "html", "body"})
"""These end by themselves."""
_QUOTES = re.compile(
    r"(?i)\b(?:class\s*=\s*[\"']?[^\"'>]*\b(?:gmail_quote|gmail_extra|yahoo_quoted|zmail_extra|protonmail_quote"
    r"|moz-forward-container)\b"
    r"|id\s*=\s*[\"']?(?:divRplyFwdMsg|appendonsend|mail-editor-reference-message-container|reply-intro)\b"
    r"|type\s*=\s*[\"']?cite\b|name\s*=\s*[\"']?quote\b)"
)
_TO_THE_END = re.compile(r"(?i)id\s*=\s*[\"']?(?:divRplyFwdMsg|appendonsend|stopSpelling)\b")
_INVISIBLE = re.compile(
    r"(?is)<(style|script|head|title|template|noscript)\b[^>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)"
)
_BREAKS = re.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6]|/table|/blockquote|hr)\b[^<>]*>")
_ANY_TAG = re.compile(r"<[^<>]{0,4000}>")
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"title", "lang", "dir"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align"},
    "ol": {"start"},
    "blockquote": {"type"},
}
_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "cite", "code", "dd", "del", "details", "div", "dl",
    "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre",
    "q", "s", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "tt", "u", "ul",
}  # fmt: skip
_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False, display_images=False)


def is_tame(html: str, tags: int = MAX_TAGS) -> bool:
    """Whether its tree is of a size that is handled in time."""
    if html.count("&") > MAX_ENTITIES:
        return False
    depth = 0
    for count, match in enumerate(_TAG.finditer(html)):
        name = match[2].lower()
        if name not in _VOID and name not in _LOOSE:
            depth = max(0, depth - 1) if match[1] else depth + 1
        if depth > MAX_DEPTH or count >= tags:
            return False
    return True


def sanitized(html: str) -> str | None:
    """To be shown. None: it can not be."""
    if not is_tame(html):
        return None
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_own_pictures,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
    ).strip()


def _own_pictures(tag: str, attribute: str, value: str) -> str | None:
    if (tag, attribute) == ("img", "src"):
        return value if value.strip().lower().startswith("cid:") else None
    if (tag, attribute) == ("a", "href") and value.strip().lower().startswith("cid:"):
        return None
    return value


def text_of(html: str) -> str:
    """As a person reads it. Never raises."""
    html = _INVISIBLE.sub(" ", html.replace("\x00", ""))
    if len(html) > TO_TEXT_CHARS or not is_tame(html, TO_TEXT_TAGS):
        return _short_way(html)
    cleaned = nh3.clean(html, tags=_TAGS, attributes={})
    try:
        return _lines(get_text(cleaned, _CONFIG))
    except Exception:  # noqa: BLE001  lxml refuses some trees; the words are wanted all the same
        return _short_way(html)


def _short_way(html: str) -> str:
    return _lines(entities.unescape(_ANY_TAG.sub(" ", _BREAKS.sub("\n", html))))


def _lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.replace("\xa0", " ").split("\n")).strip()


# --- quotes -------------------------------------------------------------------------------------------------------


def without_quotes(html: str) -> tuple[str, str]:
    """What stands outside of the elements that mail programs put around what they quote, and what stands inside."""
    outside, inside, place = "", "", 0
    for start, end in _quoted(html):
        outside += html[place:start]
        inside += html[start:end]
        place = end
    return outside + html[place:], inside


def _quoted(html: str) -> Iterator[tuple[int, int]]:
    name, depth, start = "", 0, 0
    for match in _TAG.finditer(html):
        if not name:
            if match[1] or not _QUOTES.search(match[3]):
                continue
            if _TO_THE_END.search(match[3]):
                yield match.start(), len(html)
                return
            name, depth, start = match[2].lower(), 1, match.start()
        elif match[2].lower() == name:
            depth += -1 if match[1] else 1
            if depth == 0:
                yield start, match.end()
                name = ""
    if name:
        yield start, len(html)
