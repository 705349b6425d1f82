"""adapters/_mail/fold.py: fields as they are written."""

import pytest

from adapters._mail.fold import LINE, NAME_MAX, SUBJECT_MAX, encoded, field, mailbox, one_line, unstructured


def test_words_are_folded_and_never_cut() -> None:
    assert field("References", ["<a@b>", "<" + "x" * 200 + "@y>", "<c@d>"]).split("\r\n") == [
        "References: <a@b>",
        " <" + "x" * 200 + "@y>",
        " <c@d>",
        "",
    ]


def test_a_line_is_as_long_as_it_may_be_and_no_longer() -> None:
    fits = LINE - len("A: ") - len(" bb")
    assert field("A", ["x" * fits, "bb"]).count("\r\n") == 1
    assert field("A", ["x" * (fits + 1), "bb"]).count("\r\n") == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\r\nb", "a b"), ("a\x00b\x85c\u2028d", "a b c d"), ("  a ", "a"), ("\ud800", "\ufffd"), ("\r\n", "")],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello there", ["Hello", "there"]),
        ("a  b", ["=?utf-8?b?YSAgYg==?="]),
        ("", ["=?utf-8?b??="]),
        ("=?x?=", ["=?utf-8?b?PT94Pz0=?="]),
        ("ü", ["=?utf-8?b?w7w=?="]),
        ("x" * (LINE + 1), ["=?utf-8?b?" + "eHh4" * 13 + "?=", "=?utf-8?b?" + "eHh4" * 12 + "eHg=?="]),
    ],
)
def test_what_would_not_come_back_is_encoded(text: str, words: list[str]) -> None:
    assert unstructured(text) == words


@pytest.mark.parametrize("letter", ["x", "ü", "日", "👍"])
def test_a_line_with_encoded_words_has_76_characters_at_most(letter: str) -> None:
    """RFC 2047 §2, and it counts the name of the field."""
    for made in (field("Reply-To", mailbox("a@x.example", letter * 120)), field("Subject", unstructured(letter * 240))):
        assert max(map(len, made.split("\r\n"))) <= 76


def test_a_subject_has_a_limit() -> None:
    """It is cut, and what is left of it is not encoded for a blank at its end."""
    assert unstructured("a " * SUBJECT_MAX) == ["a"] * (SUBJECT_MAX // 2)
    assert unstructured("b" * LINE + " " + "c" * SUBJECT_MAX) == list(
        encoded("b" * LINE + " " + "c" * (SUBJECT_MAX - LINE - 1))
    )


def test_no_character_is_spread_over_two_words() -> None:
    words = list(encoded("😀" * 40))
    assert [len(word) <= 75 for word in words] == [True] * len(words)
    assert len(words) == 5


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, ["a@b.example"]),
        (" \r\n", ["a@b.example"]),
        ("Joe Doe", ["Joe", "Doe", "<a@b.example>"]),
        ("Doe, Joe", ['"Doe, Joe"', "<a@b.example>"]),
        ('a"b\\c', ['"a\\"b\\\\c"', "<a@b.example>"]),
        ("ü", ["=?utf-8?b?w7w=?=", "<a@b.example>"]),
    ],
)
def test_mailboxes(name: str | None, shown: list[str]) -> None:
    assert mailbox("a@b.example", name) == shown


def test_a_name_has_a_limit() -> None:
    assert mailbox("a@b.example", "é" * (NAME_MAX + 1)) == mailbox("a@b.example", "é" * NAME_MAX)
    assert mailbox("a@b.example", "é" * NAME_MAX) != mailbox("a@b.example", "é" * (NAME_MAX - 1))
