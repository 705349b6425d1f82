"""Payloads with one thing wrong, for hypothesis."""

import copy
from collections.abc import Iterator
from typing import Any

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
