"""What a phone can send has the documented fields."""

import pytest

from adapters.twilio_messaging import simulator_content as content
from adapters.twilio_messaging.simulator_content import Fields


@pytest.mark.parametrize(
    ("said", "want"),
    [
        (content.text("a"), {"Body": "a", "MessageType": "text"}),
        (content.media("image"), {"Body": "", "MessageType": "image"}),
        (content.location(1, 2), {"Body": "", "MessageType": "location", "Latitude": "1", "Longitude": "2"}),
        (
            content.button("p", "t"),
            {"Body": "t", "MessageType": "interactive", "ButtonText": "t", "ButtonPayload": "p"},
        ),
        (content.row("i", "t"), {"Body": "t", "MessageType": "interactive", "ListId": "i", "ListTitle": "t"}),
        (content.form({"a": "b"}), {"Body": "Sent", "MessageType": "interactive", "InteractiveData": '{"a": "b"}'}),
        (
            content.forwarded(content.text("a")),
            {"Body": "a", "MessageType": "text", "Forwarded": "true", "FrequentlyForwarded": "false"},
        ),
        (content.unknown("x"), {"Body": "", "MessageType": "x"}),
    ],
)
def test_fields(said: Fields, want: Fields) -> None:
    assert said == want
