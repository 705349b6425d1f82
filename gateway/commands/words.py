"""What is expected to go wrong with a command: its exit code, and words for whoever typed it.

Rule: of a database's error only the driver's first line is shown: the rest may hold statements and their values.
"""

import errno
import socket
import sys
from collections.abc import Sequence

from gateway.commands import Failed
from gateway.config import ConfigError

LISTENING = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}


def in_words(error: Exception) -> tuple[int, Sequence[str]] | None:
    """None: nobody expected this, so the traceback is the best that we have."""
    if isinstance(error, Failed):
        return 1, [str(error)]
    if isinstance(error, ConfigError):
        count = len(error.problems)
        head = f"The configuration has {count} mistake{'s' if count > 1 else ''}:"
        return 2, [head, *(f"  {problem}" for problem in error.problems)]
    if _is_a("gateway.engines.base", "EngineMisconfigured", error):
        return 2, [f"The AI engine does not start: {error}"]
    if _is_a("gateway.store.store", "DataDirLocked", error):
        return 1, [str(error)]
    trouble = of_the_database(error)
    if trouble is not None:
        return 1, [f"The database does not answer: {trouble}"]
    # A closed pipe is no mistake (`| head`): click ends the program in silence.
    if isinstance(error, OSError) and error.strerror and not isinstance(error, BrokenPipeError):
        return 1, [f"{_place(error)}{error.strerror}"]
    return None


def of_the_database(error: BaseException) -> str | None:
    """Why it does not answer; None: it is something else that is wrong."""
    if _is_a("gateway.store.store", "StoreUnavailable", error):
        return of_the_database(error.__cause__) if error.__cause__ is not None else str(error)
    # The general one is what a file that is no database provokes; the special ones are mistakes of ours.
    if _is_a("sqlalchemy.exc", "OperationalError", error) or _named(error) == ("sqlalchemy.exc", "DatabaseError"):
        lines = str(getattr(error, "orig", "")).strip().splitlines()
        return lines[0] if lines else type(error).__name__
    return None


def _is_a(module: str, name: str, error: BaseException) -> bool:
    """Nothing is imported for the question: what was never loaded was never raised."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)


def _named(error: BaseException) -> tuple[str, str]:
    return type(error).__module__, type(error).__name__


def _place(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: "
    # Of all that may fail without a name, these come from the one socket that we open ourselves.
    listening = isinstance(error, socket.gaierror) or error.errno in LISTENING
    return "The address to listen on (host and port): " if listening else ""
