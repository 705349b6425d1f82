"""Asks an adapter's `pull`: at the start, every `every_s`, and after each trouble of ours.

Rule: a page and the cursor behind it are one transaction; the next page is asked for after its commit.
"""

import asyncio

from adapters.base import Pulled, PulledItem, Pulls, PullSource, RawInbound
from gateway.listen.base import Post, Trouble


async def listen(post: Post, source: PullSource) -> None:
    """Raises SendError, Trouble, LostClaim."""
    bell = post.parts.wake.missing(post.mounted.id, source.name)
    await post.find_cursor()
    while True:
        await _ask(post, source)
        if await bell.wait(source.every_s):
            # What we could not keep may go on for a while: once in it is enough.
            await asyncio.sleep(post.pause_s(1))


async def _ask(post: Post, source: PullSource) -> None:
    """Page after page, until there is no more."""
    more = True
    while more:
        page = await _page(post, source)
        post.established()
        raws = [_raw(post, item) for item in page.items]
        if raws or page.cursor != post.cursor:
            await post.deliver(raws, page.cursor)
        elif page.more:
            raise Trouble("pull_stands_still")
        more = page.more


async def _page(post: Post, source: PullSource) -> Pulled:
    adapter: object = post.mounted.adapter
    if not hasattr(adapter, "pull"):
        raise Trouble("nothing_to_pull")
    puller: Pulls = adapter
    flow = puller.pull(source.name, post.cursor, post.context())
    return await post.parts.credentials.run(flow, post.mounted, timeout_ms=post.settings.pull_timeout_ms)


def _raw(post: Post, item: PulledItem) -> RawInbound:
    return post.raw("pulled", item.body, method=item.method, path=item.path, headers=item.headers)
