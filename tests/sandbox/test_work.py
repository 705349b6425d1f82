"""What runs as long as a place is open."""

from __future__ import annotations

import pytest

from gateway.sandbox.news import News
from gateway.sandbox.work import at_work


async def test_it_ends_with_the_place() -> None:
    news, ended = News(), []

    async def work() -> None:
        await news.stopping.wait()
        ended.append(True)

    async with at_work(work(), news):
        assert ended == []
    assert ended == [True]


async def test_what_went_wrong_is_not_lost() -> None:
    async def work() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        async with at_work(work(), News()):
            pass
