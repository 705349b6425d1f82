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


def test_nothing_is_cut_off_or_wrapped_where_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    rows([Row("cmd_" + "0123456789abcdef" * 20, True, 3)], as_json=False)
    _, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["cmd_" + "0123456789abcdef" * 20, "yes", "3"]


def test_on_a_narrow_terminal_what_is_too_long_goes_on_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    rows([Row("cmd_0123456789abcdef", True, 12345, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))], as_json=False)
    shown = capsys.readouterr().out
    assert "\u2026" not in shown
    assert sum(shown.count(digit) for digit in "6789abcdef") >= 10


def test_nothing_is_said_in_words_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    rows([], as_json=False, empty="Nothing is dead.")
    rows([], as_json=True)
    assert capsys.readouterr().out == "Nothing is dead.\n"
