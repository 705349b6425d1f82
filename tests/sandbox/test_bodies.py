"""Requests within their bounds."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from adapters.base import Reply, Request
from gateway.sandbox.bodies import converted, json_answer, problem
from gateway.sandbox.phones import Refused
from tests.sandbox.demo import Demo


def test_a_refusal_is_a_problem_of_its_own_type() -> None:
    answer = problem(Refused(404, "not_here", "look elsewhere"))
    assert (answer.status, answer.content_type) == (404, "application/problem+json")
    assert answer.body == (
        b'{"type":"urn:throughline:not_here","title":"not here","status":404,"detail":"look elsewhere"}'
    )


def test_an_answer_is_kept_by_nobody() -> None:
    answer = json_answer({"a": 1}, 201)
    assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (201, b'{"a":1}', "no-store")


def test_what_does_not_fit_is_refused() -> None:
    assert converted("3", int) == 3
    with pytest.raises(Refused, match="Expected `int`"):
        converted("x", int)


async def test_an_answer_that_is_never_given_ends_the_connection(running: Demo) -> None:
    await running.switch("sms", faults=["lost"])
    with pytest.raises(aiohttp.ClientConnectionError):
        await running.ask("POST", "/sandbox/provider/sms/2010-04-01/Accounts/AC0/Messages.json")


async def test_a_call_reaches_the_simulator_as_it_was_made() -> None:
    from aiohttp.test_utils import TestClient, TestServer

    from gateway.sandbox.bodies import called

    seen: list[Request] = []

    async def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply(418, {"x-a": "b"}, b"tea")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await called(request, "http://public", answer)

    app = web.Application()
    app.router.add_post("/a", handler)
    async with TestClient(TestServer(app)) as client:
        got = await client.post(URL("/a?x=%3A", encoded=True), data=b"body")
        assert (got.status, got.headers["x-a"], await got.read()) == (418, "b", b"tea")
    assert (seen[0].method, seen[0].url, seen[0].body) == ("POST", "http://public/a?x=%3A", b"body")
