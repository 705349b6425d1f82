"""What the webhook may have missed: `conversations.history` of the channels that the settings name.

Rule: each message is told as the event that it was, so that what did arrive is a duplicate.
Rule: answers in threads are not part of a channel's history: threads that began within the look-back and have news are
read one by one, some with each pull. Deletions and reactions are not told.
See https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from adapters.base import CallContext, Flow, Pulled, PulledItem, Refused
from adapters.slack import wire
from adapters.slack.api import Api, ask
from adapters.slack.people import order

PAGES_MAX = 5
"""Of one pull; what is beyond them comes with the next."""
THREADS_MAX = 10
"""Of one pull: each takes a call at least, and they are limited to some 50 a minute."""
PAGE_SIZE = 200
OVERLAP_S = 10.0
"""What was said just before a reading is read again: clocks differ."""
NAME = "history/"
"""Begins the names of these sources; the channel follows."""
_HEADERS = {"content-type": "application/json"}


class Mark(Struct, frozen=True, omit_defaults=True):
    """The cursor. All but the first two: of a read that is not finished."""

    since: str
    our_user: str | None = None
    page: str = ""
    newest: str = ""
    until: str = ""
    """What is newer is read again: while threads are read, the channel goes on."""
    threads: tuple[str, ...] = ()
    """Have news, and were not read yet."""


class Past(Struct, frozen=True):
    slice: Raw
    facts: wire.Past

    @property
    def ts(self) -> str:
        return self.facts.ts or ""


def pull(api: Api, team: str, look_back_s: float, name: str, cursor: str | None, ctx: CallContext) -> Flow[Pulled]:
    channel, mark = name.removeprefix(NAME), _mark(cursor)
    if mark is None:
        identity = yield from ask(api.form("auth.test", {}), wire.Identity)
        return Pulled(items=(), cursor=_written(Mark(_ts(ctx.now), identity.user_id)))
    if mark.threads and not mark.page:
        found, after = yield from _read_threads(api, channel, mark)
    else:
        found, after = yield from _read_channel(api, channel, mark, look_back_s, ctx.now)
    items = tuple(_items(team, channel, mark, found))
    newest = max([after.newest or mark.since, *map(_last, found)], key=order)
    if after.page or after.threads:
        return Pulled(items=items, cursor=_written(replace(after, newest=newest)), more=True)
    since = max(mark.since, min(newest, after.until or newest, key=order), key=order)
    return Pulled(items=items, cursor=_written(Mark(since, mark.our_user)))


def _read_channel(
    api: Api, channel: str, mark: Mark, look_back_s: float, now: datetime
) -> Flow[tuple[list[Past], Mark]]:
    found, page = yield from _pages(api, channel, mark, look_back_s)
    news = [root.ts for root in found if order(root.facts.latest_reply or "") > order(mark.since)]
    threads = tuple(dict.fromkeys((*mark.threads, *news)))
    return found, replace(mark, page=page, threads=threads, until=mark.until or _earlier(_ts(now), OVERLAP_S))


def _read_threads(api: Api, channel: str, mark: Mark) -> Flow[tuple[list[Past], Mark]]:
    found: list[Past] = []
    until = mark.until
    for root in mark.threads[:THREADS_MAX]:
        replies, rest = yield from _replies(api, channel, root, mark.since)
        found += replies
        if rest and replies:
            until = min(until, replies[-1].ts, key=order)
    return found, replace(mark, threads=mark.threads[THREADS_MAX:], until=until)


def _last(past: Past) -> str:
    edited = past.facts.edited
    return max(past.ts, (edited and edited.ts) or "", key=order)


def _mark(cursor: str | None) -> Mark | None:
    try:
        return msgspec.json.decode(cursor, type=Mark) if cursor else None
    except msgspec.DecodeError:
        return None


def _written(mark: Mark) -> str:
    return msgspec.json.encode(mark).decode()


def _ts(now: datetime) -> str:
    return f"{int(now.timestamp())}.{now.microsecond:06}"


# --- reading ------------------------------------------------------------------------------------------------------


def _pages(api: Api, channel: str, mark: Mark, look_back_s: float) -> Flow[tuple[list[Past], str]]:
    """What lies in the channel itself, and where to go on."""
    fields = {"channel": channel, "oldest": _earlier(mark.since, look_back_s), "include_all_metadata": "true"}
    try:
        return (yield from _listed(api, "conversations.history", fields, mark.page))
    except Refused as error:
        if error.provider_code != "invalid_cursor":
            raise
    return (yield from _listed(api, "conversations.history", fields, ""))


def _replies(api: Api, channel: str, root: str, since: str) -> Flow[tuple[list[Past], str]]:
    fields = {"channel": channel, "ts": root, "oldest": since, "include_all_metadata": "true"}
    found, rest = yield from _listed(api, "conversations.replies", fields, "")
    return [past for past in found if past.ts != root], rest


def _listed(api: Api, method: str, fields: dict[str, Any], page: str) -> Flow[tuple[list[Past], str]]:
    found: list[Past] = []
    for _ in range(PAGES_MAX):
        asked = {**fields, "limit": PAGE_SIZE, "cursor": page or None}
        answer = yield from ask(api.form(method, asked), wire.Page)
        for slice_ in answer.messages or ():
            facts, _lost = wire.read_past(slice_)
            if facts is not None:
                found.append(Past(slice_, facts))
        page = (answer.response_metadata and answer.response_metadata.next_cursor) or ""
        if not answer.has_more or not page:
            return found, ""
    return found, page


def said_since(api: Api, channel: str, thread: str | None, since: datetime) -> Flow[list[Past]]:
    """In the channel itself, or in one of its threads."""
    fields = {"channel": channel, "ts": thread, "oldest": _ts(since), "include_all_metadata": "true"}
    found, _rest = yield from _listed(api, f"conversations.{'replies' if thread else 'history'}", fields, "")
    return found


def _earlier(since: str, seconds: float) -> str:
    whole, micros = order(since)
    return f"{max(whole - int(seconds), 0)}.{micros:06}"


# --- telling ------------------------------------------------------------------------------------------------------


def _items(team: str, channel: str, mark: Mark, found: Iterable[Past]) -> Iterator[PulledItem]:
    """The oldest first; an edit comes beside its message, as it would have."""
    known = {past.ts: past for past in found}
    for past in sorted(known.values(), key=lambda past: order(past.ts)):
        if order(past.ts) > order(mark.since):
            yield _item(team, mark, _as_event(channel, past))
        edited = past.facts.edited
        if edited and order(edited.ts or "") > order(mark.since):
            event = {"type": "message", "subtype": "message_changed", "channel": channel, "ts": edited.ts}
            yield _item(team, mark, {**event, "message": past.slice})


def _as_event(channel: str, past: Past) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(past.slice, type=dict[str, Raw])
    return {**fields, "type": fields.get("type", "message"), "channel": channel}


def _item(team: str, mark: Mark, event: dict[str, Any]) -> PulledItem:
    authorization = {"team_id": team, "user_id": mark.our_user, "is_bot": True}
    callback = {"type": "event_callback", "authorizations": [authorization], "event": event}
    return PulledItem(body=msgspec.json.encode(callback), headers=_HEADERS)
