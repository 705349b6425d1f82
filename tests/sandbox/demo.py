"""A demo in this process, on a free port, with its rooms running; and a client that waits for what it wants to see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from msgspec.structs import replace

from gateway.app import House, serving
from gateway.sandbox import attach, demo_config
from tests import servers

LIMIT_S = 60
PATIENT = {
    "write_timeout_ms": 20_000, "call_outcome_ms": 5_000, "frame_outcome_ms": 5_000, "drain_timeout_ms": 60_000
}  # fmt: skip
"""A machine that others keep busy is not what a test asks about. Outcomes end sooner: what comes at the end of a test,
when the rooms have stopped, waits for one.
"""
ANA = "351912345678"


class Demo:
    def __init__(self, session: aiohttp.ClientSession, url: str, house: House | None = None) -> None:
        self.session, self.url = session, url
        self._house = house
        self.token = ""

    @property
    def house(self) -> House:
        assert self._house is not None, "it runs in another process"
        return self._house

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """The status and the decoded answer."""
        async with self.session.request(method, self.url + path, json=body, **more) as answer:
            is_json = answer.content_type.endswith("json")
            return answer.status, await answer.json(content_type=None) if is_json else await answer.read()

    async def get(self, path: str) -> Any:
        status, body = await self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    async def v1(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Any:
        if not self.token:
            self.token = (await self.get("/sandbox/api"))["token"]
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        status, answer = await self.ask(method, f"/v1{path}", body, headers=sent)
        assert status in (200, 201), (path, status, answer)
        return answer

    async def say(self, message: dict[str, Any], phone: str = ANA) -> str:
        status, made = await self.ask("POST", f"/sandbox/api/phones/{phone}/messages", message)
        assert status == 201, made
        return str(made["id"])

    async def until(self, wanted: Callable[[Any], Any], phone: str = ANA) -> Any:
        """The phone's screen, as soon as it shows what is wanted."""
        version = -1
        async with asyncio.timeout(LIMIT_S):
            while True:
                screen = await self.get(f"/sandbox/api/phones/{phone}?after={version}&wait_s=5")
                if wanted(screen):
                    return screen
                version = screen["version"]

    async def act(self, place: str, phone: str = ANA, **action: Any) -> str:
        """What a customer does at a place, by its id."""
        status, made = await self.ask("POST", f"/sandbox/api/places/{place}/people/{phone}", action)
        assert status == 201, made
        return str(made["id"])

    async def upload(self, place: str, data: bytes, mime: str, phone: str = ANA, **facts: str) -> str:
        path = f"{self.url}/sandbox/api/places/{place}/people/{phone}/files"
        async with self.session.post(path, data=data, params=facts, headers={"Content-Type": mime}) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["id"])

    async def see(self, place: str, wanted: Callable[[Any], Any], phone: str = ANA) -> Any:
        """What the customer sees there, as soon as it is what is wanted."""
        version = -1
        async with asyncio.timeout(LIMIT_S):
            while True:
                path = f"/sandbox/api/places/{place}/people/{phone}?after={version}&wait_s=0.5"
                screen = await self.get(path)
                if wanted(screen):
                    return screen
                version = screen["version"]

    async def switch(self, place: str, **wanted: Any) -> Any:
        status, switches = await self.ask("PATCH", f"/sandbox/api/places/{place}/switches", wanted)
        assert status == 200, switches
        return switches

    async def conversation(self, address: str) -> Any:
        """The one that has a leg at this address, as soon as there is one."""
        version = -1
        async with asyncio.timeout(LIMIT_S):
            while True:
                for item in (await self.v1("/conversations"))["items"]:
                    detail = await self.v1(f"/conversations/{item['id']}")
                    if any(leg["address"] == address for leg in detail["legs"]):
                        return detail
                version = (await self.get(f"/sandbox/api/changes?after={version}&wait_s=0.2"))["version"]

    async def envelopes(self, wanted: Callable[[list[Any]], Any], number: int = 0) -> list[Any]:
        """Those of the newest conversation (or an older one), as soon as they are as wanted."""
        version = -1
        async with asyncio.timeout(LIMIT_S):
            while True:
                version = (await self.get(f"/sandbox/api/changes?after={version}&wait_s=0.2"))["version"]
                items = (await self.v1("/conversations"))["items"]
                if len(items) <= number:
                    continue
                found: list[Any] = (await self.v1(f"/conversations/{items[number]['id']}/envelopes"))["items"]
                if wanted(found):
                    return found


@asynccontextmanager
async def demo(folder: Path, **environ: str) -> AsyncIterator[Demo]:
    # Its ports are looked for before they are listened on: meanwhile another test must not get them.
    with patch("gateway.sandbox.demo.free_port", lambda host, wished: wished or servers.free_port()):
        config = demo_config(folder, host="127.0.0.1", port=0, environ=environ)
    config = replace(config, server=replace(config.server, **PATIENT))
    async with serving(config, extra=attach) as (house, url), aiohttp.ClientSession() as session:
        rooms = asyncio.create_task(house.rooms())
        try:
            yield Demo(session, url, house)
        finally:
            house.processor.stop()
            house.performer.stop()
            await rooms


def texts(screen: Any, *, mine: bool = False) -> list[str]:
    return [one["content"].get("text", one["content"]["kind"]) for one in screen["messages"] if one["mine"] == mine]


def said(envelopes: list[Any]) -> list[dict[str, Any]]:
    """The first part of every message among them."""
    return [one["body"]["parts"][0] for one in envelopes if one["body"]["kind"] == "message"]
