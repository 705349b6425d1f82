"""Customers with a mail program, over real SMTP and IMAP servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from normalizer.envelope import Evidence
from tests.sandbox.demo import ANA, Demo, demo
from tests.sandbox.test_host import PNG

QUESTION = "How long do I have to return something?"
ADDRESS = "mailto:ana.ribeiro@home.example"


def theirs(screen: Any) -> list[Any]:
    return [one for one in screen["mails"] if not one["mine"]]


async def test_a_mail_is_answered_in_its_thread(running: Demo) -> None:
    id = await running.act("mail", type="mail", subject="Returns", text=QUESTION)
    (answer,) = theirs(await running.see("mail", theirs))
    assert (answer["thread"], answer["subject"], answer["automatic"]) == (id, "Re: Returns", True)
    assert "60 days" in answer["text"]
    again = await running.act("mail", type="mail", text="And do you ship to France?", answers=answer["id"])
    screen = await running.see("mail", lambda screen: len(theirs(screen)) == 2)
    assert {one["thread"] for one in screen["mails"]} == {id}
    assert [one["subject"] for one in screen["mails"] if one["id"] == again] == ["Re: Returns"]
    assert len((await running.v1("/conversations"))["items"]) == 1


async def test_a_sender_whom_nobody_vouches_for_is_only_claimed(running: Demo) -> None:
    await running.act("mail", type="mail", text=QUESTION)
    await running.see("mail", theirs)
    await running.act("mail", type="mail", text="Where is my order?", proven=False)
    await running.see("mail", lambda screen: len(theirs(screen)) == 2)
    found = [one for item in (await running.v1("/conversations"))["items"]
             for one in (await running.v1(f"/conversations/{item['id']}/envelopes"))["items"]]  # fmt: skip
    evidence = {one["body"]["parts"][0]["text"]: one["party"]["claims"][0]["evidence"] for one in found
                if one["direction"] == "in"}  # fmt: skip
    assert evidence == {QUESTION: Evidence.CHANNEL, "Where is my order?": Evidence.CLAIMED}


async def test_a_file_comes_in_the_mail(running: Demo) -> None:
    await running.upload("mail", PNG, "image/png", name="boots.png", text="These are mine")
    (mine, *_) = (await running.see("mail", lambda screen: screen["mails"]))["mails"]
    assert [one["name"] for one in mine["files"]] == ["boots.png"]
    assert await running.get(mine["files"][0]["url"]) == PNG
    found = await running.envelopes(
        lambda found: found and any(part.get("media", {}).get("stored") for part in found[0]["body"]["parts"])
    )
    assert [part["type"] for part in found[0]["body"]["parts"]] == ["text", "image"]


@pytest.mark.parametrize("fault", ["unreached", "later", "slow_down"])
async def test_a_mail_that_is_not_taken_now_is_sent_again(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters._mail.codes.FIRST_RETRY_S", 0.1)
    async with demo(tmp_path, THROUGHLINE_ROOMS__RETRY_BASE_MS="100") as running:
        assert (await running.switch("mail", faults=[fault]))["faults"] == [fault]
        await running.act("mail", type="mail", text=QUESTION)
        assert len(theirs(await running.see("mail", theirs))) == 1
        assert (await running.get("/sandbox/api"))["places"][-1]["switches"]["faults"] == []


async def test_the_same_mail_twice_is_one_question(running: Demo) -> None:
    await running.switch("mail", duplicates=True)
    await running.act("mail", type="mail", text=QUESTION)
    await running.see("mail", theirs)
    found = await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "sent")
    assert [one["seq"] for one in found] == [1, 2]


async def test_a_bounce_is_what_became_of_the_answer(running: Demo) -> None:
    await running.switch("mail", bounces="later")
    await running.act("mail", type="mail", text=QUESTION)
    found = await running.envelopes(lambda found: found and found[-1]["body"].get("state") == "queue")
    assert [(one["direction"], one["status"]) for one in found[:-1]][-1] == ("out", "failed")
    assert "undelivered" in found[-1]["body"]["reason"]
    await running.switch("mail", bounces="never")


async def test_without_a_push_the_gateway_looks_for_itself(running: Demo) -> None:
    switches = await running.switch("mail", no_idle=True, full=True, reorder=True)
    assert (switches["no_idle"], switches["full"], switches["reorder"]) == (True, True, True)


async def test_only_what_one_has_can_be_answered(running: Demo) -> None:
    action = {"type": "mail", "text": "x", "answers": "none@home.example"}
    assert (await running.ask("POST", f"/sandbox/api/places/mail/people/{ANA}", action))[0] == 404
