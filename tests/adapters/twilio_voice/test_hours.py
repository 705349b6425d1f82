"""When people answer."""

from datetime import UTC, datetime

import pytest

from adapters.twilio_voice.hours import read_hours

BERLIN = read_hours("Europe/Berlin", {"mon": ("09:00-12:00", "13:00-17:30"), "sun": ("22:00-24:00",)}, ("2026-01-05",))


def at(day: int, hour: int, minute: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        (at(12, 7, 59), False),
        (at(12, 8), True),
        (at(12, 10, 59), True),
        (at(12, 11), False),
        (at(12, 12), True),
        (at(12, 16, 29), True),
        (at(12, 16, 30), False),
        (at(13, 9), False),
        (at(11, 21), True),
        (at(11, 22, 59), True),
        (at(11, 23), False),
        (at(5, 9), False),
    ],
)
def test_a_span_is_local_and_without_its_end(moment: datetime, open_: bool) -> None:
    assert BERLIN.open(moment) is open_


def test_summer_time_moves_with_the_zone() -> None:
    """The 6th of July is a Monday; nine o'clock in Berlin is seven in UTC then."""
    assert not BERLIN.open(at(6, 6, 59, month=7))
    assert BERLIN.open(at(6, 7, 0, month=7))


def test_without_a_week_it_is_always_open_but_for_closed_days() -> None:
    hours = read_hours("UTC", {}, ("2026-12-25",))
    assert hours.open(at(3, 3))
    assert not hours.open(datetime(2026, 12, 25, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "week", "closed", "text"),
    [
        ("Mars/Base", {}, (), "time_zone"),
        ("", {}, (), "time_zone"),
        ("../etc", {}, (), "time_zone"),
        ("UTC", {"monday": ("09:00-10:00",)}, (), "no day"),
        ("UTC", {"mon": ("9-10",)}, (), "not like"),
        ("UTC", {"mon": ("25:00-26:00",)}, (), "not like"),
        ("UTC", {"mon": ("10:00-09:00",)}, (), "ends before"),
        ("UTC", {"mon": ("10:00-10:00",)}, (), "ends before"),
        ("UTC", {"mon": ("23:00-24:01",)}, (), "after midnight"),
        ("UTC", {}, ("25.12.2026",), "closed_on"),
    ],
)
def test_what_can_not_be_read_names_its_setting(
    zone: str, week: dict[str, tuple[str, ...]], closed: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        read_hours(zone, week, closed)
