"""Where sentences end while they are being written, and that nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from normalizer.sentences import let_go

MOST = 60


@pytest.mark.parametrize(
    ("text", "done", "held"),
    [
        ("Hello. How are you? Fine", ["Hello.", " How are you?"], " Fine"),
        ("Let me", [], "Let me"),
        ("Let me check.", ["Let me check."], ""),
        ("He said “Wait!” Then he left.", ["He said “Wait!”", " Then he left."], ""),
        ("“Really?” he said. No.", ["“Really?” he said.", " No."], ""),
        ("Well... maybe. Yes!", ["Well... maybe.", " Yes!"], ""),
        ("Wait… And see. ", ["Wait…", " And see."], " "),
        ("你好。再见。", ["你好。", "再见。"], ""),
        ("First line\nSecond line\n\nThird", ["First line", "\nSecond line"], "\n\nThird"),
        ("See example.com/a.b for more", [], "See example.com/a.b for more"),
    ],
)
def test_ends(text: str, done: list[str], held: str) -> None:
    assert let_go(text, MOST) == (done, held)


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("Dr. Smith is in. Go!", ["Dr. Smith is in.", " Go!"]),
        ("Ask J. R. Smith. Go!", ["Ask J. R. Smith.", " Go!"]),
        ("That is z. B. heute. Gut.", ["That is z. B. heute.", " Gut."]),
        ("Tea, milk etc. are here. Go!", ["Tea, milk etc. are here.", " Go!"]),
        ("Tea, milk etc. Then go.", ["Tea, milk etc.", " Then go."]),
        ("No. It is closed.", ["No.", " It is closed."]),
        ("Take No. 5 please. Go!", ["Take No. 5 please.", " Go!"]),
        ("So am I. Go!", ["So am I.", " Go!"]),
        ("It is 3.14 euros. Go!", ["It is 3.14 euros.", " Go!"]),
        ("It costs 5. Then more.", ["It costs 5.", " Then more."]),
        ("1. Open it. 2. Go on.", ["1. Open it.", " 2. Go on."]),
        ("Am 3. 12. geht es los. Gut.", ["Am 3. 12. geht es los.", " Gut."]),
    ],
)
def test_points_that_end_nothing(text: str, done: list[str]) -> None:
    assert let_go(text, MOST) == (done, "")


@pytest.mark.parametrize("text", ["It costs 3.", "Ask Dr.", "for J.", "Milk etc.", "1."])
def test_what_may_go_on_is_held_until_it_does_or_all_is_over(text: str) -> None:
    assert let_go(text, MOST) == ([], text)
    assert let_go(text, MOST, over=True) == ([text], "")


def test_white_space_alone_is_never_let_go() -> None:
    assert let_go(" \n ", MOST) == ([], " \n ")
    assert let_go(" \n ", MOST, over=True) == ([], "")
    assert let_go(" " * 3 * MOST, MOST) == ([], " " * 3 * MOST)
    assert let_go("Yes  \n\n No ", MOST, over=True) == (["Yes", "  \n\n No"], "")


def test_a_sentence_without_an_end_goes_at_a_comma_or_a_word() -> None:
    assert let_go("one two three, four five six", 20) == (["one two three,"], " four five six")
    assert let_go("one two three four five six", 20) == (["one two three four"], " five six")
    assert let_go("x" * 45, 20) == (["x" * 20, "x" * 20], "x" * 5)
    assert let_go("x" * 21, 20)[1] == "x"
    assert let_go("x" * 20, 20) == ([], "x" * 20)


def test_a_long_text_takes_no_noticeable_time() -> None:
    for text in ("a" * 200_000, ". " * 100_000, "a. " * 70_000, "\n" * 200_000, "1." * 100_000):
        done, held = let_go(text, 400)
        assert "".join(done) + held == text


WORDS = st.text(alphabet="aA1 .!?\n,;“”。e\u0301", max_size=120)


@example(pieces=["11111111111 \n"], most=11)
@example(pieces=["a" + " " * 40 + "b"], most=11)
@given(st.lists(WORDS, max_size=6), st.integers(5, 50))
def test_nothing_is_lost_however_it_comes(pieces: list[str], most: int) -> None:
    out: list[str] = []
    held = ""
    for piece in pieces:
        done, held = let_go(held + piece, most)
        out += done
    done, rest = let_go(held, most, over=True)
    out += done
    whole = "".join(pieces)
    assert whole.startswith("".join(out))
    assert not whole.removeprefix("".join(out)).strip()
    assert rest == ""
    assert all(0 < len(sentence.lstrip()) <= most for sentence in out)
