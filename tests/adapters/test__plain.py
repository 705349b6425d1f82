"""Parts as text, and files as parts."""

from collections.abc import Callable

import pytest
from msgspec import Raw

from adapters._plain import SAYS, answers, envelope, known_by, link, media_part, plain, texts
from adapters.base import MediaFailed, RawInbound, Refused, TemplateRefused
from normalizer.address import Address, Scheme
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
    Message,
    Order,
    Part,
    Party,
    Sticker,
    Template,
    Text,
    Typing,
    Unsupported,
    Video,
    Voice,
)
from tests.kit.cases import ENDPOINT, NOW

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


# --- envelopes and texts ------------------------------------------------------------------------------------------


def raw(id: str) -> RawInbound:
    return RawInbound(id=id, endpoint_id=ENDPOINT, origin="webhook", received_at=NOW)


def test_an_event_with_a_key_is_the_same_event_in_every_delivery() -> None:
    """Without one it is the row; several of one row are several."""
    body = Unsupported(what="x")
    named = [envelope(raw(id), "x", body, {}, key="k") for id in ("a", "b")]
    assert named[0] == named[1]
    assert named[0].dedupe_keys == ("k",)
    rows = [envelope(raw(id), "x", body, {}, place=place) for id, place in (("a", 0), ("a", 1), ("b", 0))]
    assert len({one.id for one in rows}) == 3
    assert rows[0].dedupe_keys == ()


def test_the_slice_is_json() -> None:
    """Fields become it; JSON stays as it is. Nobody at all is left out."""
    made = envelope(raw("a"), "x", Unsupported(what="x"), {"a": "é"}, party=known_by(None))
    assert (bytes(made.raw or b""), made.party) == (b'{"a": "\\u00e9"}', Party())
    kept = envelope(raw("a"), "x", Unsupported(what="x"), Raw(b"[1]"), party=known_by(Address(Scheme.TEL, "+1")))
    assert (bytes(kept.raw or b""), str(kept.party.address)) == (b"[1]", "tel:+1")


def test_texts() -> None:
    """Every part, each split at the limit; nothing to say is refused."""
    assert texts(Message(parts=(Text("a b"), Text("c"))), {}, 1) == ["a", "b", "c"]
    for body in (Message(parts=()), Message(parts=(Text(" "),)), Typing()):
        with pytest.raises(Refused):
            texts(body, {}, 10)


def test_what_a_text_can_say_is_said_of_the_channel() -> None:
    """The types of parts that `plain` has words for."""
    parts: list[Part] = [
        Text("a"), Image(FILE), Audio(FILE), Voice(FILE), Video(FILE), Document(FILE), Sticker(FILE), Location(1, 2),
        ContactCard("a"), ChoicesOffered("?"),
    ]  # fmt: skip
    assert {str(part.__struct_config__.tag) for part in parts if plain(part, URLS)} == SAYS
