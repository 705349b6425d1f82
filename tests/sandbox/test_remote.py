"""The customer in the shell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.commands import Failed
from gateway.sandbox.attach import read_note
from gateway.sandbox.caller import Script
from gateway.sandbox.remote import simulate
from tests import servers
from tests.sandbox.demo import Demo, said, texts


def script(endpoint: str, text: str | None = "Do you ship to France?", **more: object) -> Script:
    facts = {"sender": None, "count": 1, "wait_s": 20.0, **more}
    return Script(endpoint=endpoint, text=text, **facts)  # type: ignore[arg-type]  # because facts are spread


async def run(running: Demo, wanted: Script, folder: Path) -> list[str]:
    shown: list[str] = []
    await asyncio.to_thread(simulate, wanted, folder, running.url, shown.append)
    return shown


@pytest.mark.parametrize("endpoint", ["whatsapp", "site"])
async def test_it_writes_and_shows_the_answer(running: Demo, tmp_path: Path, endpoint: str) -> None:
    question, answer = await run(running, script(endpoint), tmp_path)
    assert question == "> Do you ship to France?"
    assert answer.startswith("< Standard delivery")
    await running.envelopes(lambda found: found[-1]["status"] in ("read", "sent", "delivered"))


async def test_a_new_sender_gets_a_phone(running: Demo, tmp_path: Path) -> None:
    await run(running, script("whatsapp", sender="+44 7700 900999", count=3, wait_s=0), tmp_path)
    screen = await running.get("/sandbox/api/phones/447700900999")
    assert texts(screen, mine=True) == ["Do you ship to France?"] * 3


async def test_a_known_sender_keeps_his_name(running: Demo, tmp_path: Path) -> None:
    await run(running, script("whatsapp", sender="351 912 345 678", wait_s=0), tmp_path)
    assert (await running.get("/sandbox/api/phones/351912345678"))["name"] == "Ana Ribeiro"


async def test_more_than_a_visitor_may_write_at_once_comes_all(running: Demo, tmp_path: Path) -> None:
    await run(running, script("site", count=7, wait_s=0), tmp_path)
    found = await running.envelopes(lambda found: sum(one["direction"] == "in" for one in found) == 7)
    assert {part["text"] for part in said([one for one in found if one["direction"] == "in"])} == {
        "Do you ship to France?"
    }


async def test_an_unknown_endpoint_is_named_with_those_there_are(running: Demo, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no endpoint fax; known: whatsapp, sms, slack, voice, mail, site"):
        await run(running, script("fax"), tmp_path)


async def test_a_refusal_is_said_in_its_words(running: Demo, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="answered 400: a telephone number has 7 to 15 digits"):
        await run(running, script("whatsapp", sender="12"), tmp_path)


async def test_it_finds_the_demo_by_its_folder(running: Demo, tmp_path: Path) -> None:
    assert read_note(tmp_path / "demo-data") is not None
    shown: list[str] = []
    await asyncio.to_thread(simulate, script("whatsapp", wait_s=0), tmp_path / "demo-data", None, shown.append)
    assert shown == ["> Do you ship to France?"]


def test_without_a_demo_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"no demo has run in .*; start one with `throughline demo`"):
        simulate(script("whatsapp"), tmp_path, None, print)
    with pytest.raises(Failed, match="no demo answers at"):
        simulate(script("whatsapp"), tmp_path, f"http://127.0.0.1:{servers.free_port()}", print)


@pytest.mark.parametrize("url", ["junk", "http://", "http://[", "ftp://127.0.0.1"])
def test_what_is_no_address_is_told_like_one_where_nobody_answers(tmp_path: Path, url: str) -> None:
    with pytest.raises(Failed, match="no demo answers at"):
        simulate(script("whatsapp"), tmp_path, url, print)


async def test_a_page_that_is_no_demo_is_told_so(running: Demo, tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no demo answers at"):
        await asyncio.to_thread(simulate, script("whatsapp"), tmp_path, f"{running.url}/sandbox/shop?", print)
