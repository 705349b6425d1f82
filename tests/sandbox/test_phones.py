"""What customers do, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from adapters.base import Reply, Request
from adapters.whatsapp.simulator import Meta as Simulator
from adapters.whatsapp.simulator_world import Number
from gateway.clock import FROZEN_START
from gateway.sandbox import phones as module
from gateway.sandbox.phones import (
    Phones,
    React,
    Refused,
    Revise,
    Said,
    SayCard,
    SayChoice,
    SayPlace,
    SayText,
    TakeBack,
)
from gateway.sandbox.screen import Line, Screen, screen

NOW = FROZEN_START
GRAPH = "http://127.0.0.1:1/sandbox/graph/v24.0"


class Life:
    """One customer, one business, and no gateway between them."""

    def __init__(self) -> None:
        ids = count(1)
        self.simulator = Simulator(
            app_secret="s", access_token="t", verify_token="v", webhook_url="http://127.0.0.1:1/hooks/w",
            numbers=[Number("1", "15550783881")], ids=(f"id{next(ids)}" for _ in ids), graph_url=GRAPH,
        )  # fmt: skip
        self.phones = Phones(self.simulator)
        self.ana = self.phones.add("Ana", "+351 912 345 678")
        self.now = NOW

    def say(self, what: Any) -> Said:
        self.now += timedelta(seconds=1)
        return self.phones.say(self.ana, what, self.now)

    def business(self, **payload: Any) -> str:
        """The gateway sends; the id of what arrived."""
        import json

        self.now += timedelta(seconds=1)
        body = json.dumps({"messaging_product": "whatsapp", "to": self.ana.phone, **payload}).encode()
        call = Request(method="POST", url=f"{GRAPH}/1/messages", headers={"Authorization": "Bearer t"}, body=body)
        reply: Reply = self.simulator.answer(call, self.now)
        assert reply.status == 200, reply.body
        return str(json.loads(reply.body).get("messages", [{"id": ""}])[0]["id"])

    def text(self, body: str, **more: Any) -> str:
        return self.business(type="text", text={"body": body}, **more)

    @property
    def screen(self) -> Screen:
        return screen(self.simulator.world, self.ana, self.phones.of(self.ana), self.now, 1)

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.screen.messages

    def updates(self) -> list[dict[str, Any]]:
        """What the gateway is told."""
        import json

        requests = self.simulator.due(self.now)
        return [json.loads(one.body)["entry"][0]["changes"][0]["value"]["messages"][0] for one in requests]


@pytest.fixture
def life() -> Life:
    return Life()


def refused(life: Life, what: Any) -> str:
    with pytest.raises(Refused) as caught:
        life.say(what)
    return caught.value.code


def test_a_number_is_its_digits(life: Life) -> None:
    assert life.phones.get("351-912-345-678") is life.ana
    assert life.phones.add("Ana R.", "00351912345678"[2:]) is life.ana
    assert life.ana.name == "Ana R."


@pytest.mark.parametrize("phone", ["", "12345", "1" * 16, "٣٥١٩١٢٣٤٥٦٧٨", "hello"])
def test_what_is_no_number_is_refused(life: Life, phone: str) -> None:
    with pytest.raises(Refused, match="7 to 15 digits"):
        life.phones.add("X", phone)


def test_an_unknown_number_is_refused(life: Life) -> None:
    with pytest.raises(Refused) as caught:
        life.phones.get("447700900123")
    assert caught.value.status == 404


def test_phones_are_bounded(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CUSTOMERS", 1)
    with pytest.raises(Refused, match="at most 1 phones"):
        life.phones.add("Bo", "447700900123")


def test_each_kind_is_told_as_the_provider_tells_it(life: Life) -> None:
    first = life.say(SayText("hi"))
    life.say(SayPlace(53.8, -1.5, "Leeds"))
    life.say(SayCard("Bo", "+44 7700 900123"))
    life.say(React(first.id, "👍"))
    life.say(Revise(first.id, "hello"))
    life.say(TakeBack(first.id))
    told = life.updates()
    assert [one["type"] for one in told] == ["text", "location", "contacts", "reaction", "edit", "revoke"]
    assert told[2]["contacts"][0]["phones"] == [{"phone": "+447700900123"}]
    assert {one["from"] for one in told} == {"351912345678"}


def test_a_voice_note_says_that_it_is_one(life: Life) -> None:
    life.phones.file(life.ana, "voice", b"OggS", "audio/ogg; codecs=opus", NOW)
    life.phones.file(life.ana, "audio", b"OggS", "audio/ogg", NOW)
    assert [one["audio"].get("voice") for one in life.updates()] == [True, None]


def test_a_choice_must_have_been_offered(life: Life) -> None:
    life.say(SayText("hi"))
    buttons = {"buttons": [{"type": "reply", "reply": {"id": "r", "title": "Refund"}}]}
    offer = life.business(type="interactive", interactive={"type": "button", "body": {"text": "?"}, "action": buttons})
    assert refused(life, SayChoice(offer, "x")) == "unknown_choice"
    assert refused(life, SayChoice("wamid.none", "r")) == "unknown_message"
    chosen = life.say(SayChoice(offer, "r"))
    assert chosen.content["interactive"]["button_reply"] == {"id": "r", "title": "Refund"}
    assert chosen.reply_to == offer


def test_a_row_of_a_list_can_be_chosen(life: Life) -> None:
    life.say(SayText("hi"))
    rows = [{"id": str(n), "title": f"T{n}", "description": "d"} for n in range(4)]
    action = {"button": "Pick", "sections": [{"rows": rows}]}
    offer = life.business(type="interactive", interactive={"type": "list", "body": {"text": "?"}, "action": action})
    picked = life.say(SayChoice(offer, "2")).content["interactive"]["list_reply"]
    assert picked == {"id": "2", "title": "T2", "description": "d"}


def test_only_what_one_sent_can_be_changed(life: Life) -> None:
    life.say(SayText("hi"))
    theirs = life.text("hello")
    assert refused(life, Revise(theirs, "x")) == "unknown_message"
    assert refused(life, TakeBack("wamid.none")) == "unknown_message"
