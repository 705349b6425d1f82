"""Office hours: when people answer the phone. Pure; the zone is looked up once, when the settings are read.

Rule: a span is `HH:MM-HH:MM` in local time; its end is not part of it, `24:00` is midnight. A day without spans is
closed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")


class Hours(Struct, frozen=True):
    """`week`: minutes of each day, from and to; empty: always open."""

    zone: ZoneInfo
    week: Mapping[int, Sequence[tuple[int, int]]]
    closed_on: frozenset[date]

    def open(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        if local.date() in self.closed_on:
            return False
        minute = local.hour * 60 + local.minute
        return not self.week or any(begin <= minute < end for begin, end in self.week.get(local.weekday(), ()))


def read_hours(zone: str, week: Mapping[str, Sequence[str]], closed_on: Sequence[str]) -> Hours:
    """Raises ValueError, in words that name the setting."""
    try:
        found = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"time_zone {zone!r} is not known") from None
    if unknown := sorted(set(week) - set(DAYS)):
        raise ValueError(f"hours: {unknown[0]!r} is no day; days are {', '.join(DAYS)}")
    spans = {DAYS.index(day): [_span(text) for text in texts] for day, texts in week.items()}
    try:
        return Hours(found, spans, frozenset(map(date.fromisoformat, closed_on)))
    except ValueError:
        raise ValueError("closed_on: a day is written like 2026-12-25") from None


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"hours: {text!r} is not like 09:00-17:30")
    begin_h, begin_m, end_h, end_m = map(int, found.groups())
    begin, end = begin_h * 60 + begin_m, end_h * 60 + end_m
    if begin >= end or end > 24 * 60:
        raise ValueError(f"hours: {text!r} ends before it begins, or after midnight")
    return begin, end
