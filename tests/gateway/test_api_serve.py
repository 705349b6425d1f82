"""What holds for every operation: keys and scopes, bodies, problems, and a document that says all of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.api import openapi, routes
from gateway.api.operations import OPERATIONS
from gateway.api.problems import CODES
from gateway.operator import new_key
from gateway.security import Scope, TokenRecord
from gateway.store import keys
from gateway.store.store import StoreUnavailable
from gateway.store.tx import Tx
from tests.gateway.api_house import ApiHouse, running

SCOPES = {None: 0, Scope.READ: 1, Scope.WRITE: 2, Scope.ADMIN: 3}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path, api={"key_cache_ms": 3_000, "key_cache_size": 2}) as made:
        yield made


def some(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
async def test_an_operation_is_open_to_its_scope_and_those_above(place: ApiHouse, operation: Any) -> None:
    for scope, rank in SCOPES.items():
        got = await place.call(operation.method, some(operation.path), scope=scope, data=b"")
        if scope is None:
            assert (got.status, got.headers["WWW-Authenticate"]) == (401, 'Bearer realm="throughline"')
        elif rank < operation.scope:
            assert got.status == 403
            name = operation.scope.name.lower()
            assert got.headers["WWW-Authenticate"].endswith(f'error="insufficient_scope", scope="{name}"')
        else:
            assert got.status not in (401, 403)


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Basic dGw6eA==", "Bearer tl_aaaa_bbbb", "Bearer "])
async def test_what_is_no_key_of_ours_opens_nothing(place: ApiHouse, authorization: str) -> None:
    got = await place.call("GET", "/v1/queues", scope=None, headers={"Authorization": authorization})
    assert got.status == 401


async def test_the_secret_counts_and_not_the_id(place: ApiHouse) -> None:
    token = await place.token(Scope.READ)
    got = await place.call("GET", "/v1/queues", token=token[:-1] + ("a" if token[-1] != "a" else "b"))
    assert (got.status, got.headers["WWW-Authenticate"]) == (401, 'Bearer realm="throughline", error="invalid_token"')


async def test_a_revoked_key_is_refused_within_seconds(place: ApiHouse) -> None:
    token = await place.token(Scope.READ)
    assert (await place.call("GET", "/v1/queues", token=token)).status == 200
    id = token.split("_")[1]
    assert await place.core.store.write(lambda tx: keys.revoke(tx, id))
    place.clock.advance(3)
    assert (await place.call("GET", "/v1/queues", token=token)).status == 401


async def test_an_expired_key_is_refused_at_once(place: ApiHouse) -> None:
    now = place.clock.now()
    token, record = new_key(place.core.ids, now, "short", Scope.READ, now + timedelta(seconds=1))
    await place.core.store.write(lambda tx: keys.add(tx, record))
    assert (await place.call("GET", "/v1/queues", token=token)).status == 200
    place.clock.advance(1)
    assert (await place.call("GET", "/v1/queues", token=token)).status == 401


async def test_a_key_is_looked_up_once_in_a_while(place: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = keys.get

    def counted(tx: Tx, id: str) -> TokenRecord | None:
        asked.append(id)
        return real(tx, id)

    monkeypatch.setattr(keys, "get", counted)
    token = await place.token(Scope.READ)
    for _ in range(3):
        await place.call("GET", "/v1/queues", token=token)
    assert len(asked) == 1
    for name in ("aaaa", "bbbb", "cccc"):  # more than are remembered
        await place.call("GET", "/v1/queues", token=f"tl_{name}_secret")
    await place.call("GET", "/v1/queues", token=token)
    assert len(asked) == 5


# --- bodies and queries -------------------------------------------------------------------------------------------

HOLDER = "/v1/conversations/x/holder"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b'{"holder":"ai"', b"[" * 100_000, b'{"holder":"\\ud800","expected_epoch":1}']
)
async def test_what_is_not_the_json_that_is_wanted_is_400(place: ApiHouse, data: bytes) -> None:
    got = await place.call("PUT", HOLDER, data=data)
    assert (got.status, got.body["type"], got.body["path"][:1]) == (400, "urn:throughline:bad_request", "$")


async def test_unknown_fields_are_told_and_not_ignored(place: ApiHouse) -> None:
    got = await place.call("PUT", HOLDER, body={"holder": "ai", "expected_epoch": 1, "epoch": 2})
    assert (got.status, "epoch" in got.body["detail"]) == (400, True)


async def test_another_content_type_is_415(place: ApiHouse) -> None:
    got = await place.call("PUT", HOLDER, data=b"x=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert got.status == 415


async def test_a_body_over_the_limit_is_413(place: ApiHouse) -> None:
    got = await place.call("PUT", HOLDER, data=b" " * (place.core.config.server.max_body_bytes + 1))
    assert got.status == 413


async def test_a_body_that_does_not_come_is_408(tmp_path: Path) -> None:
    async with running(tmp_path, server={"body_timeout_ms": 1}) as place:
        token = await place.token(Scope.WRITE)
        address = place.client.server.host, place.client.server.port
        reader, writer = await asyncio.open_connection(*address)
        writer.write(
            f"PUT {HOLDER} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{".encode()
        )
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/v1/conversations?limit=0", "limit"),
        ("/v1/conversations?limit=201", "limit"),
        ("/v1/conversations?limit=ten", "limit"),
        ("/v1/conversations?holder=robot", "holder"),
        ("/v1/conversations?page=2", "$"),
        ("/v1/conversations?limit=1&limit=2", "limit"),
        ("/v1/conversations?cursor=%00", "cursor"),
        ("/v1/conversations?cursor=bm90YWN1cnNvcg", "cursor"),
        ("/v1/conversations?cursor=4pyTCnkKeA", "cursor"),
        ("/v1/dead?cursor=eAox", "cursor"),
        ("/v1/orphans?cursor=eA", "cursor"),
        ("/v1/queues?x=1", "$"),
        ("/v1/conversations/x/envelopes?after=-1", "after"),
        ("/v1/conversations/x/envelopes?after=99999999999999999999", "after"),
    ],
)
async def test_a_query_that_cannot_be_is_told_with_its_parameter(place: ApiHouse, path: str, where: str) -> None:
    got = await place.call("GET", path)
    assert (got.status, got.body["path"]) == (400, where)


# --- problems -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/conversations/a/b/c", 404),
        ("DELETE", "/v1/conversations/a", 405),
        ("POST", "/v1/openapi.json", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_too(place: ApiHouse, method: str, path: str, status: int) -> None:
    got = await place.call(method, path)
    assert (got.status, got.body["status"], got.headers["Content-Type"]) == (status, status, "application/problem+json")
    assert ("Allow" in got.headers) == (status == 405)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
async def test_database_trouble_is_503_with_a_time_to_come_back(
    place: ApiHouse, operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_call: object) -> None:
        raise StoreUnavailable("gone")

    token = await place.token(Scope.ADMIN)
    monkeypatch.setattr(place.core.store, "read", broken)
    got = await place.call(operation.method, some(operation.path), token=token, data=b"{}")
    assert (got.status, got.body["type"], got.headers["Retry-After"]) == (503, "urn:throughline:store_unavailable", "1")


async def test_a_mistake_of_ours_is_500_and_shows_nothing(place: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_call: object) -> None:
        raise RuntimeError("a secret")

    token = await place.token(Scope.ADMIN)
    await place.call("GET", "/v1/queues", token=token)
    monkeypatch.setattr(place.core.store, "read", broken)
    got = await place.call("GET", "/v1/queues", token=token)
    assert got.body == {"type": "urn:throughline:internal", "title": "A mistake of ours", "status": 500}


@pytest.mark.parametrize(("state", "code"), [("draining", "draining"), ("disk", "disk_full")])
async def test_nothing_is_taken_in_that_could_not_be_done(place: ApiHouse, state: str, code: str) -> None:
    id = await place.writes("hello")
    setattr(place.house.state, state, {"draining": True, "disk": "intake_stopped"}[state])
    got = await place.says(id)
    assert (got.status, got.body["type"], "Retry-After" in got.headers) == (503, f"urn:throughline:{code}", True)
    assert (await place.call("GET", f"/v1/conversations/{id}")).status == 200
    place.house.state.draining = False


# --- the document -------------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1() -> None:
    document = openapi()
    assert document["openapi"] == "3.1.0"
    validate(document)


async def test_every_route_is_in_the_document_and_the_reverse(place: ApiHouse) -> None:
    served = {(one.method, one.path) for one in routes(place.core)}
    everywhere = {route for route in served if route[0] == "*"}
    assert len(everywhere) == 1
    written = {(method.upper(), path) for path, item in openapi()["paths"].items() for method in item}
    assert served - everywhere == written


async def test_the_document_is_served_without_a_key(place: ApiHouse) -> None:
    got = await place.call("GET", "/v1/openapi.json", scope=None)
    assert (got.status, got.body) == (200, openapi())


def test_every_code_of_a_problem_is_used_and_the_page_names_it() -> None:
    from gateway.api.document import errors_of

    used = {code for one in OPERATIONS for code in errors_of(one)} | {"method_not_allowed", "not_found"}
    assert used == set(CODES)
    page = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    assert {code for code in CODES if f"`{code}`" not in page} == set()
    assert {one.path for one in OPERATIONS if one.path not in page} == set()


def test_query_parameters_are_described_with_their_limits() -> None:
    parameters = {one["name"]: one for one in openapi()["paths"]["/v1/conversations"]["get"]["parameters"]}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert parameters["holder"]["schema"]["enum"] == ["agent", "ai", "nobody", "queue"]
    assert not any(one["required"] for one in parameters.values())
