"""The customer in the shell, on every other channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.commands import Failed
from gateway.sandbox.remote_places import answers, usual, wishes
from tests.sandbox.demo import Demo
from tests.sandbox.test_remote import run, script

KNOBS = [
    {"id": "receipts", "options": [{"id": "on"}, {"id": "late"}], "most": 0, "inverse": False},
    {"id": "phones_on", "options": [], "most": 0, "inverse": True},
    {"id": "batch", "options": [], "most": 1000, "inverse": False},
]
PLACE: Any = {
    "card": {"knobs": KNOBS},
    "switches": {"receipts": "late", "phones_on": False, "batch": 7, "faults": ["500"]},
}


async def switches(running: Demo, place: str) -> Any:
    places = (await running.get("/sandbox/api"))["places"]
    return next(one["switches"] for one in places if one["card"]["id"] == place)


@pytest.mark.parametrize("endpoint", ["sms", "slack", "mail"])
async def test_it_writes_and_shows_the_answer(running: Demo, tmp_path: Path, endpoint: str) -> None:
    question, answer = await run(running, script(endpoint), tmp_path)
    assert question == "> Do you ship to France?"
    assert answer.startswith("< Standard delivery")


async def test_it_calls_speaks_and_hangs_up(running: Demo, tmp_path: Path) -> None:
    greeting, question, *spoken = await run(running, script("voice"), tmp_path)
    assert (greeting, question) == ("< Hello. How can I help you?", "> Do you ship to France?")
    assert "Norway" in " ".join(spoken)
    screen = await running.see("voice", lambda screen: screen["state"] == "ended", "447700900123")
    assert screen["complaints"] == []


async def test_switches_are_set_before_anything_is_written(running: Demo, tmp_path: Path) -> None:
    wanted = script("sms", text=None, switches=("receipts=late", "faults=429,500"))
    assert await run(running, wanted, tmp_path) == ["= receipts late, faults 429,500"]
    now = await switches(running, "sms")
    assert (now["receipts"], now["faults"]) == ("late", ["429", "500"])
    await run(running, script("sms", text=None, switches=("usual",)), tmp_path)
    now = await switches(running, "sms")
    assert (now["receipts"], now["faults"], now["phones_on"]) == ("on", [], True)


async def test_what_cannot_be_switched_is_said(running: Demo, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="site has nothing to switch"):
        await run(running, script("site", switches=("usual",)), tmp_path)
    with pytest.raises(Failed, match="a switch is written NAME=VALUE; here are duplicates, "):
        await run(running, script("slack", switches=("batch=2",)), tmp_path)
    with pytest.raises(Failed, match="answered 400"):
        await run(running, script("slack", switches=("faults=418",)), tmp_path)


def test_values_are_of_the_kind_that_a_switch_has() -> None:
    assert wishes(("phones_on=on", "batch=3", "receipts=on", "faults="), PLACE) == {
        "phones_on": True, "batch": 3, "receipts": "on", "faults": [],
    }  # fmt: skip
    assert wishes(("batch=many", "phones_on=maybe"), PLACE) == {"batch": "many", "phones_on": "maybe"}
    assert usual(PLACE["card"]) == {"receipts": "on", "phones_on": True, "batch": 1, "faults": []}


def test_only_what_the_business_said_is_an_answer() -> None:
    lines = [{"id": "v0", "who": "voice", "text": "Hello"}, {"id": "c0", "who": "caller", "text": "Hi"}]
    assert answers({"lines": lines}) == {"v0": "Hello"}
    assert answers({"mails": [{"id": "a", "mine": True, "text": "x"}]}) == {}
