"""People, and rows as the list shows them."""

import json

import pytest

from adapters.twilio_messaging.simulator_world import Refusal, Row, error_reply, json_reply
from tests.adapters.twilio_messaging.simulated import sheena, twilio
from tests.adapters.twilio_messaging.support import RCS, SMS, WA
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("sender", "shows_phone", "want"),
    [
        (WA, True, "whatsapp:+16505551234"),
        (WA, False, "whatsapp:US.1"),
        (SMS, False, "+16505551234"),
        (RCS, True, "rcs:+16505551234"),
    ],
)
def test_a_persons_address(sender: str, shows_phone: bool, want: str) -> None:
    """With the prefix of the channel; only WhatsApp hides a number."""
    person = sheena(user_id="US.1", shows_phone=shows_phone)
    assert person.address(sender) == want
    assert person.is_at(want)
    assert not person.is_at("+1")


def test_a_row() -> None:
    """Texts where the API has texts, and its date in RFC 2822."""
    row = Row("SM1", "inbound", "+1", "+2", "hi", NOW, media=["ME1"])
    shown = row.shown("AC1")
    assert (shown["num_media"], shown["date_sent"]) == ("1", "Fri, 02 Jan 2026 03:04:05 +0000")
    assert shown["subresource_uris"]["media"].endswith("/Accounts/AC1/Messages/SM1/Media.json")


def test_people_are_found() -> None:
    simulated, person = twilio(), sheena()
    simulated.world.customers.append(person)
    assert simulated.world.customer_at("whatsapp:+16505551234") is person
    assert simulated.world.customer_at("+1") is None


def test_replies() -> None:
    """JSON, with the number of the error."""
    assert json.loads(error_reply(400, 21610, "x").body)["code"] == 21610
    assert json_reply({}).headers["content-type"] == "application/json"
    assert Refusal(404, 20404, "x").reply.status == 404
