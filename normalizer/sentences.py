"""Where sentences end, in text that is still being written.

Rule: nothing is lost or changed: what came out and what is held, put together, is what went in. White space between
two sentences leads the second one.
Rule: what may go on stays held: an abbreviation, an initial, a number before its point. A sentence that grows beyond
the limit is let go in parts, at a comma or a word where one stands late enough.
"""

import re

from normalizer.text import border

_END = re.compile(r"(?P<mark>[.!?…]+)[\"'”’»)\]]*(?=\s|\Z)|[。！？]+[」』）]*|\n+")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]+\Z")
_NEXT = re.compile(r"\s*(\S?)")
_BLANKS = re.compile(r"\s*")
_CLAUSE = re.compile(r"[,;:–—](?=\s)|[、，；]")
_INITIAL = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]\Z")
LONGEST_WORD = 40
"""Characters; a longer one is no abbreviation."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


NEVER_LAST = _listed(
    """
    mr mrs ms mx dr prof st sen rep gov gen col sgt capt rev hon fr hr nr fig vs approx ca tel ext art abs str
    sr sra srta dra dña mme mlle e.g i.e z.b d.h u.a p.ej
    """
)
"""Words with a point that something always follows."""
SELDOM_LAST = _listed("etc inc ltd co corp jr bzw usw ggf evtl inkl zzgl max min dept est")
"""They end a sentence only when the next one begins with a capital letter."""


def let_go(text: str, most: int, *, over: bool = False) -> tuple[list[str], str]:
    """The sentences that are complete, each of at most `most` characters beside its leading blanks, and what is held.

    An end of `text` counts as the end of a sentence when it looks like one. `over`: nothing follows, all is let go.
    """
    done: list[str] = []
    start = 0
    for found in _END.finditer(text):
        end = found.end() if found[0].strip() else start + len(text[start : found.start()].rstrip())
        if end > start and _ends(text, start, found):
            done += _parts(text, start, end, most)
            start = end
    held = text[start:]
    if over:
        return [*done, *_parts(held, 0, len(held.rstrip()), most)], ""
    *parts, held = _parts(held, 0, len(held), most) or [""]
    return done + parts, held


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    mark = found["mark"]
    if mark is None:
        return True
    following = _NEXT.match(text, found.end())
    after = following[1] if following else ""
    if after.islower():
        return False
    before = _LAST_WORD.search(text, max(start, found.start() - LONGEST_WORD), found.start())
    if mark != "." or before is None:
        return True
    return _may_be_last(before[0], after, first=not text[start : before.start()].strip())


def _may_be_last(word: str, after: str, *, first: bool) -> bool:
    """Whether a sentence may end with this word and a point; `first`: it is also its first word."""
    plain = word.casefold()
    if plain in NEVER_LAST or (_INITIAL.match(word) and word != "I"):
        return False
    if plain == "no":
        return not after.isdecimal()
    if plain in SELDOM_LAST:
        return after.isupper()
    if word[-1].isdecimal():
        # `1. Open the app`, `3.` and then `14`: it ends one only where the next sentence is seen to begin.
        return not first and bool(after) and not after.isdecimal()
    return True


def _parts(text: str, start: int, end: int, most: int) -> list[str]:
    """The stretch in parts of at most `most` characters."""
    parts: list[str] = []
    while end - (first := _BLANKS.match(text, start, end).end()) > most:  # type: ignore[union-attr]  # it fits any text
        place = _cut(text, first, most)
        parts.append(text[start:place])
        start = place
    return [*parts, text[start:end]] if start < end else parts


def _cut(text: str, start: int, most: int) -> int:
    clauses = [found.end() for found in _CLAUSE.finditer(text, start + most // 2, start + most)]
    return clauses[-1] if clauses else border(text, start, most)
