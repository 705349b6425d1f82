"""One item, one envelope: times and places."""

from itertools import count
from typing import Any

import pytest
from msgspec import Raw

from adapters.whatsapp.items import Items
from tests.adapters.whatsapp.support import SUBJECT, encoded, text_message
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("1749416383", "2025-06-08T20:59:43+00:00"),
        (1749416383, "2025-06-08T20:59:43+00:00"),
        (1749416383.5, "2025-06-08T20:59:43.500000+00:00"),
        ("1749416383000", "2025-06-08T20:59:43+00:00"),
        (1749416383000, "2025-06-08T20:59:43+00:00"),
        *(
            (odd, NOW.isoformat())
            for odd in (None, "", "x", "0", 0, -5, "-5", "nan", "inf", "1e300", "9" * 400, 10**40)
        ),
    ],
)
def test_time(given: Any, want: str) -> None:
    """Seconds or milliseconds, text or number; anything else is the time of arrival."""
    items = Items(SUBJECT.raw(b""), count())
    envelope = items.message(Raw(encoded({**text_message(), "timestamp": given})))
    assert envelope.occurred_at.isoformat() == want


def test_the_place_in_the_post_names_what_has_no_id() -> None:
    """Without an id of the provider's, the row and the place are the name."""
    items = Items(SUBJECT.raw(b"", id="row-7"), count())
    nameless = Raw(b'{"type":"text","text":{"body":"x"}}')
    first, second = items.message(nameless), items.message(nameless)
    assert first.dedupe_keys == second.dedupe_keys == ()
    assert first.id != second.id
    again = Items(SUBJECT.raw(b"", id="row-7"), count()).message(nameless)
    assert again.id == first.id
