"""The whole demo in one process: what a customer does comes to the gateway over HTTP, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Request
from gateway.sandbox.host import messages_in, only_receipts
from tests.sandbox.demo import ANA, Demo, demo, said, texts

QUESTION = {"type": "text", "text": "How long do I have to return something?"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f0005000201"
    "a5f645400000000049454e44ae426082"
)


def answered(screen: Any) -> bool:
    return any("60 days" in text for text in texts(screen))


async def switch(running: Demo, **wanted: Any) -> Any:
    status, switches = await running.ask("PATCH", "/sandbox/api/switches", wanted)
    assert status == 200, switches
    return switches


async def look(running: Demo) -> None:
    await running.ask("POST", f"/sandbox/api/phones/{ANA}/read")


async def picture(running: Demo, data: bytes = PNG) -> str:
    path = f"{running.url}/sandbox/api/phones/{ANA}/files?kind=image&caption=mine"
    async with running.session.post(path, data=data, headers={"Content-Type": "image/png"}) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def test_a_question_is_answered_and_both_sides_see_the_ticks(running: Demo) -> None:
    await running.say(QUESTION)
    screen = await running.until(lambda screen: answered(screen) and screen["messages"][0].get("tick") == "read")
    assert texts(screen, mine=True) == [QUESTION["text"]]
    await running.envelopes(lambda found: found[-1]["status"] == "delivered")
    await look(running)
    envelopes = await running.envelopes(lambda found: found[-1]["status"] == "read")
    assert [one["author"] if one["direction"] == "out" else "customer" for one in envelopes] == ["customer", "ai"]


async def test_a_file_is_fetched_from_the_provider_and_kept(running: Demo) -> None:
    await picture(running)
    (envelope, *_) = await running.envelopes(lambda found: found and said(found)[0]["media"].get("stored"))
    part = envelope["body"]["parts"][0]
    assert (part["type"], part["caption"], part["media"]["sniffed"]) == ("image", "mine", "image/png")
    assert await running.get(f"/sandbox/api/stored/{part['media']['stored']}") == PNG


async def test_a_file_that_is_gone_leaves_the_message(running: Demo) -> None:
    await switch(running, expired_media=True)
    await picture(running)
    (envelope, *_) = await running.envelopes(lambda found: found and said(found)[0]["media"].get("failed"))
    assert envelope["body"]["parts"][0]["caption"] == "mine"


async def test_a_refused_call_is_made_again(running: Demo) -> None:
    assert (await switch(running, faults=["500", "429"]))["faults"] == ["500", "429"]
    await running.say(QUESTION)
    screen = await running.until(answered)
    assert len(texts(screen)) == 1
    assert (await running.get("/sandbox/api"))["switches"]["faults"] == []


async def test_a_lost_answer_is_no_second_message(running: Demo) -> None:
    """It went out and nobody said so: the receipt tells, and nothing is sent again."""
    await switch(running, faults=["empty"])
    await running.say({"type": "text", "text": "Do you ship to France?"})
    await running.until(lambda screen: len(texts(screen)) == 1)
    await switch(running, faults=["lost"])
    await running.say(QUESTION)
    screen = await running.until(answered)
    await running.envelopes(lambda found: found[-1]["status"] == "delivered")
    assert sum("60 days" in text for text in texts(screen)) == 1


async def test_every_webhook_twice_has_its_effect_once(running: Demo) -> None:
    await switch(running, duplicates=True)
    await running.say(QUESTION)
    screen = await running.until(lambda screen: answered(screen) and not screen["typing"])
    envelopes = await running.envelopes(lambda found: found[-1]["status"] == "delivered")
    assert (len(texts(screen)), [one["seq"] for one in envelopes]) == (1, [1, 2])


async def test_a_phone_that_is_off_gets_it_when_it_is_on(running: Demo) -> None:
    await switch(running, phones_on=False)
    await running.say(QUESTION)
    await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "sent")
    await look(running)
    assert texts(await running.get(f"/sandbox/api/phones/{ANA}")) == []
    await switch(running, phones_on=True)
    await running.until(answered)
    await running.envelopes(lambda found: found[-1]["status"] == "delivered")


async def test_receipts_can_be_missing(running: Demo) -> None:
    await switch(running, receipts="missing")
    await running.say(QUESTION)
    await running.until(answered)
    await switch(running, receipts="on")
    await look(running)
    envelopes = await running.envelopes(lambda found: found[-1]["status"] == "read")
    assert len(envelopes) == 2


async def test_late_receipts_come_once(running: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sandbox.host.LATE_RECEIPTS_S", 0.2)
    await switch(running, receipts="late")
    await running.say(QUESTION)
    await running.until(answered)
    envelopes = await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "delivered")
    assert len(envelopes) == 2


async def test_an_answer_that_is_held_back_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """The gateway gives up soon; the provider would go on for 30 s, and the server would wait for a minute."""
    hasty = {"THROUGHLINE_TRANSPORT__TIMEOUT_MS": "300", "THROUGHLINE_TRANSPORT__CONNECT_TIMEOUT_MS": "300"}
    loop = asyncio.get_running_loop()
    async with demo(tmp_path, **hasty) as running:
        await switch(running, faults=["slow"])
        await running.say(QUESTION)
        await running.until(lambda screen: screen["messages"][0]["tick"] == "delivered")
        async with asyncio.timeout(20):
            while (await running.get("/sandbox/api"))["switches"]["faults"]:
                await running.get("/sandbox/api/changes?after=-1")
        began = loop.time()
    assert loop.time() - began < 20


async def test_who_waits_for_news_gets_them(running: Demo) -> None:
    version = (await running.get("/sandbox/api"))["version"]
    waiting = asyncio.create_task(running.get(f"/sandbox/api/changes?after={version}&wait_s=20"))
    await running.get("/healthz")
    assert not waiting.done()
    await running.say(QUESTION)
    assert (await waiting)["version"] > version


def test_what_a_webhook_holds() -> None:
    def request(*values: str) -> Request:
        changes = ",".join(f'{{"value":{value},"field":"messages"}}' for value in values)
        body = f'{{"entry":[{{"id":"1","changes":[{changes}]}}]}}'.encode()
        return Request(method="POST", url="http://x", body=body)

    receipt, message = '{"statuses":[{"id":"a"}]}', '{"messages":[{"id":"b"}]}'
    assert (only_receipts(request(receipt)), only_receipts(request(receipt, message))) == (True, False)
    assert messages_in(request(receipt, message)) == {"b"}
