"""What the simulated API answers, and how it fails."""

import json
from base64 import b64encode
from datetime import datetime, timedelta

import pytest

from adapters.base import HttpCall, Reply, Request
from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator_api import SLOW_HEADER
from adapters.twilio_messaging.simulator_world import Customer, Fault
from tests.adapters.twilio_messaging.simulated import exchange, on_the_wire, opened, outcome, text, twilio
from tests.adapters.twilio_messaging.support import ACCOUNT_SID, API, SUBJECT, TOKEN, ctx, message
from tests.kit import drive_steps
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("fault", "want"),
    [
        ("429", ("Throttled", "20429")),
        ("429 bare", ("Throttled", "20429")),
        ("500", ("Unavailable", "20500")),
        ("503", ("Unavailable", "20503")),
        ("html", ("Unavailable", None)),
        ("401", ("CredentialsRefused", "20003")),
        ("empty", ("NoAnswer", None)),
        ("no sid", ("NoAnswer", None)),
    ],
)
def test_faults(fault: Fault, want: tuple[str, str | None]) -> None:
    """One call each; the next one is answered."""
    simulated, customer = opened()
    simulated.world.faults.append(fault)
    assert outcome(simulated, text()) == want
    assert simulated.shown(customer) == []
    assert outcome(simulated, text()) == ("sent", None)


@pytest.mark.parametrize(("fault", "delay"), [("slow", "30"), ("lost", "never")])
def test_taken_without_an_answer_in_time(fault: Fault, delay: str) -> None:
    """The message went out; whoever hosts the simulator holds the answer back."""
    simulated, customer = opened()
    simulated.world.faults.append(fault)
    replies: list[Reply] = []

    def answer(call: HttpCall) -> Reply:
        replies.append(simulated.answer(on_the_wire(call), NOW))
        return replies[-1]

    drive_steps(SUBJECT.adapter, message(text()), ctx(), answer)
    assert replies[0].headers[SLOW_HEADER] == delay
    assert [row.body for row in simulated.shown(customer)] == ["hello"]


def test_choices_are_content_first() -> None:
    """Made, sent, and seen by the customer."""
    simulated, customer = opened()
    offer = {"type": "choices_offered", "text": "?", "choices": [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}]}
    assert exchange(simulated, {"kind": "message", "parts": [offer]}).error is None
    ((sid, made),) = simulated.world.content.items()
    assert [action["id"] for action in made.types["twilio/quick-reply"]["actions"]] == ["a", "b"]
    (row,) = simulated.shown(customer)
    assert row.fields["ContentSid"] == [sid]


def test_reading_and_writing() -> None:
    """One call marks and shows; an answer ends it, and so does time."""
    simulated, customer = opened()
    (sid,) = simulated.world.rows
    assert outcome(simulated, {"kind": "receipt", "status": "read", "target": sid}) == ("sent", None)
    assert simulated.world.read == [sid]
    assert typing(customer) == NOW + timedelta(seconds=25)
    exchange(simulated, text())
    assert typing(customer) is None
    assert outcome(simulated, {"kind": "typing"}, last_inbound="SMother") == ("Refused", "20404")


def typing(customer: Customer) -> datetime | None:
    return customer.typing_until


def get(url: str, **headers: str) -> Request:
    return Request(method="GET", url=url, headers=headers)


def test_credentials() -> None:
    """Wrong, missing or unreadable ones are refused everywhere."""
    simulated = twilio()
    for header in ("", "Basic QUM6eA==", "Basic !", "Bearer x"):
        reply = simulated.answer(get(f"{API}.json", Authorization=header), NOW)
        assert (reply.status, json.loads(reply.body)["code"]) == (401, 20003)


def test_a_file_needs_credentials_only_where_that_is_enforced() -> None:
    """Storage, on the other side, refuses them."""
    simulated, customer = opened()
    me = simulated.world.received(b"PNG", "image/png")
    sid = simulated.send(customer, content.media("image"), NOW, media=[me])
    url = f"{API}/Messages/{sid}/Media/{me}"
    assert simulated.answer(get(url), NOW).status == 401
    simulated.world.enforces_media_auth = False
    reply = simulated.answer(get(url), NOW)
    assert reply.status == 307
    stored = reply.headers["location"]
    assert simulated.answer(get(stored), NOW).body == b"PNG"
    assert simulated.answer(get(stored, Authorization="Basic x"), NOW).status == 400
    assert simulated.answer(get(url, Authorization="Basic x"), NOW).status == 401


def test_what_does_not_exist() -> None:
    """Is 404, with credentials."""
    authorization = "Basic " + b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()
    for url in (f"{API}/Foo.json", f"{API}/Messages/SM1/Media.json", "https://content.twilio.com/v1/Foo", "https://x"):
        assert twilio().answer(get(url, Authorization=authorization), NOW).status == 404
