"""How a run is steered: its simulators answer GET /progress, POST /stop (nothing new) and POST /end (write it down)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from tests.chaos.journal import Progress


class Control:
    """The answers of one simulator. `stopping` and `ending` are what it was told."""

    def __init__(self, progress: Callable[[], Progress], write: Callable[[], None]) -> None:
        self._tell, self._write = progress, write
        self.stopping = self.ending = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/progress", self._progress)
        app.router.add_post("/stop", self._stop)
        app.router.add_post("/end", self._end)
        return app

    async def _progress(self, request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self._tell()), content_type="application/json")

    async def _stop(self, request: web.Request) -> web.Response:
        self.stopping = True
        return web.Response()

    async def _end(self, request: web.Request) -> web.Response:
        self.stopping = self.ending = True
        self._write()
        return web.Response()


async def listen(app: web.Application, port: int) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner
