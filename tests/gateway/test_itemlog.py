"""The rooms' lines: complete, under the rules of all lines, and written many at a time."""

import asyncio
import io
import json
from datetime import UTC, datetime

import pytest

from gateway import itemlog
from gateway.itemlog import MOST, ItemLog, stream_for

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Counted(io.StringIO):
    writes = 0

    def write(self, text: str, /) -> int:
        self.writes += 1
        return super().write(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def log(stream: io.StringIO) -> ItemLog:
    return ItemLog("process", "processed", ("intake_id", "kind", "outcome"), stream, lambda: AT)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_line_has_its_values_its_room_and_its_time() -> None:
    stream = io.StringIO()
    made = log(stream)
    made.add(7, "message", "stored")
    made.flush()
    assert lines(stream) == [
        {"intake_id": 7, "kind": "message", "outcome": "stored", "room": "process", "event": "processed",
         "level": "info", "timestamp": "2026-01-02T03:04:05Z"}
    ]  # fmt: skip


async def test_what_is_not_known_is_left_out() -> None:
    stream = io.StringIO()
    made = log(stream)
    made.add(7, None, "stored")
    made.flush()
    assert "kind" not in lines(stream)[0]


async def test_many_lines_are_one_write() -> None:
    stream = Counted()
    made = log(stream)
    for number in range(MOST - 1):
        made.add(number, "message", "stored")
    assert stream.writes == 0
    made.add(MOST, "message", "stored")
    assert (stream.writes, len(lines(stream))) == (1, MOST)


async def test_a_single_line_does_not_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itemlog, "FLUSH_S", 0.0)
    stream = io.StringIO()
    log(stream).add(1, "message", "stored")
    async with asyncio.timeout(20):
        while not stream.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert len(lines(stream)) == 1


async def test_to_close_twice_writes_nothing_twice() -> None:
    stream = io.StringIO()
    made = log(stream)
    made.add(1, "message", "stored")
    made.flush()
    made.flush()
    assert len(lines(stream)) == 1


async def test_a_key_that_no_line_may_have_is_refused_when_the_log_is_made() -> None:
    with pytest.raises(AssertionError, match="text"):
        ItemLog("process", "processed", ("intake_id", "text"), None, lambda: AT)


async def test_one_value_too_many_is_a_mistake_of_ours() -> None:
    with pytest.raises((TypeError, ValueError)):
        log(io.StringIO()).add(7, "message", "stored", "more")


@pytest.mark.parametrize(
    ("level", "form", "terminal", "fast"),
    [
        ("info", "json", False, True),
        ("debug", "json", True, True),
        ("info", "auto", False, True),
        ("info", "auto", True, False),
        ("info", "console", False, False),
        ("warning", "json", False, False),
    ],
)
def test_people_and_louder_levels_go_the_usual_way(level: str, form: str, terminal: bool, fast: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert (stream_for(level, form, stream) is stream) is fast
