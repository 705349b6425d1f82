"""A source is heard by one, again and again, whatever its listener raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.base import CredentialsRefused, PullSource, Throttled, Unavailable
from gateway.listen.base import Post, Trouble
from gateway.listen.keeper import MOST_S, Keeper, Listen
from gateway.store import cursors
from gateway.store.cursors import SourceRow
from gateway.store.intake import LostClaim
from gateway.store.store import StoreUnavailable
from tests.gateway.listen.kit import Stage, until

SOURCE = PullSource(name="missed")


class Heard:
    """A listener that does as it is told: raises what is next, or waits when there is nothing more."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.ends = list(ends)
        self.posts: list[Post] = []
        self.running = 0

    async def __call__(self, post: Post) -> None:
        self.posts.append(post)
        self.running += 1
        try:
            if not self.ends:
                post.established()
                await asyncio.Event().wait()
            end = self.ends.pop(0)
            if end is not None:
                raise end
        finally:
            self.running -= 1


@asynccontextmanager
async def keeping(stage: Stage, listen: Listen, owner: int = 0) -> AsyncIterator[Keeper]:
    stage.lives = owner
    keeper = Keeper(stage.parts, stage.mounted(SOURCE), SOURCE, listen)
    running = asyncio.create_task(keeper.run())
    try:
        yield keeper
        if running.done():
            running.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def row(stage: Stage) -> SourceRow:
    (found,) = await stage.store.read(cursors.every)
    return found


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Trouble("bye"), "bye"),
        (None, "ended"),
        (Unavailable("busy"), "unavailable"),
        (ZeroDivisionError(), "defect"),
        (TimeoutError(), "defect"),
    ],
)
async def test_whatever_ends_a_session_the_next_one_begins(stage: Stage, end: Exception | None, code: str) -> None:
    troubles: list[str | None] = []
    listen = Heard(end, end)

    async def watched(post: Post) -> None:
        troubles.append(post.trouble)
        await listen(post)

    async with keeping(stage, watched):
        await until(lambda: listen.running == 1 and len(listen.posts) == 3)
        assert listen.posts[0].trouble is None
    assert troubles == [None, code, code]


@pytest.mark.parametrize(
    ("end", "pause"),
    [
        (Trouble("x", pause_s=7), 7),
        (CredentialsRefused("x"), 300),
        (Throttled("x", retry_after_s=11), 11),
        (Throttled("x", retry_after_s=10**9), MOST_S),
        (Throttled("x", retry_after_s=-5), 0),
        (Throttled("x"), None),
        (Trouble("x"), None),
    ],
)
async def test_how_long_it_waits_after_what(stage: Stage, end: Exception, pause: float | None) -> None:
    keeper = Keeper(stage.parts, stage.mounted(SOURCE), SOURCE, Heard(end))
    trouble = await keeper.session(await stage.post(stage.mounted(SOURCE), "missed"))
    assert trouble.pause_s == pause


async def test_pauses_grow_until_it_was_heard_again(stage: Stage) -> None:
    stage.set(retry_base_ms=4, retry_max_ms=16)
    counted: list[int] = []

    def pause(self: Post, failures: int) -> float:
        counted.append(failures)
        return 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Post, "pause_s", pause)
        bad = Trouble("x")

        async def well_at_last(post: Post) -> None:
            if len(counted) == 3:
                post.established()
            if len(counted) < 5:
                raise bad
            await asyncio.Event().wait()

        async with keeping(stage, well_at_last):
            await until(lambda: len(counted) == 5)
    assert counted == [1, 2, 3, 1, 2]


async def test_one_node_listens_and_another_takes_its_place(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it has stood still for longer than its lease, and renewed nothing."""
    first, second = Heard(), Heard()
    stage.set(lease_ms=30)
    async with keeping(stage, first, 1):
        await until(lambda: first.running)
        async with keeping(stage, second, 2):
            await until(lambda: len(first.posts) == 1)
            assert not second.posts
            with monkeypatch.context() as standing_still:
                standing_still.setattr(cursors, "renew", lambda *_: None)
                stage.clock.advance(1)
                await until(lambda: second.running)
            await until(lambda: not first.running)
    assert (await row(stage)).leased_until == 0


async def test_a_stop_gives_the_lease_back(stage: Stage) -> None:
    async with keeping(stage, listen := Heard()):
        await until(lambda: listen.running)
        assert (await row(stage)).owner == "node-0"
    assert ((await row(stage)).owner, listen.running) == (None, 0)
    async with keeping(stage, again := Heard(), 2):
        await until(lambda: again.running)


async def test_renewals_tell_when_it_was_heard_and_what_is_wrong(stage: Stage) -> None:
    stage.set(lease_ms=30)
    async with keeping(stage, listen := Heard()) as keeper:
        await until(lambda: listen.running)
        assert keeper.post is not None
        stage.clock.advance(5)
        keeper.post.heard()
        keeper.post.trouble = "bye"
        now = stage.store.now()
        await _until_row(stage, lambda one: (one.heard_at, one.trouble) == (now, "bye"))
        assert (await row(stage)).leased_until == now + 30


async def _until_row(stage: Stage, done: Callable[[SourceRow], bool]) -> None:
    async with asyncio.timeout(20):
        while not done(await row(stage)):  # noqa: ASYNC110  because the store has no event
            await asyncio.sleep(0.002)


async def test_who_lost_the_source_stops_listening_and_asks_for_it_again(stage: Stage) -> None:
    stage.set(lease_ms=30)
    listen = Heard(LostClaim("another has it"))
    async with keeping(stage, listen):
        await until(lambda: len(listen.posts) == 2)
        assert listen.posts[0].lease.epoch < listen.posts[1].lease.epoch


async def test_a_store_in_trouble_does_not_stop_a_listener(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes is fenced; whether it may still listen is asked again and again."""
    stage.set(lease_ms=30)
    asked = 0

    def renew(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise StoreUnavailable("as the test wants it")

    monkeypatch.setattr(cursors, "renew", renew)
    async with keeping(stage, listen := Heard()):
        await until(lambda: asked > 2)
        assert (listen.running, len(listen.posts)) == (1, 1)
