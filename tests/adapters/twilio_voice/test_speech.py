"""What a voice can read."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.twilio_voice.speech import MAX_CHARS, recordings, spoken, token, words
from normalizer.envelope import Audio, Choice, ChoicesOffered, Image, Link, MediaRef, Text, Voice
from tests.kit.pace import is_quick

MEDIA = MediaRef(stored="aa")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello", "Hello"),
        ("**Hello** _there_, `x`", "Hello there, x"),
        ("# Title\n\nBody", "Title. Body"),
        ("- one\n- two", "one. two"),
        ("> quoted", "quoted"),
        ("One.\nTwo!", "One. Two!"),
        ("see [our shop](https://shop.example/a?b=c)", "see our shop"),
        ("see https://www.shop.example/a?b=c.", "see shop.example."),
        ("see <https://shop.example/a>", "see shop.example"),
        ("Thanks 😀🎉!", "Thanks !"),
        ("snake_case and 5 * 3", "snake_case and 5 * 3"),
        ("```py\nx = 1\n```", "x = 1"),
        ("a\n\n---\n\nb", "a. b"),
        ("a\x00b\ud800c\x07", "a b c"),
        ("Tom & <Jerry>", "Tom & <Jerry>"),
        ("  \n ", ""),
        ("日本語。\n次", "日本語。 次"),
        ("Größe: 5 €", "Größe: 5 €"),
    ],
)
def test_spoken(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("piece", "kept"),
    [("Hello", "Hello"), (" world", " world"), ("one. ", "one. "), (" ", " "), ("", ""), ("**a** ", "a "), ("😀", "")],
)
def test_a_piece_keeps_the_spaces_at_its_ends(piece: str, kept: str) -> None:
    assert token(piece) == kept


@given(st.text(max_size=200))
def test_whatever_is_written_can_be_put_into_xml(written: str) -> None:
    said = spoken(written)
    node = ET.Element("Say")
    node.text = said
    assert (ET.fromstring(ET.tostring(node)).text or "") == said
    assert "\n" not in said


@pytest.mark.parametrize("part", ["[", "*", "\n", "[a](", "- ", "_ ", "https://", " \n", "-- ", "(((", "`", "x\n\n"])
def test_no_text_takes_long(part: str) -> None:
    assert is_quick(lambda: spoken(part * MAX_CHARS), 0.25)


def test_choices_are_read_out() -> None:
    offered = ChoicesOffered("Which?", (Choice("a", "Red"), Choice("b", "Blue")), Link("Shop", "https://x.example"))
    assert words((Text("Hi."), offered)) == "Hi.\nWhich?\nRed\nBlue\nShop"


def test_recordings_are_played_and_pictures_are_not() -> None:
    parts = (Audio(MEDIA), Image(MEDIA), Voice(MEDIA), Text("x"))
    assert recordings(parts) == (Audio(MEDIA), Voice(MEDIA))
    assert words((Image(MEDIA),)) == ""
