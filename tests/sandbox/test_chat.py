"""Customers in the workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway import operator
from tests.sandbox.demo import ANA, LIMIT_S, Demo
from tests.sandbox.test_host import PNG

QUESTION = "How long do I have to return something?"
SHARED = "C0LARKRIDGE"
ADDRESS = f"slack:T0HOMEDE1/U{ANA}"


def room(screen: Any, id: str = "direct") -> Any:
    return next(one for one in screen["rooms"] if one["id"] == id)


def texts(screen: Any, id: str = "direct", *, mine: bool = False) -> list[str]:
    return [one["content"].get("text", "") for one in room(screen, id)["messages"] if one["mine"] == mine]


async def test_a_direct_message_is_answered_there(running: Demo) -> None:
    await running.act("slack", type="text", text=QUESTION)
    screen = await running.see("slack", texts)
    assert "60 days" in texts(screen)[0]
    assert [one["author"] for one in room(screen)["messages"]] == ["Ana Ribeiro", "throughline"]
    assert (await running.conversation(ADDRESS))["contact"]["name"] == "Ana Ribeiro"


async def test_a_channel_is_answered_in_a_thread_and_only_when_the_app_is_mentioned(running: Demo) -> None:
    await running.act("slack", type="text", text="Has anybody tried the boots?", room=SHARED)
    asked = await running.act("slack", type="text", text=f"@throughline {QUESTION}", room=SHARED)
    screen = await running.see("slack", lambda screen: texts(screen, SHARED))
    (answer,) = [one for one in room(screen, SHARED)["messages"] if not one["mine"]]
    assert (answer["thread"], "60 days" in answer["content"]["text"]) == (asked, True)
    assert texts(screen, SHARED, mine=True)[1] == f"@throughline {QUESTION}"


async def test_what_is_edited_taken_back_and_reacted_to(running: Demo) -> None:
    first = await running.act("slack", type="text", text="My order is late")
    second = await running.act("slack", type="text", text="And wet & <cold>")
    await running.act("slack", type="edit", message=first, text="My order is very late")
    await running.act("slack", type="reaction", message=second, emoji="👍")
    screen = await running.see("slack", lambda screen: room(screen)["messages"][0].get("edited"))
    assert texts(screen, mine=True) == ["My order is very late", "And wet & <cold>"]
    assert [one.get("own_reaction") for one in room(screen)["messages"] if one["mine"]] == [None, "👍"]
    await running.act("slack", type="revoke", message=second)
    assert texts(await running.see("slack", lambda screen: True), mine=True) == ["My order is very late"]


async def test_choices_can_be_pressed(running: Demo) -> None:
    await running.act("slack", type="text", text=QUESTION)
    await running.see("slack", texts)
    conversation = (await running.conversation(ADDRESS))["id"]
    offer = {
        "type": "choices_offered",
        "text": "Which?",
        "choices": [{"id": "a", "title": "Refund"}, {"id": "b", "title": "Swap"}],
    }
    await running.v1(f"/conversations/{conversation}/messages", "POST", {"agent_id": "robin", "parts": [offer]},
                     **{"Idempotency-Key": "one"})  # fmt: skip
    screen = await running.see("slack", lambda screen: room(screen)["messages"][-1]["content"].get("buttons"))
    shown = room(screen)["messages"][-1]
    assert [one["title"] for one in shown["content"]["buttons"]] == ["Refund", "Swap"]
    status, problem = await running.ask("POST", f"/sandbox/api/places/slack/people/{ANA}",
                                        {"type": "choice", "message": shown["id"], "id": "none"})  # fmt: skip
    assert (status, problem["type"]) == (400, "urn:throughline:unknown_choice")
    await running.act("slack", type="choice", message=shown["id"], id=shown["content"]["buttons"][1]["id"])
    found = await running.envelopes(lambda found: found[-1]["direction"] == "in")
    assert found[-1]["body"]["parts"][0]["title"] == "Swap"


async def test_a_file_is_fetched_unless_it_is_gone(running: Demo) -> None:
    id = await running.upload("slack", PNG, "image/png", name="boots.png", text="mine")
    screen = await running.see("slack", lambda screen: room(screen)["messages"])
    file = room(screen)["messages"][0]["content"]["file"]
    assert (room(screen)["messages"][0]["id"], await running.get(file["url"])) == (id, PNG)
    await running.envelopes(lambda found: found and found[0]["body"]["parts"][-1].get("media", {}).get("stored"))
    await running.switch("slack", expired_media=True)
    await running.upload("slack", PNG, "image/png", phone=ANA, name="late.png")
    await running.envelopes(
        lambda found: (
            any(part.get("media", {}).get("failed") for one in found for part in one["body"].get("parts", ()))
            or found[-1]["body"]["kind"] == "unsupported"
        )
    )


async def test_refusals_and_duplicates_have_no_effect_twice(running: Demo) -> None:
    assert (await running.switch("slack", duplicates=True, faults=["503", "429"]))["faults"] == ["503", "429"]
    await running.act("slack", type="text", text=QUESTION)
    screen = await running.see("slack", texts)
    assert len(texts(screen)) == 1
    found = await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "sent")
    assert [one["seq"] for one in found] == [1, 2]


async def test_what_nobody_sees_is_refused(running: Demo) -> None:
    path = f"/sandbox/api/places/slack/people/{ANA}"
    for action, status in (
        ({"type": "edit", "message": "1.2", "text": "x"}, 404),
        ({"type": "text", "text": "x", "room": "C0NONE"}, 404),
        ({"type": "text", "text": "x", "thread": "1.2"}, 404),
        ({"type": "poem"}, 400),
    ):
        assert (await running.ask("POST", path, action))[0] == status, action
    await running.act("slack", type="text", text=QUESTION)
    (answer,) = [one for one in room(await running.see("slack", texts))["messages"] if not one["mine"]]
    assert (await running.ask("POST", path, {"type": "revoke", "message": answer["id"]}))[0] == 403
    assert (await running.ask("POST", path, {"type": "reaction", "message": answer["id"], "emoji": "?"}))[0] == 400


async def test_an_app_that_was_removed_is_an_alarm_everywhere_and_sends_say_why(running: Demo) -> None:
    await running.act("slack", type="text", text=QUESTION)
    await running.see("slack", texts)
    assert await _until(running, "/channels/slack/health", lambda health: health["ok"] and health["alarm"] is None)
    await running.switch("slack", removed=True)
    health = await _until(running, "/channels/slack/health", lambda health: health["alarm"])
    assert (health["ok"], health["alarm"]["code"]) == (False, "credentials_refused")
    assert health["alarm"]["reason"] in ("tokens_revoked", "app_uninstalled")
    assert 'throughline_channel_up{channel="slack"} 0.0' in (await running.get("/metrics")).decode()
    conversation = (await running.conversation(ADDRESS))["id"]
    reply = {"agent_id": "robin", "text": "Are you there?"}
    await running.v1(f"/conversations/{conversation}/messages", "POST", reply, **{"Idempotency-Key": "one"})
    health = await _until(running, "/channels/slack/health", lambda health: health["failures"])
    assert [one["error"] for one in health["failures"]] == [f"credentials_refused {health['alarm']['reason']}"]
    found = {one.check: one.ok for one in await asyncio.to_thread(operator.doctor, running.house.core.config)}
    assert (found["channel slack (slack)"], found["channel sms (twilio_messaging)"]) == (False, True)


async def _until(running: Demo, path: str, wanted: Callable[[Any], Any]) -> Any:
    """What the API says there, as soon as it is what is wanted."""
    version = -1
    async with asyncio.timeout(LIMIT_S):
        while not wanted(found := await running.v1(path)):
            version = (await running.get(f"/sandbox/api/changes?after={version}&wait_s=0.2"))["version"]
    return found
