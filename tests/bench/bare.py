"""What the ratios are of: aiohttp on uvloop that reads a body and answers 200, and nothing else."""

import sys

import uvloop
from aiohttp import web


async def hook(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


async def main() -> None:
    import asyncio

    app = web.Application(client_max_size=4_194_304)
    app.router.add_route("*", "/hooks/{endpoint_id}{tail:(/.*)?}", hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
