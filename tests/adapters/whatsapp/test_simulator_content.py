"""What a customer sends is what is read."""

from typing import Any

import pytest

from adapters.whatsapp import simulator_content as content
from normalizer.envelope import (
    Audio,
    ChoiceMade,
    ContactCard,
    Document,
    Image,
    Location,
    MediaRef,
    Message,
    Order,
    OrderItem,
    Part,
    Sticker,
    Text,
    Video,
    Voice,
)
from tests.adapters.whatsapp.simulated import meta, sheena
from tests.adapters.whatsapp.support import SUBJECT
from tests.kit import check_round_trip
from tests.kit.cases import NOW

REF = MediaRef(external_id="m1", mime="image/jpeg")
SPOKEN: list[tuple[str, dict[str, Any], Part]] = [
    ("text", content.text("grüße 😀 / \u0000"), Text("grüße 😀 / \u0000")),
    ("image", content.media("image", "m1", "image/jpeg", caption="c"), Image(REF, "c")),
    ("video", content.media("video", "m1", "image/jpeg"), Video(REF)),
    ("audio", content.media("audio", "m1", "image/jpeg"), Audio(REF)),
    ("voice", content.voice("m1"), Voice(MediaRef(external_id="m1", mime="audio/ogg; codecs=opus"))),
    (
        "document",
        content.media("document", "m1", "image/jpeg", filename="é.pdf"),
        Document(MediaRef(external_id="m1", mime="image/jpeg", filename="é.pdf")),
    ),
    ("sticker", content.media("sticker", "m1", "image/jpeg"), Sticker(REF)),
    ("location", content.location(0.0, -1.5, "here"), Location(0.0, -1.5, "here")),
    ("button", content.button("a", "A"), ChoiceMade("a", "A")),
    ("row", content.row("a", "A", "the first"), ChoiceMade("a", "A", "the first")),
    ("form", content.form({"size": "M"}), ChoiceMade("flow", "Sent", form='{"size": "M"}')),
    ("quick reply", content.quick_reply("p", "P"), ChoiceMade("p", "P")),
    ("order", content.order("cat", ("p", 2, 7.99, "USD")), Order((OrderItem("p", 2, "7.99", "USD"),), "cat")),
    ("card", content.card("Al", "+1650", requested=True), ContactCard("Al", ("+1650",), requested=True)),
]


@pytest.mark.parametrize(("label", "said", "want"), SPOKEN, ids=[row[0] for row in SPOKEN])
def test_what_a_customer_sends_is_what_is_read(label: str, said: dict[str, Any], want: Part) -> None:
    """Every kind of message, escaped and signed as Meta does, comes out as it went in."""
    simulated, customer = meta(), sheena()
    message_id = simulated.send(customer, said, NOW)
    (request,) = simulated.due(NOW)
    assert request.body.isascii()
    (envelope,) = check_round_trip(SUBJECT, request, [Message(parts=(want,))])
    assert envelope.external_id == message_id, label
    assert envelope.party.name == "Sheena"
    assert [claim.address.value for claim in envelope.party.claims] == [customer.phone, customer.user_id]
