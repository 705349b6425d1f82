"""Splitting and cutting text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.text import cut, one_line, split, tidy

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("label", "text", "limit", "want"),
    [
        ("short text is one piece", "hello", 5, ["hello"]),
        ("blank text is no piece", " \n ", 5, []),
        ("a paragraph goes before a line", "aaa bbb\n\nccc\nddd", 13, ["aaa bbb", "ccc\nddd"]),
        ("a line goes before a sentence", "One. Two\nthree. Four", 16, ["One. Two", "three. Four"]),
        ("a sentence goes before a word", "One is it. Two is", 14, ["One is it.", "Two is"]),
        ("closing quotes belong to their sentence", 'He said "no." And left', 16, ['He said "no."', "And left"]),
        ("a sentence of a script without spaces ends too", "你好吗。我很好", 5, ["你好吗。", "我很好"]),
        ("a word stays whole", "alpha beta gamma", 11, ["alpha beta", "gamma"]),
        ("a border may stand at the limit itself", "alpha beta gamma", 10, ["alpha beta", "gamma"]),
        ("an early paragraph does not make a small piece", "a\n\nbbbb cccc dddd", 12, ["a\n\nbbbb cccc", "dddd"]),
        ("an early border is better than a torn word", "a bbbbbbbbbbbb", 12, ["a", "bbbbbbbbbbbb"]),
        ("a long word is cut at the limit", "abcdefgh", 3, ["abc", "def", "gh"]),
        ("a family stays together", "ab" + FAMILY, 5, ["ab", FAMILY[:5], FAMILY[5:]]),
        ("a family that fits moves as a whole", "abcd" + FAMILY, 8, ["abcd", FAMILY]),
        ("a skin tone stays", "aaa👍🏽", 4, ["aaa", "👍🏽"]),
        ("a flag stays", "a🇩🇪🇫🇷", 4, ["a🇩🇪", "🇫🇷"]),
        ("an accent stays with its letter", "abce\u0301", 4, ["abc", "e\u0301"]),
        ("a variation selector stays", "abc❤\ufe0f", 4, ["abc", "❤\ufe0f"]),
        ("a torn surrogate pair stays together", "abc\ud83d\ude00", 4, ["abc", "\ud83d\ude00"]),
        ("Hangul letters stay a syllable", "ab\u1112\u1161\u11ab", 4, ["ab", "\u1112\u1161\u11ab"]),
        ("whitespace between pieces goes", "alpha  \n  beta", 6, ["alpha", "beta"]),
        ("a blank run longer than the limit gives no piece", "a" + " " * 20 + "b", 4, ["a", "b"]),
    ],
)
def test_split(label: str, text: str, limit: int, want: list[str]) -> None:
    assert split(text, limit) == want, label


@given(st.text(alphabet=st.characters(), max_size=200), st.integers(1, 40))
def test_pieces_are_short_and_lose_only_whitespace(text: str, limit: int) -> None:
    """Every piece fits and none is blank; together they are the text but for whitespace."""
    pieces = split(text, limit)
    assert all(0 < len(piece) <= limit and piece.strip() for piece in pieces)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)


def test_a_megabyte_is_split_in_linear_time() -> None:
    """A long text without any border, and one of borders only, take no noticeable time."""
    start = time.perf_counter()
    assert len(split("x" * 1_000_000, 4096)) == 245
    assert len(split("a\n\n" * 300_000, 4096)) > 200
    assert split(" " * 1_000_000, 4096) == []
    assert time.perf_counter() - start < 5


def test_a_limit_of_nothing_is_a_mistake() -> None:
    """There is no piece of no characters."""
    with pytest.raises(ValueError, match="at least one"):
        split("a", 0)


@pytest.mark.parametrize(
    ("label", "text", "limit", "want"),
    [
        ("what fits stays", "Order", 5, "Order"),
        ("a word stays whole", "Order status now", 14, "Order status…"),
        ("punctuation before the ellipsis goes", "Well, then go", 7, "Well…"),
        ("a long word is cut", "Donaudampfschiff", 6, "Donau…"),
        ("an emoji is not torn", "ab👍🏽", 4, "ab👍🏽"),
        ("an emoji that does not fit goes", "abc👍🏽", 4, "abc…"),
        ("one character is the ellipsis", "abc", 1, "…"),
    ],
)
def test_cut(label: str, text: str, limit: int, want: str) -> None:
    assert cut(text, limit) == want, label


def test_one_line() -> None:
    """Line breaks and runs become single spaces."""
    assert one_line("  a\n\tb   c ") == "a b c"


def test_tidy() -> None:
    """Foreign line ends, trailing blanks and runs of blank lines go; indentation stays."""
    assert tidy("a  \r\n\r\n\r\n  b\u2028c\t\n\n") == "a\n\n  b\nc"
