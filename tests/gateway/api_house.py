"""A gateway for the API's tests: the real composition on a frozen clock, one channel whose provider is a fake on
loopback, and a client that holds every answer to the OpenAPI document.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient, TestServer
from jsonschema import Draft202012Validator

from adapters.base import Outcome, Placed, RawInbound
from gateway.api import openapi
from gateway.api.operations import OPERATIONS
from gateway.app import House, open_house
from gateway.clock import FrozenClock
from gateway.config import build
from gateway.core import Core
from gateway.security import Scope
from gateway.settings import Config
from gateway.store import keys, people
from gateway.web import make_app
from normalizer.envelope import Evidence
from normalizer.identity import Merge
from normalizer.ids import ContactId, EndpointId
from tests.gateway.provider import Answer, Provider
from tests.gateway.settings_kit import KEY

ENDPOINT = "wa"
NUMBER = "106540352242922"
CUSTOMER = "16505551234"
OTHER = "4915112345678"
ANNA = "agent-anna"
PATIENCE_MS = 20_000
"""No test waits for time to pass, only for what must come; this is when it gives up."""
SENT = Answer(body=b'{"messaging_product":"whatsapp","contacts":[{"wa_id":"1"}],"messages":[{"id":"wamid.out"}]}')


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


class ApiHouse:
    def __init__(self, house: House, client: TestClient[Any, Any], clock: FrozenClock, provider: Provider) -> None:
        self.house, self.client, self.clock, self.provider = house, client, clock, provider
        self.tokens: dict[Scope, str] = {}
        self._rooms: asyncio.Task[None] | None = None
        self._wamids = 0

    @property
    def core(self) -> Core:
        return self.house.core

    # --- the rooms ----------------------------------------------------------------------------------------------------

    def start_room_2(self) -> None:
        """Without it what enters stays where it is."""
        self._rooms = asyncio.create_task(self.house.processor.run(), name="process")

    async def stop_room_2(self) -> None:
        if self._rooms is not None:
            self.house.processor.stop()
            await self._rooms
            self._rooms = None

    async def writes(self, text: str, sender: str = CUSTOMER) -> str:
        """A customer's message is in; its conversation."""
        self._wamids += 1
        return (await self.delivers(text_message(text, sender, f"wamid.{self._wamids}"))).conversation_id or ""

    async def delivers(self, value: Mapping[str, Any]) -> Placed:
        """The provider delivers a message, and room 2 has done it."""
        return (await self.takes(value)).placed[0]

    async def takes(self, value: Mapping[str, Any]) -> Outcome:
        outcome = await self.core.receiver.receive(self.raw(value), outcome_ms=PATIENCE_MS)
        assert outcome is not None, "room 2 is not running"
        assert outcome.error is None
        return outcome

    def raw(self, value: Mapping[str, Any]) -> RawInbound:
        metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
        body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
        return RawInbound(id=self.core.ids.uuid(), endpoint_id=EndpointId(ENDPOINT), origin="webhook",
                          received_at=self.clock.now(), body=json.dumps(body).encode())  # fmt: skip

    # --- the API ------------------------------------------------------------------------------------------------------

    async def token(self, scope: Scope) -> str:
        if scope not in self.tokens:
            from gateway.operator import new_key

            text, record = new_key(self.core.ids, self.clock.now(), f"test {scope.name}", scope)
            await self.core.store.write(lambda tx: keys.add(tx, record))
            self.tokens[scope] = text
        return self.tokens[scope]

    async def call(self, method: str, path: str, *, scope: Scope | None = Scope.ADMIN, token: str | None = None,
                   headers: Mapping[str, str] | None = None, body: Any = None,
                   data: bytes | None = None) -> Got:  # fmt: skip
        sent = dict(headers or {})
        if token is not None or scope is not None:
            sent["Authorization"] = f"Bearer {token or await self.token(scope or Scope.READ)}"
        if body is not None or data is not None:
            sent.setdefault("Content-Type", "application/json")
        content = json.dumps(body).encode() if body is not None else data
        async with self.client.request(method, path, headers=sent, data=content and BytesIO(content)) as answer:
            got = Got(answer.status, answer.headers, await answer.json(content_type=None))
            check(method, path, got, answer.content_type)
            return got

    async def get(self, path: str, **more: Any) -> Any:
        got = await self.call("GET", path, **more)
        assert got.status == 200, got
        return got.body

    async def says(self, conversation: str, text: str | None = "hello", *, key: str = "k1", **more: Any) -> Got:
        """An agent answers."""
        return await self.call("POST", f"/v1/conversations/{conversation}/messages", headers={"Idempotency-Key": key},
                               body={"agent_id": ANNA, "text": text} | more)  # fmt: skip

    async def gives(self, conversation: str, key: str | None = None, **body: Any) -> Got:
        """Somebody else must answer from now on."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.call("PUT", f"/v1/conversations/{conversation}/holder", headers=headers, body=body)


def text_message(text: str, sender: str, wamid: str) -> dict[str, Any]:
    return {
        "contacts": [{"profile": {"name": "Jo"}, "wa_id": sender}],
        "messages": [{"from": sender, "id": wamid, "timestamp": "1767323045", "type": "text", "text": {"body": text}}],
    }


def config(folder: Path, graph_url: str, **sections: Any) -> Config:
    endpoint = {
        "type": "whatsapp", "phone_number_id": NUMBER, "access_token": "t" * 20, "app_secrets": ["s" * 20],
        "verify_token": "v" * 20, "graph_url": graph_url,
    }  # fmt: skip
    tree: dict[str, Any] = {
        "key": KEY,
        "server": {"port": 0, "call_outcome_ms": PATIENCE_MS, "write_timeout_ms": PATIENCE_MS},
        "store": {"data_dir": str(folder)},
        "media": {"min_free_bytes": 0, "media_min_free_bytes": 0},
        "rooms": {"process_gather_ms": 0},  # the clock stands still
        "ai": {"engine": "echo"},
        "policy": {"mark_read": False},
        "endpoints": {ENDPOINT: endpoint},
    }
    merged = {name: {**tree.get(name, {}), **section} for name, section in sections.items()}
    return build(tree | merged, folder, {})


@asynccontextmanager
async def running(folder: Path, **sections: Any) -> AsyncIterator[ApiHouse]:
    clock = FrozenClock()
    async with Provider(usual=SENT) as provider:
        made = config(folder, provider.url("").rstrip("/"), **sections)
        async with open_house(made, clock=clock) as house:
            await house.prepare()
            async with TestClient(TestServer(make_app(house.core))) as client:
                place = ApiHouse(house, client, clock, provider)
                place.start_room_2()
                try:
                    yield place
                finally:
                    await place.stop_room_2()


# --- every answer is as documented ----------------------------------------------------------------------------------


@cache
def document() -> dict[str, Any]:
    """Stricter than what is published: what an answer holds must be written down."""
    made = openapi()
    for schema in made["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return made


@cache
def validator(pointer: str) -> Draft202012Validator:
    schema: Any = document()
    for step in pointer.split(" "):
        schema = schema[step]
    return Draft202012Validator({**schema, "components": document()["components"]})


def check(method: str, path: str, got: Got, content_type: str) -> None:
    for one in OPERATIONS:
        pattern = re.sub(r"\{\w+\}", "[^/]+", one.path)
        if one.method == method and re.fullmatch(pattern, path.partition("?")[0]):
            answers = document()["paths"][one.path][method.lower()]["responses"]
            assert str(got.status) in answers, f"{method} {one.path} may not answer {got.status}: {got.body}"
            assert content_type in answers[str(got.status)]["content"]
            place = f"paths {one.path} {method.lower()} responses {got.status} content {content_type} schema"
            validator(place).validate(got.body)
            if got.status >= 400:
                codes = answers[str(got.status)]["description"]
                assert f"`{got.body['type'].removeprefix('urn:throughline:')}`" in codes


async def linked(place: ApiHouse) -> tuple[str, str, str, str]:
    """Two contacts of one person: parent and child, and their conversations."""
    ids = [await place.writes("hello"), await place.writes("hello", OTHER)]
    parent, child = [(await place.get(f"/v1/conversations/{id}"))["contact_id"] for id in ids]
    merge = Merge(ContactId(child), ContactId(parent), Evidence.VERIFIED, "one token for both")
    assert await place.core.store.write(lambda tx: people.link(tx, merge, tx.now()))
    return parent, child, *ids
