"""The doctor: what it says of a database that is not there, or is none."""

from pathlib import Path

from msgspec.structs import replace

from gateway.operator import doctor
from gateway.settings import Config
from tests.gateway.api_house import config

NOWHERE = "http://127.0.0.1:9"


def database(made: Config, url: str) -> str:
    """What is found, with nothing else asked."""
    found = doctor(replace(made, store=replace(made.store, url=url), endpoints={}))
    (one,) = (finding for finding in found if finding.check == "database")
    assert not one.ok
    return one.detail


def test_a_server_that_does_not_answer_is_told_with_the_reason_and_without_the_password(tmp_path: Path) -> None:
    said = database(config(tmp_path, NOWHERE), "postgresql+psycopg://anna:hunter2@127.0.0.1:9/customers")
    assert "onnection refused" in said
    assert "hunter2" not in said


def test_a_file_that_is_no_database_is_a_finding_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("no database at all " * 100)
    assert database(config(tmp_path, NOWHERE), f"sqlite:///{file}") == "file is not a database"
