"""The shell's side of the demo's HTTP."""

from __future__ import annotations

import asyncio

import pytest

from gateway.commands import Failed
from gateway.sandbox.caller import Caller, until, why
from tests.sandbox.demo import Demo
from tests.sandbox.test_remote import script


async def test_a_refusal_is_said_in_its_own_words(running: Demo) -> None:
    async with Caller.open(running.url, print) as caller:
        with pytest.raises(Failed, match="answered 404: one of"):
            await caller.json("GET", "/sandbox/api/places/fax/people/1")


async def test_who_writes_has_a_phone(running: Demo) -> None:
    async with Caller.open(running.url, print) as caller:
        assert await caller.phone(script("sms")) == "447700900123"
        assert await caller.phone(script("sms", sender="+351 912 345 678")) == "351912345678"
    assert [one["name"] for one in (await running.get("/sandbox/api"))["phones"]] == ["Ana Ribeiro", "Sam Shell"]


def test_an_answer_that_is_no_problem_is_told_by_its_status() -> None:
    assert why(502, b"<html>") == "the demo answered 502"
    assert why(409, b'{"title": "t"}') == "the demo answered 409: t"


async def test_nobody_waits_for_ever() -> None:
    await until(0.001, asyncio.Event().wait())
    await until(0, asyncio.Event().wait())
