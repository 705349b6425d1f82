"""Promise 1 at the door: 2xx only for what is signed and durable; every other answer, and what it keeps."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.settings import Config
from gateway.store import intake
from normalizer.ids import EndpointId
from tests.gateway.house import Place, config, running
from tests.rooms.world import ACCOUNT, delivery, text
from tests.store.races import nobody_else_writes

SECRET = "app-secret"
ENDPOINTS: dict[str, Any] = {
    "wa": {
        "type": "whatsapp", "phone_number_id": ACCOUNT, "access_token": "token", "app_secrets": [SECRET],
        "verify_token": "verify", "graph_url": "http://127.0.0.1:9/v24.0",
    }
}  # fmt: skip
LIMIT = 3 * 2**20
BODY = delivery(text("in.1"))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with running(settings(tmp_path)) as there:
        yield there


def settings(folder: Path, **server: Any) -> Config:
    return config(folder, server={"max_body_bytes": LIMIT, **server}, sections={"endpoints": ENDPOINTS})


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


async def post(place: Place, body: bytes = BODY, path: str = "/hooks/wa", headers: dict[str, str] | None = None) -> int:
    async with place.http.post(place.url + path, data=BytesIO(body), headers=signed(body) | (headers or {})) as answer:
        await answer.read()
        return answer.status


async def kept(place: Place) -> int:
    """Rows that room 2 has not settled, and what it made of those that it has."""
    store = place.core.store
    with store.engine.connect() as connection:
        connection.execution_options(deferred=True)
        tables = ("intake", "dead", "dedupe")
        return sum(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables)


@contextmanager
def nothing_can_be_stored(place: Place) -> Iterator[None]:
    """Somebody else has the database for the length of a block, in which we soon give up."""
    with nobody_else_writes(place.core.store), pytest.MonkeyPatch.context() as soon:
        soon.setattr(place.core.store, "_timeout", 0.05)
        yield


async def test_what_is_acknowledged_is_stored(place: Place) -> None:
    assert await post(place) == 200
    assert await kept(place) == 1


async def test_nothing_is_acknowledged_while_nothing_can_be_stored(place: Place) -> None:
    """Somebody else has the database: it is 503, which the provider repeats, and never 2xx or 4xx."""
    missed = place.core.wake.missing(EndpointId("wa"), "missed")
    assert await post(place) == 200
    assert not await missed.wait(0)
    with nothing_can_be_stored(place):
        assert await post(place) == 503
    assert await missed.wait(0), "it may be pulled"


async def test_a_source_that_is_silent_is_told_of_and_takes_no_node_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def readyz() -> tuple[int, Any]:
        async with place.http.get(f"{place.url}/readyz") as answer:
            return answer.status, await answer.json()

    assert await readyz() == (200, {"status": "ready"})
    monkeypatch.setattr(type(place.house.listeners), "silent", ["wa/missed"])
    assert await readyz() == (200, {"status": "ready", "silent": ["wa/missed"]})


async def test_it_is_taken_again_when_the_trouble_is_over(place: Place) -> None:
    with nothing_can_be_stored(place):
        await post(place)
    assert await post(place) == 200


@pytest.mark.parametrize(
    "headers",
    [{"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": "é"}],
    ids=["empty", "wrong", "odd"],
)
async def test_what_is_not_signed_is_401_and_not_kept(place: Place, headers: dict[str, str]) -> None:
    assert (await post(place, headers=headers), await kept(place)) == (401, 0)


async def test_a_refusal_names_its_code_and_never_what_was_wrong_with_the_signature(place: Place) -> None:
    told = []
    for headers in ({}, {"X-Hub-Signature-256": "é"}, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, signed(b"other")):
        async with place.http.post(f"{place.url}/hooks/wa", json={}, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (401, "application/problem+json")
            told.append(await answer.json(content_type=None))
    code = {"type": "urn:throughline:unauthenticated", "title": "unauthenticated", "code": "unauthenticated"}
    assert told == [code | {"status": 401}] * 4


async def test_the_signature_is_of_the_raw_bytes(place: Place) -> None:
    headers = signed(BODY)
    async with place.http.post(f"{place.url}/hooks/wa", data=BODY + b" ", headers=headers) as answer:
        assert (answer.status, await kept(place)) == (401, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"entry":{}}'], ids=repr)
async def test_what_is_signed_but_unreadable_is_kept_and_listed(place: Place, body: bytes) -> None:
    assert await post(place, body) == 200
    async with asyncio.timeout(20):
        while await place.core.store.read(intake.depth):  # noqa: ASYNC110
            await asyncio.sleep(0)
    dead = await place.core.store.read(lambda tx: intake.list_dead(tx, 0, 9))
    assert [(one.reason, body in one.raw) for one in dead] in ([("malformed", True)], [])
    assert dead or body in (b"[]", b'{"entry":{}}')


async def test_an_adapter_that_breaks_lets_nobody_in(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(place.core.directory.endpoints["wa"].adapter, "verify", broken)  # type: ignore[index]
    assert (await post(place), await kept(place)) == (401, 0)


async def test_the_limits_of_a_request(place: Place) -> None:
    assert await post(place, b"x" * (LIMIT + 1)) == 413
    assert await post(place, headers={"Content-Type": "text/plain"}) == 415
    assert await post(place, path="/hooks/nobody") == 404
    assert await kept(place) == 0


def may_send(place: Place, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    adapter = place.core.directory.endpoints[EndpointId("wa")].adapter
    monkeypatch.setattr(adapter, "capabilities", msgspec.structs.replace(adapter.capabilities, **more))


async def test_a_channel_of_large_bodies_has_its_own_limit(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    may_send(place, monkeypatch, max_body_bytes=2 * LIMIT)
    assert await post(place, b" " * (2 * LIMIT)) == 200
    assert await post(place, b" " * (2 * LIMIT + 1)) == 413
    assert await kept(place) == 1


async def test_who_sends_large_bodies_waits_for_those_before_him(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody of them has proven who he is, and each may fill so much memory."""
    may_send(place, monkeypatch, max_body_bytes=2 * LIMIT)
    turns = place.core.large_bodies
    taken = place.core.config.server.max_large_bodies
    for _ in range(taken):
        await turns.acquire()
    late = asyncio.create_task(post(place, b" " * (2 * LIMIT)))
    assert await post(place) == 200
    assert turns.locked()
    assert not late.done()
    for _ in range(taken):
        turns.release()
    assert await late == 200


async def test_a_smaller_limit_of_a_channel_is_the_houses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    may_send(place, monkeypatch, max_body_bytes=10)
    assert await post(place, b" " * LIMIT) == 200


async def test_a_multipart_body_is_a_webhook_where_the_channel_has_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert await post(place, headers=headers) == 401
    may_send(place, monkeypatch, content_types=frozenset({"multipart/form-data"}))
    assert (await post(place, headers=headers), await kept(place)) == (200, 1)


async def test_a_slow_sender_is_cut_off(tmp_path: Path) -> None:
    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with (
        running(settings(tmp_path, body_timeout_ms=50)) as place,
        place.http.post(f"{place.url}/hooks/wa", data=drip(), headers=signed(BODY)) as answer,
    ):
        assert (answer.status, answer.headers.get("Connection")) == (408, "close")


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_on_which_no_whole_request_comes_is_closed(tmp_path: Path, begun: bytes) -> None:
    async with running(config(tmp_path, server={"idle_timeout_ms": 50})) as place, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(place.url.rpartition(":")[2]))
        writer.write(begun)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/nothing", 404, None),
        ("POST", "/v2/conversations", 404, None),
        ("GET", "/media/token-without-a-name", 404, None),
        ("POST", "/healthz", 405, "GET, HEAD"),
        ("DELETE", "/media/token/name", 405, "GET, HEAD"),
    ],
)
async def test_where_nothing_is_the_answer_is_a_problem(
    place: Place, method: str, path: str, status: int, allow: str | None
) -> None:
    async with place.http.request(method, place.url + path) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")
        assert answer.headers.get("Allow") == allow
        assert (await answer.json(content_type=None))["type"].startswith("urn:throughline:")


@pytest.mark.parametrize("path", ["/healthz", "/hooks/wa", "/hooks/none", "/v1/queues", "/widget.js", "/nothing"])
async def test_no_answer_tells_which_programs_we_run(place: Place, path: str) -> None:
    async with place.http.get(place.url + path) as answer:
        assert "Server" not in answer.headers


async def test_a_handshake_is_answered_and_not_kept(place: Place) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "verify", "hub.challenge": "4711"}
    async with place.http.get(f"{place.url}/hooks/wa", params=query) as answer:
        assert (answer.status, await answer.text(), await kept(place)) == (200, "4711", 0)
    async with place.http.get(f"{place.url}/hooks/wa", params=query | {"hub.verify_token": "x"}) as answer:
        assert answer.status == 401


async def test_probes_and_metrics(place: Place) -> None:
    async def get(path: str) -> tuple[int, str]:
        async with place.http.get(place.url + path) as answer:
            return answer.status, await answer.text()

    assert ((await get("/healthz"))[0], (await get("/readyz"))[0]) == (200, 200)
    await post(place)
    shown = (await get("/metrics"))[1]
    assert 'verdict="kept"' in shown
    assert "\nthroughline_receive_seconds_count 1.0\n" in shown
    assert 'throughline_commit_seconds_count{room="receive"} 1.0' in shown
    assert ("\nthroughline_ready 1.0\n" in shown, "\nthroughline_engine_up 1.0\n" in shown) == (True, True)
    with nobody_else_writes(place.core.store):
        assert (await get("/healthz"))[0] == 200
    place.house.state.draining = True
    assert ((await get("/healthz"))[0], (await get("/readyz"))[0], await post(place)) == (200, 503, 503)


async def test_a_full_disk_is_503(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.core.media, "disk_state", lambda: "intake_stopped")
    async with asyncio.timeout(20):
        while not place.core.disk_full():  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert await post(place) == 503
