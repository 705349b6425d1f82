"""What every place does in the same way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.base import Reply, Request
from gateway.sandbox.news import News
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import Place, Upload, file_path, held_back, hook, ids_of
from tests.sandbox.demo import Demo

ANA = Person(name="Ana", phone="351912345678", email="ana@home.example", user="U1")


class Bare(Place):
    """It has what every place must have, and nothing else."""

    card: Any = None
    switches: Any = None

    def screen(self, person: Person) -> None:
        return

    def act(self, person: Person, action: Any) -> str:
        return ""

    def switch(self, wanted: Any) -> None:
        return


async def test_an_answer_may_be_held_back_or_never_given() -> None:
    news = News()
    assert await held_back(Reply(200, {"a": "b"}, b"c"), news) == Reply(200, {"a": "b"}, b"c")
    assert await held_back(Reply(200, {"x-simulated-delay-s": "never"}, b""), news) is None
    waiting = asyncio.create_task(held_back(Reply(200, {"x-simulated-delay-s": "30"}, b"late"), news))
    await asyncio.sleep(0)
    assert not waiting.done()
    news.stop()
    assert await waiting == Reply(200, {}, b"late")


async def test_what_a_place_does_not_have_it_refuses(running: Demo) -> None:
    core = running.house.core
    place = Bare(core, next(iter(core.config.endpoints.values())), News())
    with pytest.raises(Refused, match="nobody sends files"):
        place.upload(ANA, Upload(data=b"x", mime="image/png"))
    place.meet(ANA)
    assert place.file("x") is None
    assert await place.answer(Request(method="GET", url="http://x")) == Reply(404)
    async with place.running():
        pass


async def test_addresses_are_those_of_the_endpoint(running: Demo) -> None:
    core = running.house.core
    endpoint = next(one for one in core.config.endpoints.values() if one.id == "sms")
    assert hook(core, endpoint) == f"{running.url}/hooks/sms"
    assert file_path("sms", "ME1") == "/sandbox/api/places/sms/files/ME1"
    ids = ids_of(core)
    assert next(ids) != next(ids)


async def test_every_place_shows_what_can_be_switched_there(running: Demo) -> None:
    for place in (await running.get("/sandbox/api"))["places"]:
        knobs = {knob["id"] for knob in place["card"]["knobs"]}
        assert {*knobs, "faults"} == set(place["switches"]), place["card"]["id"]
        for knob in place["card"]["knobs"]:
            ids = [choice["id"] for choice in knob["options"]]
            assert not ids or place["switches"][knob["id"]] in ids


async def test_every_fault_of_a_card_can_be_asked_for(running: Demo) -> None:
    for place in (await running.get("/sandbox/api"))["places"]:
        faults = [fault["id"] for fault in place["card"]["faults"]]
        assert (await running.switch(place["card"]["id"], faults=faults))["faults"] == faults
