"""gateway/transport/http.py: what surely did not go out, and what may have; with a provider that misbehaves."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from adapters.base import (
    Auth,
    NoAnswer,
    NotReached,
)
from tests.gateway.provider import Answer, HangUp, Provider, Raw, Silent, Slow
from tests.gateway.time import pass_time
from tests.gateway.transport.kit import (
    Made,
    Names,
    facts,
    failure,
    post,
    run,
    self_signed,
)
from tests.servers import free_port

# --- surely not out ---------------------------------------------------------------------------------------------------


async def test_a_refused_connection_is_not_reached(make: Made) -> None:
    error = await failure(await make(), post(f"http://127.0.0.1:{free_port()}/private-path"))
    assert facts(error) == (NotReached, True)


async def test_a_name_that_does_not_resolve_is_not_reached(make: Made) -> None:
    class Unknown(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
            raise OSError(None, "no such name")

    error = await failure(await make(resolver=Unknown), post("http://provider.example/private-path"))
    assert facts(error) == (NotReached, True)


async def test_a_connection_that_takes_too_long_is_not_reached(make: Made) -> None:
    class Stuck(Names):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
            await asyncio.Event().wait()

    transport = await make(resolver=Stuck, connect_timeout_ms=20)
    assert facts(await failure(transport, post("http://provider.example/private-path"))) == (NotReached, True)
    assert facts(await failure(transport, post("http://provider.example/", timeout_ms=10))) == (NotReached, True)


async def test_waiting_for_a_free_connection_is_not_reached(provider: Provider, make: Made) -> None:
    provider.then(Silent())
    transport = await make(connections_per_host=1, connect_timeout_ms=20_000)
    first = asyncio.create_task(run(transport, post(provider.url(), timeout_ms=10**9)))
    await provider.came(1)
    second = asyncio.create_task(failure(transport, post(provider.url(), timeout_ms=10**9)))
    while not second.done():
        await asyncio.sleep(0)
        pass_time(21)
    assert facts(await second) == (NotReached, True)
    assert provider.connections == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_a_server_without_tls_is_not_reached(provider: Provider, make: Made) -> None:
    url = provider.url("/private-path").replace("http:", "https:")
    assert facts(await failure(await make(), post(url))) == (NotReached, True)
    assert provider.calls == []


async def test_a_certificate_of_nobody_is_not_reached(make: Made, tmp_path: Path) -> None:
    async with Provider(tls=self_signed(tmp_path)) as provider:
        assert facts(await failure(await make(), post(provider.url("/private-path")))) == (NotReached, True)
        assert provider.calls == []


async def test_when_the_time_of_the_flow_is_over_nothing_is_called(provider: Provider, make: Made) -> None:
    assert facts(await failure(await make(), post(provider.url()), timeout_ms=0)) == (NotReached, True)
    assert provider.connections == 0


# --- may be out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        HangUp(),
        Answer(200, {}, b"x" * 100, cut=50),
        Answer(200, {}, b"x" * 3000, chunked=True, cut=1500),
        Answer(200, {"Content-Encoding": "gzip"}, b"no gzip"),
        Raw(b"no HTTP at all\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
    ],
)
async def test_an_answer_that_is_none_may_be_out(
    provider: Provider, make: Made, behaviour: Answer | HangUp | Raw
) -> None:
    provider.then(behaviour)
    error = await failure(await make(), post(provider.url("/private-path"), auth=Auth("bot_token")))
    assert facts(error) == (NoAnswer, False)
    assert len(provider.calls) == 1


async def test_silence_may_be_out(provider: Provider, make: Made) -> None:
    """The limit of every call, that of this one, and what is left to the flow."""
    provider.usual = Silent()
    transport = await make(timeout_ms=40_000)
    for number, (limit, options) in enumerate(((None, {}), (20_000, {}), (10**9, {"timeout_ms": 20_000})), start=1):
        asked = asyncio.create_task(failure(transport, post(provider.url(), timeout_ms=limit), **options))
        await provider.came(number)
        pass_time(41 if number == 1 else 21)
        assert facts(await asked) == (NoAnswer, False)
    assert len(provider.calls) == 3


async def test_a_kept_connection_that_closes_instead_of_answering_may_be_out(provider: Provider, make: Made) -> None:
    """And is not called again by the HTTP client itself."""
    provider.then(Answer(), HangUp())
    transport = await make()
    await run(transport, post(provider.url("/1")))
    assert facts(await failure(transport, post(provider.url("/2")))) == (NoAnswer, False)
    assert [call.path for call in provider.calls] == ["/1", "/2"]
    assert provider.connections == 1


async def test_a_slow_answer_is_an_answer(provider: Provider, make: Made) -> None:
    gate = asyncio.Event()
    provider.then(Slow(gate, Answer(202)))
    task = asyncio.create_task(run(await make(), post(provider.url())))
    await provider.came(1)
    assert not task.done()
    gate.set()
    assert (await task).status == 202


async def test_connections_are_limited_and_shared(provider: Provider, make: Made) -> None:
    transport = await make(connections_per_host=3)
    replies = await asyncio.gather(*(run(transport, post(provider.url())) for _ in range(30)))
    assert [reply.status for reply in replies] == [200] * 30
    assert (provider.connections, provider.open_most) == (3, 3)
