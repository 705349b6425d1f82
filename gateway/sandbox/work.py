"""Something that runs as long as a place is open."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from gateway.sandbox.news import News


@asynccontextmanager
async def at_work(work: Coroutine[Any, Any, None], news: News) -> AsyncIterator[None]:
    """It ends by itself once the news stop."""
    task = asyncio.create_task(work, name="sandbox")
    try:
        yield
    finally:
        news.stop()
        await task
