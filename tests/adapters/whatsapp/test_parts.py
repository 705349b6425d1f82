"""The content of a message, where it is odd."""

from decimal import Decimal

import pytest

from adapters.whatsapp import wire
from adapters.whatsapp.parts import media_ref, parts_of
from normalizer.envelope import ContactCard, Order

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", DIGEST), (DIGEST, DIGEST), (DIGEST.upper(), DIGEST),
        ("", None), (None, None), ("n4bQ", None), ("?" * 44, None), ("zz" * 32, None), (DIGEST[:-1], None),
    ],
)  # fmt: skip
def test_digest(given: str | None, want: str | None) -> None:
    """Base64 as documented, hex as elsewhere in the same API; never half a digest."""
    ref = media_ref(wire.Media(id="1", sha256=given))
    assert ref is not None
    assert ref.sha256 == want


@pytest.mark.parametrize(
    ("price", "want"),
    [("7.99", "7.99"), ("7.90", "7.90"), ("30", "30"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("NaN", "NaN"),
     ("1E+999999", "1E+999999")],
)  # fmt: skip
def test_price(price: str, want: str) -> None:
    """Decimal text with its zeros, and never a page of them."""
    order = wire.OrderBody([wire.Product("p", 1, Decimal(price), "USD")])
    parts = parts_of(wire.Message(type="order", order=order))
    assert parts is not None
    assert isinstance(parts[0], Order)
    assert parts[0].items[0].price == want


def test_a_card_without_anything() -> None:
    """It is kept, empty as it is."""
    assert parts_of(wire.Message(type="contacts", contacts=[wire.Card()])) == (ContactCard(name=""),)


@pytest.mark.parametrize("kind", ["hologram", "", "system"])
def test_unknown(kind: str) -> None:
    """A type that has no parts is not taken for one that can not be read."""
    with pytest.raises(KeyError):
        parts_of(wire.Message(type=kind))


@pytest.mark.parametrize(
    "kind",
    ["text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "interactive",
     "button", "order"],
)  # fmt: skip
def test_known_without_content(kind: str) -> None:
    """Known, and nothing in it to read."""
    assert parts_of(wire.Message(type=kind)) is None
