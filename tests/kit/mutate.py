"""Payloads with one thing wrong, for hypothesis."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

Path = tuple[str | int, ...]
OTHER_TYPES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", "text", "\u0000", "9" * 400, [], [None], ["x"], {}, {"a": 1}, [[]], [{}],
)  # fmt: skip
DROPPED = object()


def paths(document: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a JSON document but its root."""
    items: Any = ()
    if isinstance(document, dict):
        items = document.items()
    elif isinstance(document, list):
        items = enumerate(document)
    for key, value in items:
        yield (*at, key)
        yield from paths(value, (*at, key))


def mutations(document: Any) -> st.SearchStrategy[tuple[Path, Any]]:
    """A place, and the document with that place dropped, nulled or of another type."""
    changes = st.sampled_from((DROPPED, *OTHER_TYPES))
    return st.tuples(st.sampled_from(list(paths(document))), changes).map(
        lambda chosen: (chosen[0], mutated(document, *chosen))
    )


def mutated(document: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(document)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    if value is DROPPED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(value)
    return changed


JUNK_FIELDS: tuple[str, ...] = (
    "", " ", "text", "\x00", "0", "-1", "1e999", "9" * 400, "9" * 5000, "true", "é😀", "\u202e", "null", "{",
    "[" * 2000, '{"a":1}', "a=b&c=d", "%", "\r\nX: y", "../..", "javascript:alert(1)", "http://[::1", "\ud800",
)  # fmt: skip
"""Values for the field of a form."""
REPEATED = object()


def form_mutations(body: bytes) -> st.SearchStrategy[tuple[str, bytes]]:
    """A field of a form's body, and the body with that field dropped, empty, repeated or full of junk."""
    fields = parse_qsl(body.decode(), keep_blank_values=True)
    changes = st.sampled_from((DROPPED, REPEATED, *JUNK_FIELDS))
    return st.tuples(st.integers(0, len(fields) - 1), changes).map(
        lambda chosen: (fields[chosen[0]][0], mutated_form(fields, *chosen))
    )


def mutated_form(fields: Sequence[tuple[str, str]], place: int, value: Any) -> bytes:
    changed = list(fields)
    name, old = changed[place]
    if value is DROPPED:
        del changed[place]
    elif value is REPEATED:
        changed.insert(place, (name, f"{old}?"))
    else:
        changed[place] = (name, value)
    return urlencode(changed, errors="surrogatepass").encode()
