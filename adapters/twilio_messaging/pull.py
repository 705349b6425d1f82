"""Messages whose webhook was lost: Twilio does not repeat a webhook that we answered with an error.

The list is newest first and is asked by day, so a look goes back page by page until it meets what the look before it
had seen; only then has the cursor its new time.

Rule: the cursor is `time`, or within a look `time newest page`: how far everything is known, the newest message of
this look, and the page that comes next.
Rule: a look begins a little before its cursor. What was told already is a duplicate by its id.
See https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

import msgspec
from msgspec import Struct

from adapters._twilio import Api, ask, rfc2822
from adapters._twilio_codes import CODES
from adapters.base import Flow, Pulled, PulledItem
from adapters.twilio_messaging.config import account_of

PAGE = 100
"""Messages of one page."""
OVERLAP = timedelta(minutes=2)
Row = dict[str, Any]


class _List(Struct, frozen=True):
    messages: list[Row] = []
    media_list: list[Row] = []
    next_page_uri: str | None = None


def pull(api: Api, accounts: Collection[str], cursor: str | None, now: datetime) -> Flow[Pulled]:
    """One page. Asked for the first time, it begins with now."""
    if cursor is None:
        return Pulled(items=(), cursor=_text(now))
    since, newest, page = [*cursor.split(" ", 2), "", ""][:3]
    begin = datetime.fromisoformat(since) - OVERLAP
    first = "/Messages.json?" + urlencode({"DateSent>": f"{begin:%Y-%m-%d}", "PageSize": str(PAGE)})
    listed = yield from ask(api.get(urljoin(api.api_url, page) if page else api.url(first)), _List, CODES)
    times = [at for row in listed.messages if (at := _at(row))]
    latest = _text(max([*times, datetime.fromisoformat(newest or since)]))
    items = []
    for row in reversed(listed.messages):
        if _is_wanted(row, accounts, begin):
            items.append((yield from _item(api, row)))  # noqa: PERF401  it yields
    more = bool(listed.next_page_uri) and all(at >= begin for at in times)
    after = f"{since} {latest} {listed.next_page_uri}" if more else latest
    return Pulled(items=tuple(items), cursor=after, more=more)


def _is_wanted(row: Row, accounts: Collection[str], begin: datetime) -> bool:
    ours = account_of(accounts, str(row.get("to") or ""), str(row.get("messaging_service_sid") or ""))
    return (
        row.get("direction") == "inbound" and bool(row.get("sid")) and ours in accounts and (_at(row) or begin) >= begin
    )


def _item(api: Api, row: Row) -> Flow[PulledItem]:
    place, media = api.url(f"/Messages/{row['sid']}/Media"), []
    if str(row.get("num_media") or "0") != "0":
        listed = yield from ask(api.get(f"{place}.json"), _List, CODES)
        media = [{**one, "url": f"{place}/{one.get('sid')}"} for one in listed.media_list]
    body = msgspec.json.encode({**row, "media": media})
    return PulledItem(body=body, path="/messages", headers={"content-type": "application/json"})


def _at(row: Row) -> datetime | None:
    return rfc2822(row.get("date_sent"))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
