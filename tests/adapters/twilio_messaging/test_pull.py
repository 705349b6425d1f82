"""Looking for what a webhook may have missed, page by page."""

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest

from adapters.base import CallContext, HttpCall, Pulled, PullSource, Refused, Reply
from tests.adapters.twilio_messaging.support import API, CONFIG, SERVICE, SMS, SUBJECT, WA
from tests.kit import Driven, drive
from tests.kit.cases import NOW

ADAPTER: Any = SUBJECT.adapter
CURSOR = "2026-01-02T03:00:00+00:00"


def row(name: str, minutes: float, **changes: Any) -> dict[str, Any]:
    """A message of so many minutes after three o'clock."""
    at = NOW.replace(minute=0, second=0) + timedelta(minutes=minutes)
    known = {"sid": name, "direction": "inbound", "from": "+14155550101", "to": SMS, "body": name, "num_media": "0"}
    return {**known, "date_sent": format_datetime(at), "messaging_service_sid": None, **changes}


def page(*rows: dict[str, Any], then: str | None = None) -> Reply:
    return Reply(200, {}, json.dumps({"messages": list(rows), "next_page_uri": then}).encode())


def look(cursor: str | None, *replies: Reply) -> Driven[Pulled]:
    driven: Driven[Pulled] = drive(ADAPTER.pull("messages", cursor, CallContext(now=NOW)), list(replies))
    assert driven.unused == 0
    return driven


def pulled(driven: Driven[Pulled]) -> tuple[list[str], str, bool]:
    assert driven.value is not None
    return [json.loads(item.body)["sid"] for item in driven.value.items], driven.value.cursor, driven.value.more


def urls(driven: Driven[Pulled]) -> list[str]:
    return [call.url for call in driven.calls if isinstance(call, HttpCall)]


def test_the_source() -> None:
    """One, as often as it is configured."""
    assert ADAPTER.sources == (PullSource(name="messages", every_s=CONFIG.pull_every_s),)


def test_the_first_look_begins_now() -> None:
    """What is older was never ours to answer."""
    driven = look(None)
    assert pulled(driven) == ([], "2026-01-02T03:04:05+00:00", False)
    assert driven.calls == []


def test_a_look() -> None:
    """By the day of the cursor; the oldest first, and from the newest of them on the next time."""
    driven = look(CURSOR, page(row("SM3", 3), row("SM2", 2), row("SM1", -1), row("SM0", -3)))
    assert pulled(driven) == (["SM1", "SM2", "SM3"], "2026-01-02T03:03:00+00:00", False)
    assert urls(driven) == [f"{API}/Messages.json?DateSent%3E=2026-01-02&PageSize=100"]


def test_a_look_just_after_midnight_asks_for_the_day_before() -> None:
    """It begins a little before its cursor."""
    driven = look("2026-01-02T00:01:00+00:00", page())
    assert urls(driven) == [f"{API}/Messages.json?DateSent%3E=2026-01-01&PageSize=100"]
    assert pulled(driven) == ([], "2026-01-02T00:01:00+00:00", False)


def test_a_look_of_several_pages() -> None:
    """Until one has something that was known; only then the cursor moves, to the newest of all pages."""
    first = look(CURSOR, page(row("SM9", 9), row("SM8", 8), then="/2010-04-01/Accounts/AC/Messages.json?Page=1"))
    assert pulled(first) == (
        ["SM8", "SM9"],
        f"{CURSOR} 2026-01-02T03:09:00+00:00 /2010-04-01/Accounts/AC/Messages.json?Page=1",
        True,
    )
    second = look(pulled(first)[1], page(row("SM7", 7), then="/2010-04-01/Accounts/AC/Messages.json?Page=2"))
    assert urls(second) == ["https://api.twilio.com/2010-04-01/Accounts/AC/Messages.json?Page=1"]
    assert pulled(second)[2]
    third = look(
        pulled(second)[1], page(row("SM6", 6), row("SM0", -9), then="/2010-04-01/Accounts/AC/Messages.json?Page=3")
    )
    assert pulled(third) == (["SM6"], "2026-01-02T03:09:00+00:00", False)


@pytest.mark.parametrize("reply", [Reply(404, {}, b'{"code":20404}'), Reply(400, {}, b"{}")])
def test_a_page_that_is_gone(reply: Reply) -> None:
    """The next look begins where this one began, and nothing between is skipped."""
    assert pulled(look(f"{CURSOR} 2026-01-02T03:09:00+00:00 /x?Page=3", reply)) == ([], CURSOR, False)
    assert isinstance(look(CURSOR, reply).error, Refused)


def test_the_last_page_ends_it() -> None:
    """Also when everything on it is new."""
    driven = look(f"{CURSOR} 2026-01-02T03:09:00+00:00 /x", page(row("SM1", 1)))
    assert pulled(driven) == (["SM1"], "2026-01-02T03:09:00+00:00", False)


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "outbound-api"},
        {"direction": "outbound-reply"},
        {"direction": None},
        {"to": "+15550000"},
        {"to": None},
        {"sid": None},
    ],
)
def test_what_is_none_of_ours_stays_there(change: dict[str, Any]) -> None:
    """What we sent, and what came to numbers that are not configured here."""
    assert pulled(look(CURSOR, page(row("SM1", 1, **change))))[0] == []


@pytest.mark.parametrize(
    "change", [{"to": WA}, {"to": "+15550000", "messaging_service_sid": SERVICE}, {"date_sent": None}]
)
def test_what_is_ours_comes_in(change: dict[str, Any]) -> None:
    """Of every sender, also without a time."""
    assert pulled(look(CURSOR, page(row("SM1", 1, **change))))[0] == ["SM1"]


def test_files_are_named() -> None:
    """A message with files takes one more call; what it gives is read as the webhook's would be."""
    media = Reply(
        200, {}, b'{"media_list":[{"sid":"ME1","content_type":"image/jpeg"},{"sid":"ME2","content_type":"a/b"}]}'
    )
    driven = look(CURSOR, page(row("MM1", 1, num_media="2")), media)
    assert urls(driven)[1:] == [f"{API}/Messages/MM1/Media.json"]
    assert driven.value is not None
    (item,) = driven.value.items
    raw = SUBJECT.raw(item.body, origin="pulled", method=item.method, path=item.path, beside=item.headers)
    (envelope,) = ADAPTER.parse(raw)
    first, second, third = msgspec.to_builtins(envelope.body)["parts"]
    assert (first["text"], second["media"]["url"], third["media"]["mime"]) == (
        "MM1",
        f"{API}/Messages/MM1/Media/ME1",
        "a/b",
    )


@pytest.mark.parametrize(
    "reply", [Reply(503), Reply(401), Reply(200, {}, b"<html>"), Reply(200, {}, b'{"messages":5}')]
)
def test_trouble_leaves_the_cursor_where_it_is(reply: Reply) -> None:
    """It is asked again."""
    driven = look(CURSOR, reply)
    assert driven.error is not None
    assert driven.value is None


def test_dates_that_are_none() -> None:
    """A row with an odd date is taken, and moves nothing."""
    odd: list[Any] = ["soon", 5, [], "Thu, 99 Foo 2026 10:20:30 +0000"]
    for date in odd:
        assert pulled(look(CURSOR, page(row("SM1", 1, date_sent=date)))) == (["SM1"], CURSOR, False)
