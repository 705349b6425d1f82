"""Parts as text, and files as parts."""

from collections.abc import Callable

import pytest

from adapters._plain import answers, link, media_part, plain
from adapters.base import MediaFailed, Refused, TemplateRefused
from normalizer.envelope import (
    Audio,
    Choice,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Link,
    Location,
    MediaPart,
    MediaRef,
    Order,
    Part,
    Sticker,
    Template,
    Text,
    Video,
    Voice,
)

FILE = MediaRef(stored="f", filename="a.pdf")
URLS = {"f": "https://gw.example/f"}
TWO = (Choice("a", "Yes", "please"), Choice("b", "No"))


@pytest.mark.parametrize(
    ("part", "want"),
    [
        (Text(" a "), " a "),
        (Image(FILE, "see"), "see\nhttps://gw.example/f"),
        (Video(FILE), "https://gw.example/f"),
        (Document(FILE, "see"), "see\na.pdf\nhttps://gw.example/f"),
        (Audio(FILE), "https://gw.example/f"),
        (Voice(FILE), "https://gw.example/f"),
        (Sticker(FILE), "https://gw.example/f"),
        (Location(1.5, -2, "Shop", "Main St"), "Shop\nMain St\nhttps://maps.google.com/?q=1.500000,-2.000000"),
        (ContactCard("Ann", ("+1",), ("a@b",), "ACME"), "Ann\n+1\na@b\nACME"),
        (ChoicesOffered("?", TWO), "?\n\n1. Yes – please\n2. No"),
        (
            ChoicesOffered("?", link=Link("Shop", "https://s"), header="H", footer="F"),
            "H\n\n?\n\nShop: https://s\n\nF",
        ),
    ],
)
def test_plain(part: Part, want: str) -> None:
    """Nothing of it is left out."""
    assert plain(part, URLS) == want


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (Template("t", "en"), TemplateRefused),
        (ChoiceMade("a", "b"), Refused),
        (Order(()), Refused),
        (ChoicesOffered("?", (Choice("a", "x"), Choice("a", "y"))), Refused),
        (Image(MediaRef(stored="other")), MediaFailed),
    ],
)
def test_what_no_text_can_say(part: Part, error: type[Exception]) -> None:
    with pytest.raises(error):
        plain(part, URLS)


@pytest.mark.parametrize(
    ("media", "want"),
    [
        (MediaRef(stored="f", url="https://theirs"), "https://gw.example/f"),
        (MediaRef(url="https://theirs"), "https://theirs"),
        (MediaRef(stored="other", url="https://theirs"), None),
        (MediaRef(url="https://theirs", failed="gone"), None),
        (MediaRef(), None),
    ],
)
def test_link(media: MediaRef, want: str | None) -> None:
    """Ours where we hold the bytes; theirs only while we hold none."""
    if want is None:
        with pytest.raises(MediaFailed):
            link(media, URLS)
    else:
        assert link(media, URLS) == want


@pytest.mark.parametrize(
    ("mime", "kind"),
    [
        ("image/jpeg", Image), ("IMAGE/PNG; x=1", Image), ("video/mp4", Video), ("audio/ogg; codecs=opus", Voice),
        ("audio/mpeg", Audio), ("application/pdf", Document), ("text/vcard", Document), ("", Document),
        ("image", Document), ("image/a/b", Document), (None, Document),
    ],
)  # fmt: skip
def test_media_part(mime: str | None, kind: Callable[[MediaRef], MediaPart]) -> None:
    """By the type that its sender names."""
    assert media_part(MediaRef(url="https://a", mime=mime)) == kind(MediaRef(url="https://a", mime=mime))


@pytest.mark.parametrize(
    ("text", "want"),
    [('{"a":1}', '{"a":1}'), ("[1]", None), ("", None), ("{", None), ("hello", None), ('{"a":' * 100_000, None)],
)
def test_answers(text: str, want: str | None) -> None:
    """An object, or nothing."""
    assert answers(text) == want
