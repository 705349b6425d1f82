"""Text to a limit, and whitespace.

Rule: a character as a reader sees it (a grapheme) is never taken apart, unless it alone is longer than the limit.
Rule: `split` loses only whitespace, at the ends of pieces. `cut` shows what it left out by an ellipsis.
"""

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\n\s*")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』）]*\s*")
_WORD = re.compile(r"\s+")
_BORDERS = (_PARAGRAPH, _LINE, _SENTENCE, _WORD)
_BLANKS = re.compile(r"\s*")
_LOOK_AHEAD = 8
"""Characters behind a limit that may show that a border stands right at it."""
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACE_BEFORE_BREAK = re.compile(r"[^\S\n]+(?=\n|\Z)")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029]")
_ZWJ = "\u200d"


def split(text: str, limit: int) -> list[str]:
    """Pieces of at most `limit` characters, ending at a paragraph, line, sentence or word where one ends late enough.

    A better border wins only in the second half of a piece, so that one early paragraph does not make many small
    pieces. Text that is only whitespace gives no piece.
    """
    if limit < 1:
        raise ValueError("the limit is at least one character")
    if len(text) <= limit:
        return [text] if text.strip() else []
    return list(_pieces(text, limit))


def _pieces(text: str, limit: int) -> Iterator[str]:
    start = _next_word(text, 0)
    while len(text) - start > limit:
        end = border(text, start, limit)
        yield text[start:end].rstrip()
        start = _next_word(text, end)
    if rest := text[start:].rstrip():
        yield rest


def _next_word(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


def border(text: str, start: int, limit: int) -> int:
    """Where the piece that starts at `start` ends: at most `limit` characters on, at the best border there is."""
    for least in (limit // 2, 1):
        for pattern in _BORDERS:
            if end := _last(pattern, text, start + least, start + limit):
                return end
    end = start + limit
    while end > start + 1 and not _separable(text, end):
        end -= 1
    return end if _separable(text, end) else start + limit


def _last(pattern: re.Pattern[str], text: str, low: int, high: int) -> int:
    """The last border whose visible part ends within `low` and `high`; 0: none. It looks no further than it must."""
    best = 0
    for match in pattern.finditer(text, max(low - 1, 0), high + _LOOK_AHEAD):
        end = match.start() + len(match[0].rstrip())
        if low <= end <= high and _separable(text, end):
            best = end
    return best


def _separable(text: str, place: int) -> bool:
    """Whether a grapheme ends before `place`, by what matters of UAX #29: marks, joined emoji, flags, Hangul."""
    before, after = text[place - 1], text[place]
    if before in " \n" or after in " \n":
        return not (before == "\r" and after == "\n")
    if before == _ZWJ or _extends(after) or (_is_high(before) and _is_low(after)):
        return False
    if _is_flag(before) and _is_flag(after):
        return _flags_before(text, place) % 2 == 0
    return not (_is_jamo(before) and _is_jamo(after)) and not _hangul_goes_on(before, after)


def _extends(char: str) -> bool:
    code = ord(char)
    if code < 0x300:
        return False
    return (
        char == _ZWJ
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # tags of flags
        or unicodedata.category(char) in ("Mn", "Me", "Mc")
    )


def _is_high(char: str) -> bool:
    return "\ud800" <= char <= "\udbff"


def _is_low(char: str) -> bool:
    return "\udc00" <= char <= "\udfff"


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flags_before(text: str, place: int) -> int:
    count = 0
    while count < place and _is_flag(text[place - 1 - count]):
        count += 1
    return count


def _is_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff"


def _hangul_goes_on(before: str, after: str) -> bool:
    return "\uac00" <= before <= "\ud7a3" and "\u1160" <= after <= "\u11ff"


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis shows what was left out, at a word if one ends late enough."""
    if len(text) <= limit:
        return text
    if limit < 2:
        return ELLIPSIS[:limit]
    end = border(text, 0, limit - 1)
    return text[:end].rstrip(" \n\t,;:.–-") + ELLIPSIS


def one_line(text: str) -> str:
    """Every run of whitespace becomes one space."""
    return " ".join(text.split())


def tidy(text: str) -> str:
    """Line ends become `\\n`; one blank line at most stays between paragraphs, and no blanks at the end of a line."""
    text = _SPACE_BEFORE_BREAK.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", text).strip()
