"""The sandbox's page and the shop's page inside of it: plain files, served as they are.

Rule: nothing comes from elsewhere, and the browser is told so.
"""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
SCRIPTS = (
    "base.js", "call.js", "chat.js", "counter.js", "drawer.js", "follow.js", "lines.js", "mailbox.js", "people.js",
    "phone.js", "pictures.js", "sandbox.js", "threads.js",
)  # fmt: skip
FILES: Mapping[str, str] = {
    **dict.fromkeys(SCRIPTS, "text/javascript"),
    **dict.fromkeys(("places.css", "sandbox.css", "shop.css"), "text/css"),
    "icon.svg": "image/svg+xml",
}
"""What is served besides the two pages, by its name."""
# The widget brings its styles with it, in its shadow root.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self' ws: wss:; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def pages() -> list[web.RouteDef]:
    return [
        web.get("/", home),
        web.get("/sandbox", index),
        web.get("/sandbox/", home),
        web.get("/sandbox/shop", shop),
        web.get("/sandbox/static/{name}", static),
    ]


async def home(request: web.Request) -> web.StreamResponse:
    # For now: what a browser keeps for good would lead there whatever is served on this port tomorrow.
    raise web.HTTPFound("/sandbox")


async def index(request: web.Request) -> web.Response:
    return _file("index.html", "text/html")


async def shop(request: web.Request) -> web.Response:
    return _file("shop.html", "text/html")


async def static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    return _file(name, FILES[name])


def _file(name: str, mime: str) -> web.Response:
    return web.Response(body=(FOLDER / name).read_bytes(), content_type=mime, charset="utf-8", headers=HEADERS)
