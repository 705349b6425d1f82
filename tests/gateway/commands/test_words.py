"""What is said of what went wrong, and with which exit code."""

import errno
import os
import socket
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.clock import Clock
from gateway.commands import Failed
from gateway.commands.words import in_words, of_the_database
from gateway.config import ConfigError, Problem
from gateway.engines.base import EngineMisconfigured
from gateway.store.store import DataDirLocked, StoreUnavailable, open_store


def test_a_mistake_of_the_operators_names_itself() -> None:
    assert in_words(Failed("nobody has written yet")) == (1, ["nobody has written yet"])
    assert in_words(DataDirLocked("another gateway uses it")) == (1, ["another gateway uses it"])


def test_mistakes_of_the_configuration_are_no_reason_to_try_again() -> None:
    """2 is the exit code after which the unit in deploy/ is not restarted."""
    said = in_words(ConfigError([Problem("server.port", "expected a whole number"), Problem("key", "missing")]))
    assert said == (
        2, ["The configuration has 2 mistakes:", "  server.port: expected a whole number", "  key: missing"]
    )  # fmt: skip
    assert in_words(EngineMisconfigured("sources: no Markdown")) == (
        2, ["The AI engine does not start: sources: no Markdown"]
    )  # fmt: skip


def test_of_a_database_the_drivers_words_are_said_and_neither_statement_nor_values() -> None:
    why = Exception("connection refused\nDETAIL: Key (number)=(+15550100)")
    error = sa.exc.OperationalError("INSERT INTO contact", {"number": "+15550100"}, why)
    assert in_words(error) == (1, ["The database does not answer: connection refused"])
    outer = StoreUnavailable("OperationalError")
    outer.__cause__ = error
    assert in_words(outer) == (1, ["The database does not answer: connection refused"])
    assert of_the_database(StoreUnavailable("the write took too long")) == "the write took too long"


def test_a_file_that_is_no_database_is_called_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("what a file holds that is no database " * 100)
    store = open_store(f"sqlite:///{file}", Clock(), serving=False)
    try:
        with pytest.raises(sa.exc.DatabaseError) as raised:
            store.read_now(lambda tx: None)
    finally:
        store.close_now()
    assert in_words(raised.value) == (1, ["The database does not answer: file is not a database"])


def test_mistakes_of_ours_keep_their_traceback() -> None:
    assert in_words(sa.exc.IntegrityError("INSERT", {}, Exception("UNIQUE"))) is None
    assert in_words(sa.exc.ProgrammingError("SELECT", {}, Exception("no such column"))) is None
    assert in_words(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))) is None
    assert in_words(AssertionError("ours")) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/srv/data"), "/srv/data: Permission denied"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
         "The address to listen on (host and port): Cannot assign requested address"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
         "The address to listen on (host and port): Name or service not known"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
    ],
)  # fmt: skip
def test_trouble_with_the_system_says_where(error: OSError, said: str) -> None:
    assert in_words(error) == (1, [said])
