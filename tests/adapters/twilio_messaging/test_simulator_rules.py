"""What the simulated API refuses is what the adapter never sends, or hears about in its own words."""

import json
from typing import Any

import pytest

from adapters.twilio_messaging.simulator_rules import check, check_content
from adapters.twilio_messaging.simulator_world import Content, Refusal
from tests.adapters.twilio_messaging.simulated import ADAPTER, on_the_wire, opened, outcome, text, twilio
from tests.adapters.twilio_messaging.support import SERVICE, SMS, WA, outbound_cases
from tests.kit import OutboundCase, drive_steps
from tests.kit.cases import NOW

TO = "whatsapp:+16505551234"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"To": None}, 21604),
        ({"To": "Bob"}, 21211),
        ({"From": None}, 21603),
        ({"From": "+19990000"}, 21606),
        ({"From": "whatsapp:+19990000"}, 63007),
        ({"From": SMS}, 21910),
        ({"From": None, "MessagingServiceSid": "MG0"}, 21703),
        ({"From": None, "MessagingServiceSid": SERVICE}, 21703),
        ({"Body": None}, 21619),
        ({"Body": " "}, 21619),
        ({"Body": "x" * 1601}, 21617),
        ({"MediaUrl": ["ftp://x"]}, 21620),
        ({"MediaUrl": ["https://x"] * 11}, 21623),
        ({"StatusCallback": "gateway"}, 21609),
        ({"ContentSid": "HX0"}, 21655),
        ({"ContentSid": "HX1", "ContentVariables": "{"}, 21656),
        ({"ContentSid": "HX1", "ContentVariables": '{"1":5}'}, 21656),
    ],
)
def test_messages(fields: dict[str, Any], code: int) -> None:
    """One thing wrong, and its number."""
    simulated = twilio()
    simulated.world.content["HX1"] = _approved()
    given: dict[str, Any] = {"To": TO, "From": WA, "Body": "hi", **fields}
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items() if value is not None}
    with pytest.raises(Refusal) as refusal:
        check(simulated.world, lists)
    assert json.loads(refusal.value.reply.body)["code"] == code


def _approved() -> Content:
    return Content({"twilio/text": {"body": "hi"}}, approved=True)


def item(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "item": "A", **changes}


def listed(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"twilio/list-picker": {"body": "?", "button": "Open", "items": list(items), **changes}}


@pytest.mark.parametrize(
    "types",
    [
        {},
        {"twilio/hologram": {"body": "?"}},
        {"twilio/quick-reply": {"body": "", "actions": [{"id": "a", "title": "A"}]}},
        {"twilio/quick-reply": {"body": "?" * 1025, "actions": [{"id": "a", "title": "A"}]}},
        {"twilio/quick-reply": {"body": "?", "actions": []}},
        {"twilio/quick-reply": {"body": "?", "actions": [{"id": str(n), "title": "A"} for n in range(4)]}},
        {"twilio/quick-reply": {"body": "?", "actions": [{"id": "a", "title": "A" * 21}]}},
        listed(),
        listed(item(), item()),
        listed(item(item="A" * 25)),
        listed(item(id="a" * 201)),
        listed(item(description="d" * 73)),
        listed(*[item(id=str(n)) for n in range(11)]),
        listed(item(), button=""),
    ],
)
def test_content(types: dict[str, Any]) -> None:
    """Too much, too little, or unknown."""
    with pytest.raises(Refusal):
        check_content({"friendly_name": "n", "language": "en", "types": types})


@pytest.mark.parametrize("document", [None, [], {}, {"friendly_name": "n", "types": {"twilio/text": {"body": "?"}}}])
def test_content_without_a_name_or_language(document: Any) -> None:
    with pytest.raises(Refusal):
        check_content(document)


SENT = [case for case in outbound_cases() if case.ids and not case.error]


@pytest.mark.parametrize("case", SENT, ids=str)
def test_what_the_adapter_sends_is_what_the_provider_takes(case: OutboundCase) -> None:
    """Every case of the fixtures that is sent, too."""
    simulated, _ = opened()
    simulated.world.services[SERVICE] += [WA, SMS]
    for sid in ("HX0a", "HX1111", "HX2222"):
        simulated.world.content[sid] = _approved()
    driven = drive_steps(ADAPTER, case.message, case.context, lambda call: simulated.answer(on_the_wire(call), NOW))
    assert driven.error is None, case.label
    assert len(driven.value or []) == len(case.ids)


def test_somebody_elses_numbers() -> None:
    """A sender that the account does not have stops the channel."""
    simulated, _ = opened()
    simulated.world.senders.remove(WA)
    assert outcome(simulated, text()) == ("ChannelBlocked", "63007")
