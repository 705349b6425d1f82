"""The server's side of the web chat wire, in memory, for the widget's browser tests: it does what a test tells it to.

Rule: it keeps what the widget may rely on (order, seq, idempotency by cid, replay) and nothing more; it proves nothing
about the gateway.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

WIDGET = Path(__file__).parents[2] / "gateway" / "widget" / "widget.js"
TS = "2026-11-22T18:00:00Z"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
}

PATIENCE_S = 40

Frame = dict[str, Any]


class Session:
    """One visitor: what he may see, numbered from one, and his open sockets."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.token = f"wst_{name}"
        self.frames: list[Frame] = []
        self.stored: dict[str, Frame] = {}
        self.sockets: list[web.WebSocketResponse] = []
        self.user: str | None = None

    def add(self, frame: Frame) -> Frame:
        frame = {**frame, "seq": len(self.frames) + 1, "ts": frame.get("ts", TS)}
        self.frames.append(frame)
        return frame


class Peer:
    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.heard: list[Frame] = []
        self.asked: list[Frame] = []
        self.dials: list[Frame] = []
        self.uploads: list[str] = []
        self.news = asyncio.Condition()
        self.ids = itertools.count(1)
        self.page_csp = ""
        self.scripts: dict[str, str] = {}
        # what a test may ask for
        self.mute_acks = False
        self.deaf = False
        self.lose: Callable[[Frame], bool] = lambda frame: False
        self.nack: Callable[[Frame], Frame | None] = lambda frame: None
        self.session_status: int | None = None
        self.gate = asyncio.Event()  # sessions and uploads wait for it
        self.gate.set()
        self.upload_status = 201
        self.hello_close: list[int] = []
        self.oldest = 1
        self.ui: Frame = {}

    # -- what tests do

    @property
    def session(self) -> Session:
        return list(self.sessions.values())[-1]

    async def told(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, ready: Callable[[], object]) -> None:
        async with self.news, asyncio.timeout(PATIENCE_S):
            await self.news.wait_for(ready)

    async def until_heard(self, kind: str, count: int = 1) -> list[Frame]:
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.heard if frame["t"] == kind]

    async def say(self, text: str, **facts: Any) -> Frame:
        return await self.show("text", {"text": text}, **facts)

    async def show(self, type_: str, content: Frame, **facts: Any) -> Frame:
        sender = facts.pop("sender", {"kind": "bot"})
        frame = {"t": "msg", "id": f"m{next(self.ids)}", "from": sender, "type": type_, "content": content, **facts}
        return await self.record(frame)

    async def record(self, frame: Frame) -> Frame:
        """Gives it the next number, and sends it to every socket."""
        frame = self.session.add(frame)
        await self.push(frame)
        return frame

    async def push(self, frame: Frame) -> None:
        for socket in list(self.session.sockets):
            if not self.lose(frame):
                await socket.send_str(json.dumps(frame))

    async def drop(self, code: int = 1001) -> None:
        for session in self.sessions.values():
            sockets, session.sockets = session.sockets, []
            for socket in sockets:
                await socket.close(code=code)

    # -- HTTP

    def app(self) -> web.Application:
        app = web.Application(client_max_size=30_000_000)
        hooks = "/hooks/site"
        app.router.add_route("OPTIONS", "/{any:.*}", self.preflight)
        app.router.add_get("/", self.page)
        app.router.add_get("/widget.js", self.script)
        app.router.add_get("/page.js", self.page_script)
        app.router.add_post(f"{hooks}/session", self.open_session)
        app.router.add_delete(f"{hooks}/session", self.end_session)
        app.router.add_get(f"{hooks}/history", self.history)
        app.router.add_post(f"{hooks}/uploads", self.upload)
        app.router.add_get("/live/site", self.live)
        return app

    async def preflight(self, request: web.Request) -> web.Response:
        return web.Response(status=204, headers=CORS)

    async def page(self, request: web.Request) -> web.Response:
        """A customer's site. Its policy forbids inline script and style, and every sink that parses HTML."""
        port = request.url.port
        data = "".join(f' data-{name}="{escape(value)}"' for name, value in request.query.items() if name != "name")
        body = (
            f'<!doctype html><html lang="en"><title>{escape(request.query.get("name", "A shop"))}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<body><h1>A shop</h1><button>Buy</button><script src="/page.js"></script>'
            f'<script src="http://127.0.0.1:{port}/widget.js" data-endpoint="site"{data} async></script></body></html>'
        )
        hosts = f"http://127.0.0.1:{port} ws://127.0.0.1:{port}"
        policy = (
            f"default-src 'none'; script-src 'self' http://127.0.0.1:{port}; connect-src {hosts};"
            f" img-src blob: data: {hosts}; require-trusted-types-for 'script'; trusted-types 'none'"
        )
        return web.Response(text=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def page_script(self, request: web.Request) -> web.Response:
        """Notes whatever would show that a text was executed or broke the page's policy."""
        note = (
            "window.broken = []; window.alert = (x) => broken.push(`alert ${x}`);"
            # pictures may be named from anywhere; here they are not fetched
            "addEventListener('securitypolicyviolation', (e) => e.violatedDirective === 'img-src' ||"
            " broken.push(`policy ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));"
            "addEventListener('error', (e) => broken.push(`error ${e.message}`));"
            "addEventListener('unhandledrejection', (e) => broken.push(`rejection ${e.reason}`));"
        )
        return web.Response(text=note, content_type="text/javascript")

    async def script(self, request: web.Request) -> web.Response:
        return web.Response(text=WIDGET.read_text(), content_type="text/javascript", headers=CORS)

    def bearer(self, request: web.Request) -> Session:
        session = self.sessions.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if session is None:
            raise web.HTTPUnauthorized(headers=CORS)
        return session

    async def open_session(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        await self.told()
        await self.gate.wait()
        if self.session_status is not None:
            return web.json_response({"code": "no"}, status=self.session_status, headers=CORS)
        session = self.sessions.get(body.get("session_token", ""))
        renewed = session is not None
        jwt = body.get("identity_jwt")
        if jwt == "bad":
            return web.json_response({"code": "unauthenticated"}, status=401, headers=CORS)
        if session and jwt and session.user not in {None, jwt}:
            return web.json_response({"code": "identity_taken"}, status=409, headers=CORS)
        if session is None:
            session = Session(f"s{next(self.ids)}")
        if jwt:
            self.sessions.pop(session.token, None)
            session.user, session.token = jwt, f"wst_{session.id}_{next(self.ids)}"
        self.sessions[session.token] = session
        answer = {"session_token": session.token, "session_id": session.id, "renewed": renewed, "ui": self.ui}
        answer |= {"ws_url": str(request.url.with_scheme("ws").with_path("/live/site")), "server_time": TS}
        return web.json_response(answer, status=200 if renewed else 201, headers=CORS)

    async def end_session(self, request: web.Request) -> web.Response:
        session = self.bearer(request)
        del self.sessions[session.token]
        await self.told()
        for socket in session.sockets:
            await socket.close(code=4410)
        return web.Response(status=204, headers=CORS)

    async def history(self, request: web.Request) -> web.Response:
        session = self.bearer(request)
        before = int(request.query.get("before", len(session.frames) + 1))
        shown = session.frames[: before - 1]
        limit = int(request.query["limit"])
        page = {"messages": shown[::-1][:limit], "has_more": len(shown) > limit, "seq": len(session.frames)}
        return web.json_response(page, headers=CORS)

    async def upload(self, request: web.Request) -> web.Response:
        self.bearer(request)
        field = (await request.post())["file"]
        assert isinstance(field, web.FileField)
        self.uploads.append(field.filename)
        await self.told()
        await self.gate.wait()
        name, made = field.filename, f"att{next(self.ids)}-{field.filename}"
        facts = {"attachment_id": made, "name": name, "size": 1, "mime": field.content_type}
        return web.json_response(facts, status=self.upload_status, headers=CORS)

    # -- the socket

    async def live(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hello = await socket.receive_json()
        self.dials.append(hello)
        session = self.sessions.get(hello["token"])
        await self.told()
        if self.hello_close:
            await socket.close(code=self.hello_close.pop(0))
        elif session is None:
            await socket.close(code=4401)
        else:
            await self.serve(socket, session, hello.get("resume_from", 0))
        return socket

    async def serve(self, socket: web.WebSocketResponse, session: Session, after: int) -> None:
        ready = {"t": "ready", "session_id": session.id, "seq": len(session.frames), "oldest": self.oldest}
        await socket.send_json({**ready, "server_time": TS})
        for frame in session.frames[max(after, self.oldest - 1) :]:
            await socket.send_json(frame)
        await socket.send_json({"t": "synced", "seq": len(session.frames)})
        session.sockets.append(socket)
        await self.told()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self.hear(socket, session, json.loads(message.data))
        if socket in session.sockets:
            session.sockets.remove(socket)
        await self.told()

    async def hear(self, socket: web.WebSocketResponse, session: Session, frame: Frame) -> None:
        self.heard.append(frame)
        if frame["t"] == "ping" and not self.deaf:
            await socket.send_json({"t": "pong"})
        if frame["t"] == "msg":
            await self.store(socket, session, frame)
        await self.told()

    async def store(self, socket: web.WebSocketResponse, session: Session, frame: Frame) -> None:
        cid = frame["cid"]
        refusal = self.nack(frame)
        if refusal is not None:
            await socket.send_json({"t": "nack", "cid": cid, **refusal})
            return
        known = session.stored.get(cid)
        if known is None:
            own = {"t": "msg", "id": f"m{next(self.ids)}", "cid": cid, "from": {"kind": "visitor"}, **content_of(frame)}
            known = session.stored[cid] = session.add(own)
            dup = False
            for other in session.sockets:
                await other.send_json(known)
        else:
            dup = True
        if not self.mute_acks:
            ack = {"t": "ack", "cid": cid, "id": known["id"], "seq": known["seq"], "ts": TS, "dup": dup}
            await socket.send_json(ack)


def content_of(frame: Frame) -> Frame:
    match frame["type"]:
        case "text":
            return {"type": "text", "content": {"text": frame["text"]}}
        case "reply":
            reply = frame["reply"]
            return {"type": "reply", "content": {"id": reply["id"], "title": reply["title"]}, "reply_to": reply["to"]}
        case other:
            assert other == "file", other
            name = frame["attachment_id"].split("-", 1)[1]
            return {"type": "image" if name.endswith(".png") else "document", "content": {"name": name, "size": 3000}}
