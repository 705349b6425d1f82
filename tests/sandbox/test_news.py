"""Who waits for news gets them."""

from __future__ import annotations

import asyncio

from gateway.sandbox.news import News, within


async def test_a_change_ends_the_waiting_and_rings() -> None:
    news = News()
    bell = news.bell()
    waiting = asyncio.create_task(news.wait(news.version, 20))
    await asyncio.sleep(0)
    news.changed()
    assert (await waiting, await bell.wait(0)) == (2, True)


async def test_what_is_only_seen_makes_nothing_due() -> None:
    news = News()
    bell = news.bell()
    news.seen()
    assert (news.version, await bell.wait(0)) == (2, False)


async def test_an_older_version_does_not_wait_and_a_stop_ends_it() -> None:
    news = News()
    assert await news.wait(0, 20) == 1
    waiting = asyncio.create_task(news.wait(1, 20))
    await asyncio.sleep(0)
    news.stop()
    assert await waiting == 1
    await news.pause(20)
    assert await news.wait(1, 20) == 1


async def test_waiting_ends_with_its_time() -> None:
    await within(asyncio.Event().wait(), 0.001)
