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

import msgspec

from adapters._twilio import Api, rfc2822
from adapters._twilio_messages import Row, listed, with_media
from adapters.base import Flow, Pulled, PulledItem, Refused
from adapters.twilio_messaging.config import account_of

OVERLAP = timedelta(minutes=2)


def pull(api: Api, accounts: Collection[str], cursor: str | None, now: datetime) -> Flow[Pulled]:
    """One page. Asked for the first time, it begins with now."""
    if cursor is None:
        return Pulled(items=(), cursor=_text(now))
    since, newest, page = [*cursor.split(" ", 2), "", ""][:3]
    begin = datetime.fromisoformat(since) - OVERLAP
    try:
        found = yield from listed(api, {"DateSent>": f"{begin:%Y-%m-%d}"}, page)
    except Refused:
        if not page:
            raise
        return Pulled(items=(), cursor=since)  # that page is no more: the next look begins anew
    times = [at for row in found.messages if (at := _at(row))]
    latest = _text(max([*times, datetime.fromisoformat(newest or since)]))
    items = []
    for row in reversed(found.messages):
        if (_at(row) or begin) >= begin and _is_wanted(row, accounts):
            body = msgspec.json.encode((yield from with_media(api, row)))
            items.append(PulledItem(body=body, path="/messages", headers={"content-type": "application/json"}))
    more = bool(found.next_page_uri) and all(at >= begin for at in times)
    return Pulled(items=tuple(items), cursor=f"{since} {latest} {found.next_page_uri}" if more else latest, more=more)


def _is_wanted(row: Row, accounts: Collection[str]) -> bool:
    ours = account_of(accounts, str(row.get("to") or ""), str(row.get("messaging_service_sid") or ""))
    return row.get("direction") == "inbound" and bool(row.get("sid")) and ours in accounts


def _at(row: Row) -> datetime | None:
    return rfc2822(row.get("date_sent"))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
