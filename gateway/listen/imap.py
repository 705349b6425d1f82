"""A mailbox: every mail that comes into it enters the intake, in the order of its UIDs, with how far it is read.

The cursor is `{uidvalidity}:{uid}:{floor}`: all up to `uid` is read, nothing up to `floor` is ever looked at.

Rule: only the cursor says what is new; flags are the people's, and no mail is marked as seen.
Rule: a new UIDVALIDITY voids every number: the mailbox is read anew from some days back, and the dedupe knows repeats.
Rule: one bad mail never blocks the next: what can not be fetched enters as its header, at last as its place alone.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from adapters.base import ImapSource, RawInbound
from gateway.listen.base import Post, Trouble
from gateway.listen.imap_client import Client, LoginRefused, Selected, connected
from gateway.listen.imap_words import MONTHS, Listed

LISTED_AT_ONCE = 200
HEADER_AFTER = 3
"""A mail that ended the connection so often while it was fetched is tried as its header alone."""
NOTHING_AFTER = 6
END_OF_HEADER = b"\r\n\r\n"


class Mark(Struct, frozen=True):
    """The cursor as a value."""

    uidvalidity: int
    uid: int
    floor: int

    def __str__(self) -> str:
        return f"{self.uidvalidity}:{self.uid}:{self.floor}"

    def past(self, uids: Sequence[int]) -> "Mark":
        """Never back."""
        return Mark(self.uidvalidity, max(self.uid, *uids), self.floor)


class Memory:
    """What is known of a mailbox beyond one connection; a restart may forget it."""

    def __init__(self) -> None:
        self.uidvalidity = 0
        self.read: set[int] = set()
        """Of those that are looked at again."""
        self.tries: Counter[int] = Counter()
        """How often a mail was asked for and did not come."""
        self.token_renewed = False
        """Since the last successful login."""

    def of(self, uidvalidity: int) -> "Memory":
        if uidvalidity != self.uidvalidity:
            self.uidvalidity, self.read, self.tries = uidvalidity, set(), Counter()
        return self


def parse_mark(cursor: str | None) -> Mark | None:
    if cursor is None:
        return None
    uidvalidity, uid, floor = map(int, cursor.split(":"))
    return Mark(uidvalidity, uid, floor)


async def listen(post: Post, source: ImapSource) -> None:
    """Raises Trouble, SendError, LostClaim."""
    memory: Memory = post.memory.setdefault("mailbox", Memory())
    secret = await post.parts.credentials.secret(post.mounted, source.login.credential)
    async with connected(source.server, post.settings, post.heard, source.silent_s) as client:
        await _log_in(post, source, client, secret, memory)
        selected = await client.select(source.mailbox)
        mark = parse_mark(await post.find_cursor())
        if mark is None or mark.uidvalidity != selected.uidvalidity:
            mark = await _begin(post, source, client, selected)
        post.established()
        await _Reading(post, source, client, mark, memory.of(selected.uidvalidity)).run()


async def _log_in(post: Post, source: ImapSource, client: Client, secret: str, memory: Memory) -> None:
    """A token that is refused is renewed once; a password never gets better by trying."""
    if client.is_authenticated:
        return
    try:
        if source.login.scheme == "xoauth2":
            await client.xoauth2(source.login.user, secret)
        else:
            await client.login(source.login.user, secret)
    except LoginRefused as refused:
        if source.login.scheme == "xoauth2":
            post.parts.credentials.refused(post.mounted, {source.login.credential: secret})
            if not memory.token_renewed:
                memory.token_renewed = True
                raise Trouble("token_refused", pause_s=0) from None
        raise Trouble(refused.code, post.settings.refused_pause_s) from None
    memory.token_renewed = False


async def _begin(post: Post, source: ImapSource, client: Client, selected: Selected) -> Mark:
    """Before the first mail of the last days."""
    day = (post.parts.clock.now() - timedelta(days=source.since_days)).astimezone(UTC)
    recent = await client.search("SINCE", f"{day.day}-{MONTHS[day.month - 1].capitalize()}-{day.year}")
    if recent:
        start = recent[0] - 1
    elif selected.uidnext is not None:
        start = selected.uidnext - 1
    else:
        start = max(await client.search("UID", "*"), default=0)
    mark = Mark(selected.uidvalidity, start, start)
    await post.deliver([], str(mark))
    return mark


class _Reading:
    def __init__(self, post: Post, source: ImapSource, client: Client, mark: Mark, memory: Memory) -> None:
        self._post, self._source, self._client = post, source, client
        self._mark, self._memory = mark, memory

    async def run(self) -> None:
        source = self._source
        # Looked at all the same now and then: that is also how a dead connection shows.
        wait_s = min(source.idle_renew_s, source.poll_s, source.silent_s / 2)
        while True:
            self._client.news.clear()
            found = await self._scan()
            if not found and not self._client.news.is_set():
                await self._wait(wait_s)

    async def _wait(self, wait_s: float) -> None:
        if not (self._client.can_idle and await self._client.idle(wait_s)):
            await asyncio.sleep(wait_s)

    async def _scan(self) -> bool:
        """Reads all that is there by now. Whether there was anything."""
        await self._client.noop()
        low = max(self._mark.floor, self._mark.uid - self._post.settings.rescan_uids) + 1
        self._memory.read = {uid for uid in self._memory.read if uid >= low}
        # `n:*` names at least the last mail, however small its UID.
        shown = [uid for uid in await self._client.search("UID", f"{low}:*") if uid >= low]
        new = [uid for uid in shown if uid not in self._memory.read]
        for start in range(0, len(new), LISTED_AT_ONCE):
            uids = new[start : start + LISTED_AT_ONCE]
            for batch in self._batches(await self._client.listed(uids)):
                await self._read(batch)
            self._memory.read.update(uids)  # what was listed and is not there any more was expunged
        return bool(new)

    def _batches(self, listed: Sequence[Listed]) -> Iterator[list[Listed]]:
        """Bounded in bytes and number; what once ended the connection goes alone."""
        batch: list[Listed] = []
        size = 0
        for one in listed:
            suspect = self._memory.tries[one.uid] > 0
            full = len(batch) >= self._post.settings.batch_messages
            if batch and (suspect or full or size + self._weight(one) > self._post.settings.batch_bytes):
                yield batch
                batch, size = [], 0
            batch.append(one)
            size += self._weight(one)
            if suspect:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _weight(self, one: Listed) -> int:
        return self._post.settings.header_bytes if self._is_large(one) else one.size

    def _is_large(self, one: Listed) -> bool:
        return one.size > self._source.max_message_bytes

    async def _read(self, batch: Sequence[Listed]) -> None:
        """Fetched, kept, and only then passed."""
        raws: list[RawInbound] = []
        for part in ([one for one in batch if not self._is_large(one)], [one for one in batch if self._is_large(one)]):
            raws += await self._fetched(part)
        uids = [one.uid for one in batch]
        mark = self._mark.past(uids)
        await self._post.deliver(_in_order(raws), str(mark))
        self._mark = mark
        self._memory.read.update(uids)

    async def _fetched(self, part: Sequence[Listed]) -> list[RawInbound]:
        """What the server gives of them. One that is gone gives nothing."""
        if not part:
            return []
        tries = max(self._memory.tries[one.uid] for one in part)
        self._memory.tries.update(one.uid for one in part)
        large = self._is_large(part[0])
        bodies = None
        if not large and tries < HEADER_AFTER:
            bodies = await self._client.bodies([one.uid for one in part])
            if bodies is None and len(part) > 1:
                return [raw for one in part for raw in await self._fetched([one])]
        whole = bodies is not None
        if bodies is None and tries < NOTHING_AFTER:
            bodies = await self._client.bodies([one.uid for one in part], "HEADER")
        if bodies is None:
            bodies = {one.uid: b"" for one in part}
        for one in part:
            del self._memory.tries[one.uid]
        return [self._raw(one, bodies[one.uid], whole) for one in part if one.uid in bodies]

    def _raw(self, one: Listed, body: bytes, whole: bool) -> RawInbound:
        headers = {"x-mailbox": self._source.mailbox}
        if one.date is not None:
            headers["x-internal-date"] = _rfc3339(one.date)
        if not whole or len(body) > self._source.max_message_bytes:
            headers["x-full-size"] = str(max(one.size, len(body)))
            body = _header(body, self._post.settings.header_bytes)
        path = f"/{self._mark.uidvalidity}/{one.uid}"
        return self._post.raw("dialled", body, method="MAIL", path=path, headers=headers)


def _in_order(raws: Sequence[RawInbound]) -> list[RawInbound]:
    return sorted(raws, key=lambda raw: int(raw.path.rpartition("/")[2]))


def _header(body: bytes, most: int) -> bytes:
    end = body.find(END_OF_HEADER, 0, most)
    return body[: most if end < 0 else end + len(END_OF_HEADER)]


def _rfc3339(date: datetime) -> str:
    return date.astimezone(UTC).isoformat().replace("+00:00", "Z")
