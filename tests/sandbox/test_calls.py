"""Customers on the telephone."""

from __future__ import annotations

from typing import Any

from tests.sandbox.demo import ANA, Demo

QUESTION = "How long do I have to return something?"
ADDRESS = f"tel:+{ANA}"


def spoken(screen: Any) -> list[str]:
    return [line["text"] for line in screen["lines"] if line["who"] == "voice"]


async def rings(running: Demo, caller: str = "attested") -> None:
    await running.act("voice", type="ring", caller=caller)
    await running.see("voice", lambda screen: screen["state"] == "talking" and spoken(screen))


async def test_a_caller_is_greeted_and_answered(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="say", text=QUESTION)
    screen = await running.see("voice", lambda screen: "labels" in " ".join(spoken(screen)))
    assert spoken(screen)[0] == "Hello. How can I help you?"
    assert "within 60 days of delivery. Items" in spoken(screen)[1]
    assert [line["who"] for line in screen["lines"]] == ["voice", "caller", "voice"]
    await running.act("voice", type="hang_up")
    screen = await running.see("voice", lambda screen: screen["state"] == "ended")
    assert screen["complaints"] == []


async def test_who_interrupts_was_told_so_much_and_no_more(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="say", text=QUESTION)
    await running.see("voice", lambda screen: "labels" in " ".join(spoken(screen)))
    await running.act("voice", type="interrupt", heard="You can return unused items")
    screen = await running.see("voice", lambda screen: screen["lines"][-1].get("heard"))
    assert screen["lines"][-1]["heard"] == "You can return unused items"
    found = await running.envelopes(lambda found: any(one["body"].get("event") == "interrupted" for one in found))
    (event,) = [one["body"] for one in found if one["body"].get("event") == "interrupted"]
    assert event["detail"] == "You can return unused items"


async def test_a_caller_whose_number_is_proven_is_the_customer_who_writes(running: Demo) -> None:
    await running.act("sms", type="text", text=QUESTION)
    await rings(running)
    conversation = await running.conversation(ADDRESS)
    assert {leg["channel_id"] for leg in conversation["legs"]} == {"sms", "voice"}


async def test_a_caller_who_proves_nothing_is_somebody_else(running: Demo) -> None:
    await running.act("sms", type="text", text=QUESTION)
    first = await running.conversation(ADDRESS)
    for caller in ("unproven", "anonymous"):
        await rings(running, caller)
        await running.act("voice", type="hang_up")
        await running.see("voice", lambda screen: screen["state"] == "ended")
    assert {leg["channel_id"] for leg in (await running.v1(f"/conversations/{first['id']}"))["legs"]} == {"sms"}
    assert len((await running.v1("/conversations"))["items"]) > 1


async def test_a_colleague_answers_what_the_machine_passes_on(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="say", text="Can I talk to a person?")
    await running.see("voice", lambda screen: screen["state"] == "transfer")
    await running.act("voice", type="colleague", status="completed")
    screen = await running.see("voice", lambda screen: screen["state"] == "ended")
    assert screen["complaints"] == []


async def test_an_agent_s_answer_calls_a_customer_who_has_hung_up(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="say", text=QUESTION)
    await running.see("voice", lambda screen: "labels" in " ".join(spoken(screen)))
    await running.act("voice", type="hang_up")
    await running.see("voice", lambda screen: screen["state"] == "ended")
    conversation = (await running.conversation(ADDRESS))["id"]
    said = {"agent_id": "robin", "text": "Your parcel is here."}
    await running.v1(f"/conversations/{conversation}/messages", "POST", said, **{"Idempotency-Key": "one"})
    await running.see("voice", lambda screen: screen["inward"] and screen["state"] == "ringing")
    await running.act("voice", type="pick_up")
    await running.see("voice", lambda screen: "Your parcel is here." in " ".join(spoken(screen)))


async def test_who_reaches_nobody_leaves_a_message(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="say", text="Can I talk to a person?")
    await running.see("voice", lambda screen: screen["state"] == "transfer")
    await running.act("voice", type="colleague", status="no-answer")
    await running.see("voice", lambda screen: screen["state"] == "recording")
    await running.act("voice", type="say", text="Please call me back about my boots.")
    screen = await running.see("voice", lambda screen: any(line.get("file") for line in screen["lines"]))
    (recording,) = [line for line in screen["lines"] if line.get("file")]
    assert await running.get(recording["file"]) == b"Please call me back about my boots."
    await running.envelopes(lambda found: any("about my boots" in str(one["body"]) for one in found))


async def test_a_broken_socket_is_opened_anew(running: Demo) -> None:
    await rings(running)
    await running.act("voice", type="lose")
    await running.see("voice", lambda screen: screen["state"] == "talking" and len(spoken(screen)) >= 1)
    await running.act("voice", type="say", text=QUESTION)
    await running.see("voice", lambda screen: "60 days" in " ".join(spoken(screen)))


async def test_what_cannot_be_done_is_said(running: Demo) -> None:
    path = f"/sandbox/api/places/voice/people/{ANA}"
    assert (await running.get(path))["state"] == "idle"
    assert (await running.ask("POST", path, {"type": "say", "text": "x"}))[1]["type"] == "urn:throughline:no_call"
    await rings(running)
    assert (await running.ask("POST", path, {"type": "ring"}))[1]["type"] == "urn:throughline:in_a_call"
    assert (await running.ask("POST", path, {"type": "press", "digits": "x"}))[0] == 400
