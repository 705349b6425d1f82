"""The list of an account's messages, either way: what came, and what was taken from us.

Rule: the newest stands first. A row says nothing of what was tapped, quoted or offered in it.
See https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

from msgspec import Struct

from adapters._twilio import Api, ask, rfc2822
from adapters._twilio_codes import CODES
from adapters.base import Flow, Refused

PAGE = 100
"""Messages of one page."""
CLOCKS = timedelta(seconds=30)
"""So far Twilio's clock may be behind ours; and its times are whole seconds."""
NOT_OUT = frozenset({"failed", "undelivered", "canceled"})
"""What became of a message that did not go out."""
TRIAL = ["Sent", "from", "your", "Twilio", "trial", "account", "-"]
"""Stands before whatever an account sends that nobody pays for yet."""
_BETWEEN = {"To": "to", "From": "from", "MessagingServiceSid": "messaging_service_sid"}
Row = dict[str, Any]


class Listed(Struct, frozen=True):
    messages: list[Row]
    next_page_uri: str | None = None


class _Media(Struct, frozen=True):
    media_list: list[Row]


def listed(api: Api, query: Mapping[str, str], page: str = "") -> Flow[Listed]:
    """A page: the one that `next_page_uri` of another one named, or the first."""
    first = api.url("/Messages.json?" + urlencode({**query, "PageSize": str(PAGE)}))
    return (yield from ask(api.get(urljoin(api.api_url, page) if page else first), Listed, CODES))


def with_media(api: Api, row: Row) -> Flow[Row]:
    """The row with its files, each with its URL, under `media`. Of files that were deleted the row has the number."""
    place, media = api.url(f"/Messages/{row['sid']}/Media"), list[Row]()
    with suppress(Refused):
        media = (yield from ask(api.get(f"{place}.json"), _Media, CODES)).media_list if has_files(row) else []
    return {**row, "media": [{**one, "url": f"{place}/{one.get('sid')}"} for one in media]}


def taken(api: Api, fields: Mapping[str, str], since: datetime) -> Flow[list[Row]]:
    """What was taken from us since then and has these fields of a message; the oldest first."""
    found = yield from listed(api, {name: fields[name] for name in ("To", "From") if name in fields})
    return [row for row in reversed(found.messages) if _is_out(row, since) and _fits(row, fields)]


def _is_out(row: Row, since: datetime) -> bool:
    """A call sent it, no answer to a webhook did, and it has not failed."""
    created = rfc2822(row.get("date_created"))
    ours = row.get("direction") == "outbound-api" and row.get("status") not in NOT_OUT and bool(row.get("sid"))
    return ours and created is not None and created >= since - CLOCKS


def _fits(row: Row, fields: Mapping[str, str]) -> bool:
    """Words alone are compared: the spaces between them may have been cut. Without a text it has to have files."""
    between = all(row.get(name) == fields[field] for field, name in _BETWEEN.items() if field in fields)
    said, wanted = str(row.get("body") or "").split(), fields.get("Body", "").split()
    return between and said in (wanted, [*TRIAL, *wanted]) and (bool(wanted) or has_files(row))


def has_files(row: Row) -> bool:
    return str(row.get("num_media") or "0") != "0"
