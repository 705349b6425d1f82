"""What of a part can be read."""

from __future__ import annotations

import pytest

from normalizer.parts import (
    Audio,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Location,
    MediaRef,
    Order,
    Part,
    Sticker,
    Template,
    Text,
    Video,
    Voice,
    part_text,
)

FILE = MediaRef()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Text("hello"), "hello"),
        (Image(FILE, "a chair"), "a chair"),
        (Image(FILE), ""),
        (Video(FILE, "a room"), "a room"),
        (Document(FILE, "the bill"), "the bill"),
        (Voice(FILE, "call me"), "call me"),
        (Voice(FILE), ""),
        (Audio(FILE), ""),
        (Sticker(FILE), ""),
        (Location(1.5, 2.5, "Shop", "1 High Street"), "Shop 1 High Street"),
        (Location(1.5, 2.5, address="1 High Street"), "1 High Street"),
        (Location(1.5, 2.5), ""),
        (ContactCard("Ann", phones=("+491",)), "Ann"),
        (ChoicesOffered("Which one?", header="Chairs"), "Which one?"),
        (ChoiceMade("id-1", "The red one"), "The red one"),
        (Template("welcome", "en"), "welcome"),
        (Order((), text="by Friday"), "by Friday"),
        (Order(()), ""),
    ],
)
def test_what_a_person_would_read(part: Part, text: str) -> None:
    assert part_text(part) == text
