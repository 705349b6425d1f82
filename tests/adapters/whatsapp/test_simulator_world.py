"""What the simulated provider knows."""

from datetime import timedelta

import pytest

from adapters.whatsapp.simulator_world import Customer, Refusal, World, error_reply
from tests.adapters.whatsapp.support import GRAPH
from tests.kit.cases import NOW

CUSTOMER = Customer(name="Pablo", phone="16505551234", user_id="US.1", username="pablo")


@pytest.mark.parametrize(
    ("shows_phone", "user_id", "sender"),
    [
        (True, "US.1", {"from": "16505551234", "from_user_id": "US.1"}),
        (False, "US.1", {"from_user_id": "US.1"}),
        (True, None, {"from": "16505551234"}),
    ],
)
def test_what_a_webhook_tells_of_a_person(shows_phone: bool, user_id: str | None, sender: dict[str, str]) -> None:
    """A hidden number is absent everywhere; so is a user id that there is none of yet."""
    person = Customer(name="Pablo", phone="16505551234", user_id=user_id, shows_phone=shows_phone)
    assert person.sender() == sender
    assert ("wa_id" in person.contact()) == ("recipient_id" in person.recipient()) == shows_phone
    assert CUSTOMER.contact()["profile"] == {"name": "Pablo", "username": "pablo"}


def test_media_have_an_id_for_a_week_and_a_url_for_five_minutes() -> None:
    """Each URL is a new one, at the API's own host."""
    world = World(access_token="t", graph_url=GRAPH, numbers={}, ids=iter(["m1", "u1", "u2"]))
    media_id = world.received(b"bytes", "image/png", NOW, told_size=5)
    assert (world.media[media_id].until, world.media[media_id].told_size) == (NOW + timedelta(days=7), 5)
    first, second = world.media_url(media_id, NOW), world.media_url(media_id, NOW)
    assert first != second
    assert first.startswith("https://graph.facebook.com/simulated-media/")
    assert world.urls[first] == (media_id, NOW + timedelta(minutes=5))


def test_a_refusal_is_the_documented_shape() -> None:
    """By code, with details."""
    assert Refusal(400, 131056, "slow down").reply == error_reply(400, 131056, "slow down")
    assert b'"code": 131056' in error_reply(400, 131056, "slow down").body
