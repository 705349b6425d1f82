"""`init`: a configuration to begin with, and the key that the store is encrypted and signed with.

Rule: nothing is overwritten; a key least of all, for what it encrypted could never be read again.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from adapters import REGISTRY
from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.contradictions import unknown
from gateway.manual import example
from gateway.security import new_key

KEY_FILE = "throughline.key"


class Begun(Struct, frozen=True, kw_only=True):
    config: Path
    key: Path
    key_is_new: bool
    variables: tuple[str, ...]
    """What the environment must hold before it starts."""


def begin(path: Path, types: Collection[str]) -> Begun:
    """Writes both files. Raises Failed when there is a configuration already."""
    for name in types:
        if name not in REGISTRY:
            raise Failed(f"{name}: {unknown(name, REGISTRY, 'type')}")
    text = example(active=types)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_new(path, text, 0o644)
    except FileExistsError:
        raise Failed(f"{path} is there already; it was left as it is") from None
    key = path.parent / KEY_FILE
    return Begun(config=path, key=key, key_is_new=write_key(key), variables=_variables(text))


def _variables(text: str) -> tuple[str, ...]:
    said = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(dict.fromkeys(re.findall(r"\$\{(\w+)\}", said)))


def write_key(path: Path) -> bool:
    """False: there is one already, and it stays."""
    try:
        _write_new(path, new_key(Ids(Clock()).token()) + "\n", 0o600)
    except FileExistsError:
        return False
    return True


def _write_new(path: Path, text: str, mode: int) -> None:
    """Never another file's content, and never readable by more people than `mode` says, not for a moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
