"""What both commands share: a line in, a line out, and an adapter made from settings.

Rule: lone surrogates and the like are let through on the way in: an adapter has to stand them as well.
"""

import json
import os
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from adapters import REGISTRY
from adapters.base import Adapter, Grant
from gateway.config import ConfigError, Problem, settings_of
from normalizer import codec
from normalizer.ids import EndpointId

Settings = Mapping[str, Any]


class BadLine(ValueError):
    """A line that is not what the command reads."""


def made(type: str, settings: Settings) -> tuple[Adapter, Mapping[str, str]]:
    if type not in REGISTRY:
        near = get_close_matches(type, REGISTRY, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(REGISTRY))}"
        raise ConfigError([Problem("", f"there is no adapter {type!r}{hint}")])
    registration = REGISTRY[type]
    config = settings_of(registration.config, settings, os.environ, Path())
    return registration.build(EndpointId(type), config), _shown(config.credentials())


def _shown(credentials: Mapping[str, str | Grant]) -> Mapping[str, str]:
    """Nobody is asked for a token: a name stands in its place."""
    return {name: value if isinstance(value, str) else f"token-of-{name}" for name, value in credentials.items()}


def filled(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (line for line in lines if line.strip())


def object_of(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"the line is not JSON: {words(error)}") from None
    if not isinstance(value, dict):
        raise BadLine("the line is not a JSON object")
    return value


def words(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def out(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(codec.clean(value))


def converted(fields: dict[str, Any], type: Callable[..., Any]) -> Any:
    try:
        return msgspec.convert(fields, type)
    except (msgspec.ValidationError, UnicodeEncodeError, RecursionError) as error:
        raise BadLine(words(error)) from None


def headers_of(given: Mapping[str, str | list[str]] | None) -> dict[str, str]:
    """Names in lower case, several of one name joined, as the gateway hands them on."""
    joined: dict[str, list[str]] = {}
    for name, value in (given or {}).items():
        joined.setdefault(name.lower(), []).extend([value] if isinstance(value, str) else value)
    return {name: ", ".join(values) for name, values in joined.items()}


def body_of(text: str | None, encoded: str | None) -> bytes:
    if text is not None and encoded is not None:
        raise BadLine("either body or body_b64, not both")
    if encoded is None:
        return (text or "").encode("utf-8", "surrogatepass")
    try:
        return b64decode(encoded, validate=True)
    except ValueError as error:
        raise BadLine(f"body_b64: {error}") from None
