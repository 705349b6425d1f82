"""Customers who send text messages."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.twilio_messaging.simulator_world import Customer
from gateway.sandbox.people import Person
from gateway.sandbox.texts import Texts
from tests.sandbox.demo import ANA, Demo
from tests.sandbox.test_host import PNG

QUESTION = "How long do I have to return something?"
NUMBER = "+442079460145"


def lines(screen: Any, place: int = 0) -> list[Any]:
    return list(screen["rooms"][place]["messages"])


def theirs(screen: Any, place: int = 0) -> list[str]:
    return [one["content"].get("text", "") for one in lines(screen, place) if not one["mine"]]


async def test_a_text_message_is_answered_and_its_receipt_comes(running: Demo) -> None:
    await running.act("sms", type="text", text=QUESTION)
    screen = await running.see("sms", lambda screen: theirs(screen) and lines(screen)[0]["tick"] == "delivered")
    assert "60 days" in theirs(screen)[0]
    found = await running.envelopes(lambda found: found[-1]["status"] == "delivered")
    assert [one["direction"] for one in found] == ["in", "out"]


async def test_one_number_is_one_customer_on_every_telephone_channel(running: Demo) -> None:
    await running.act("sms", type="text", text=QUESTION)
    await running.see("sms", theirs)
    await running.act("sms", type="text", text=QUESTION, room=f"whatsapp:{NUMBER}")
    await running.see("sms", lambda screen: theirs(screen, 1))
    await running.say({"type": "text", "text": QUESTION})
    await running.until(lambda screen: any(not one["mine"] for one in screen["messages"]))
    (item,) = (await running.v1("/conversations"))["items"]
    legs = (await running.v1(f"/conversations/{item['id']}"))["legs"]
    assert {leg["channel_id"] for leg in legs} == {"sms", "whatsapp", "whatsapp_too"}


async def test_a_picture_is_fetched_unless_it_is_gone(running: Demo) -> None:
    await running.upload("sms", PNG, "image/png", text="mine")
    screen = await running.see("sms", lines)
    assert await running.get(lines(screen)[0]["content"]["file"]["url"]) == PNG
    await running.envelopes(lambda found: found and found[0]["body"]["parts"][0]["media"].get("stored"))
    await running.switch("sms", expired_media=True)
    await running.upload("sms", PNG, "image/png")
    await running.envelopes(
        lambda found: any(part.get("media", {}).get("failed") for one in found for part in one["body"].get("parts", ()))
    )


async def test_choices_are_tapped_where_the_channel_has_them(running: Demo) -> None:
    room = f"whatsapp:{NUMBER}"
    await running.act("sms", type="text", text=QUESTION, room=room)
    await running.see("sms", lambda screen: theirs(screen, 1))
    conversation = (await running.conversation(f"whatsapp:{ANA}"))["id"]
    choices = [{"id": "a", "title": "Refund"}, {"id": "b", "title": "Exchange"}]
    offer = {"agent_id": "robin", "parts": [{"type": "choices_offered", "text": "Which?", "choices": choices}]}
    await running.v1(f"/conversations/{conversation}/messages", "POST", offer, **{"Idempotency-Key": "one"})
    screen = await running.see("sms", lambda screen: lines(screen, 1)[-1]["content"].get("buttons"))
    shown = lines(screen, 1)[-1]
    assert [one["title"] for one in shown["content"]["buttons"]] == ["Refund", "Exchange"]
    await running.act("sms", type="choice", message=shown["id"], id=shown["content"]["buttons"][1]["id"])
    found = await running.envelopes(lambda found: found[-1]["direction"] == "in")
    assert found[-1]["body"]["parts"][0]["title"] == "Exchange"


async def test_refused_calls_are_made_again_and_duplicates_have_no_effect(running: Demo) -> None:
    await running.switch("sms", duplicates=True, faults=["429"])
    await running.act("sms", type="text", text=QUESTION)
    await running.see("sms", theirs)
    found = await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "delivered")
    assert [one["seq"] for one in found] == [1, 2]


async def test_a_phone_that_is_off_gets_it_when_it_is_on(running: Demo) -> None:
    await running.switch("sms", phones_on=False)
    await running.act("sms", type="text", text=QUESTION)
    await running.envelopes(lambda found: len(found) == 2 and found[-1]["status"] == "sent")
    assert theirs(await running.see("sms", lines)) == []
    await running.switch("sms", phones_on=True)
    await running.see("sms", theirs)
    await running.envelopes(lambda found: found[-1]["status"] == "delivered")


@pytest.mark.parametrize(
    ("code", "is_accepted"), [("unreachable 30003", True), ("opted_out 21610", False)], ids=["receipt", "refused"]
)
async def test_an_answer_that_does_not_arrive_goes_to_people(
    running: Demo, monkeypatch: pytest.MonkeyPatch, code: str, is_accepted: bool
) -> None:
    """The handset is out of reach: taken, and reported later. Or he has answered STOP: refused at once."""
    usual = Texts._customer

    def lost(self: Texts, person: Person) -> Customer:
        found = usual(self, person)
        found.reachable = False
        if not is_accepted:
            found.opted_out.update(self.senders)
        return found

    monkeypatch.setattr(Texts, "_customer", lost)
    await running.act("sms", type="text", text=QUESTION)
    found = await running.envelopes(lambda found: found[-1]["body"]["kind"] == "state_change")
    assert [(one["direction"], one.get("status")) for one in found[:2]] == [("in", None), ("out", "failed")]
    one = await running.conversation(f"tel:+{ANA}")
    assert (one["holder"], code in one["reason"]) == ("queue", True), one["reason"]
    assert len(found) == 3, "nothing is said to him"
    metrics = (await running.get("/metrics")).decode()
    assert 'throughline_handoffs_total{reason="undelivered"} 1.0' in metrics


async def test_who_looks_has_read(running: Demo) -> None:
    room = f"whatsapp:{NUMBER}"
    await running.act("sms", type="text", text=QUESTION, room=room)
    await running.see("sms", lambda screen: theirs(screen, 1))
    await running.envelopes(lambda found: found[-1]["status"] == "delivered")
    await running.act("sms", type="read")
    await running.envelopes(lambda found: found[-1]["status"] == "read")


async def test_what_cannot_be_done_is_said(running: Demo) -> None:
    path = f"/sandbox/api/places/sms/people/{ANA}"
    for action, status in (
        ({"type": "text", "text": "x", "room": "+1"}, 404),
        ({"type": "choice", "message": "SM1", "id": "x"}, 404),
        ({"type": "text", "text": ""}, 400),
    ):
        assert (await running.ask("POST", path, action))[0] == status
