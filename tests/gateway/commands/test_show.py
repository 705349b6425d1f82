"""Rows, for people and for programs."""

import json
from datetime import UTC, datetime

import pytest
from msgspec import Struct

from gateway.commands.show import rows


class Row(Struct, frozen=True):
    name: str
    is_ok: bool
    count: int | None = None
    at: datetime | None = None


ROWS = [Row("a [bold]", True, 3), Row("b", False, at=datetime(2026, 1, 2, tzinfo=UTC))]


def test_programs_get_a_line_of_json_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    rows(ROWS, as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"name": "a [bold]", "is_ok": True, "count": 3, "at": None}
    assert lines[1]["at"] == "2026-01-02T00:00:00Z"


def test_people_get_a_table_with_the_same_fields(capsys: pytest.CaptureFixture[str]) -> None:
    rows(ROWS, as_json=False)
    head, one, two = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["name", "is", "ok", "count", "at"]
    assert one == ["a", "[bold]", "yes", "3"]
    assert two == ["b", "no", "2026-01-02T00:00:00Z"]


def test_nothing_is_said_in_words_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows([], as_json=False, empty="Nothing is dead.")
    rows([], as_json=True)
    assert capsys.readouterr().out == "Nothing is dead.\n"
