"""What a scene should become, as conditions on a stored envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from normalizer.envelope import Envelope, Message, Part, Text, Unsupported

Becomes = Callable[[Envelope], bool]


def message(kind: type[Part], words: str) -> Becomes:
    """A message of a customer's with a part of this kind, and these words in it."""
    return lambda one: any(isinstance(part, kind) for part in _parts(one)) and words in repr(one.body)


def observed(words: str) -> Becomes:
    return lambda one: one.observed and message(Text, words)(one)


def body(kind: type[Any]) -> Becomes:
    return lambda one: one.direction == "in" and isinstance(one.body, kind)


def notice(what: str) -> Becomes:
    return lambda one: isinstance(one.body, Unsupported) and one.body.what == what


def _parts(one: Envelope) -> tuple[Part, ...]:
    return one.body.parts if one.direction == "in" and isinstance(one.body, Message) else ()
