"""The API of the simulator, as the adapter and the sandbox meet it."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.base import CallContext, Request
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_api import MAX_TWIML
from adapters.twilio_voice.simulator_world import SLOW_HEADER
from tests.adapters.twilio_voice.simulated import Exchange, heard, wired
from tests.adapters.twilio_voice.support import ACCOUNT, API, CALLER, NUMBER, TOKEN, ctx, deserted, message, said, text
from tests.adapters.twilio_voice.support import adapter as built
from tests.kit import HOOK_URL, drive, drive_steps
from tests.kit.cases import NOW

GOOD = {"To": CALLER, "From": NUMBER, "Twiml": "<Response><Say>Hi</Say></Response>"}
BASIC = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()


def asked(twilio: Twilio, method: str, url: str, form: dict[str, Any] | None = None, auth: str = BASIC) -> Any:
    headers = {"Authorization": f"Basic {auth}"}
    request = Request(method=method, url=url, headers=headers, body=urlencode(form or {}, doseq=True).encode())
    reply = twilio.answer(request, NOW)
    return reply.status, json.loads(reply.body) if reply.body[:1] in b"{[" else reply.body


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": "911"}, 21211),
        ({"To": ""}, 21211),
        ({"From": "+19998887777"}, 21210),
        ({"Twiml": ""}, 21262),
        ({"Twiml": "<Response>" + "x" * MAX_TWIML + "</Response>"}, 21262),
        ({"Twiml": "<Response>"}, 12100),
    ],
)
def test_calls_that_are_not_placed(change: dict[str, str], code: int) -> None:
    both = Exchange()
    status, found = asked(both.twilio, "POST", f"{API}/Calls.json", {**GOOD, **change})
    assert (status, found["code"], both.twilio.calls) == (400, code, {})


def test_a_call_is_placed_shown_and_listed() -> None:
    twilio = Exchange().twilio
    status, made = asked(twilio, "POST", f"{API}/Calls.json", GOOD)
    assert (status, made["status"], made["direction"]) == (201, "queued", "outbound-api")
    assert asked(twilio, "GET", f"{API}/Calls/{made['sid']}.json")[1]["sid"] == made["sid"]
    assert [one["sid"] for one in asked(twilio, "GET", f"{API}/Calls.json?To=%2B15550001111")[1]["calls"]] == [
        made["sid"]
    ]
    assert asked(twilio, "GET", f"{API}/Calls.json?To=%2B1555")[1]["calls"] == []


def test_a_call_that_is_up_can_be_changed_and_ended() -> None:
    both = Exchange()
    call = both.ring()
    url = f"{API}/Calls/{call.sid}.json"
    asked(both.twilio, "POST", url, {"Twiml": '<Response><Say>New</Say><Pause length="9"/></Response>'})
    assert heard(call)[-1] == "New"
    assert asked(both.twilio, "POST", url, {"Status": "completed"})[1]["status"] == "completed"
    assert asked(both.twilio, "POST", url, {"Status": "completed"})[1]["code"] == 21220


@pytest.mark.parametrize("path", ["/Calls/CA1.json", "/Nothing.json", "/Recordings/RE1.mp3"])
def test_what_is_not_there(path: str) -> None:
    assert asked(Exchange().twilio, "GET", API + path)[0] == 404


def test_a_wrong_token() -> None:
    status, found = asked(Exchange().twilio, "GET", f"{API}/Calls.json", auth="AAAA")
    assert (status, found["code"]) == (401, 20003)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("429", "Throttled"), ("500", "Unavailable"), ("html", "Unavailable"), ("401", "CredentialsRefused"),
     ("empty", "NoAnswer")],
)  # fmt: skip
def test_it_can_be_told_to_fail(fault: Any, error: str) -> None:
    both = Exchange()
    both.twilio.world.faults.append(fault)
    driven = both.send(said(text("x")), deserted(call_out="any").adapter)
    assert type(driven.error).__name__ == error
    assert both.twilio.calls == {}


@pytest.mark.parametrize(("fault", "delay"), [("slow", "30"), ("lost", "never")])
def test_an_answer_can_be_late_or_lost_though_it_was_done(fault: Any, delay: str) -> None:
    both = Exchange()
    both.twilio.world.faults.append(fault)
    headers = {"authorization": f"Basic {BASIC}"}
    reply = both.twilio.answer(
        Request(method="POST", url=f"{API}/Calls.json", headers=headers, body=urlencode(GOOD).encode()), NOW
    )
    assert (reply.headers[SLOW_HEADER], len(both.twilio.calls)) == (delay, 1)


def test_a_recording_is_there_a_moment_later_and_may_be_gone() -> None:
    both = Exchange()
    both.down = True
    call = both.ring()
    made = call.leaves("hello", both.now)
    assert made is not None
    url = f"{API}/Recordings/{made.sid}.mp3"
    assert asked(both.twilio, "GET", url)[0] == 404
    made.there_from = NOW - timedelta(seconds=1)
    assert asked(both.twilio, "GET", url) == (200, b"ID3\x03hello")
    made.gone = True
    assert asked(both.twilio, "GET", url)[0] == 410


def test_the_number_can_be_asked_for() -> None:
    twilio = Exchange().twilio
    found = asked(twilio, "GET", f"{API}/IncomingPhoneNumbers.json?PhoneNumber=%2B15550002222")[1]
    assert len(found["incoming_phone_numbers"]) == 1
    assert asked(twilio, "GET", f"{API}/IncomingPhoneNumbers.json?PhoneNumber=1")[1] == {"incoming_phone_numbers": []}


def test_the_adapter_and_the_api_agree_about_probing() -> None:

    both = Exchange()
    context = CallContext(now=NOW, hook_url=HOOK_URL)
    driven = drive(built().probe(context), lambda call: both.twilio.answer(wired(call), NOW))
    assert driven.value is not None
    assert driven.value.ok


def test_nobody_is_dialled_for_a_line_that_is_up() -> None:
    both = Exchange(mode="gather")
    call = both.ring()

    by = deserted(mode="gather").adapter
    context = ctx(last_inbound=f"{call.sid}/raw-1")
    driven = drive_steps(by, message(said(text("x"))), context, lambda one: both.twilio.answer(wired(one), NOW))
    assert driven.value == ["env_out"]
    assert list(both.twilio.calls) == [call.sid]
