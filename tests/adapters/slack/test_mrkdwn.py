"""Markup read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.mrkdwn import EMOJI, decode, emoji_of, encode, mentions, name_of


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a &lt;b&gt; &amp;lt; c", "a <b> &lt; c"),
        ("<@U1> and <@U2|bo>", "@U1 and @bo"),
        ("<#C1> <#C2|> <#C3|talk> <#C4|#talk>", "#C1 #C2 #talk #talk"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@sales> <!subteam^S2>", "@sales @S2"),
        ("<!date^1^{date}^https://a.example|Feb 18>", "Feb 18"),
        ("<https://a.example|A & B>", "A & B (https://a.example)"),
        ("<https://a.example/|a.example>", "https://a.example/"),
        ("<https://a.example|https://a.example>", "https://a.example"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("<>", "<>"),
        ("1 < 2 and a > b", "1 < 2 and a > b"),
        ("*bold* _it_ ~no~ `code`", "*bold* _it_ ~no~ `code`"),
    ],
)
def test_decode(text: str, want: str) -> None:
    assert decode(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("<@UBOT> hi", "hi"),
        ("  <@UBOT|support>, hi", "hi"),
        ("<@UBOT>: hi <@UBOT>", "hi @UBOT"),
        ("hi <@UBOT>", "hi @UBOT"),
        ("<@UBOTTOM> hi", "@UBOTTOM hi"),
    ],
)
def test_our_own_name_at_the_beginning_is_left_out(text: str, want: str) -> None:
    assert decode(text, "UBOT") == want


@given(st.text())
def test_what_is_sent_is_read_as_it_was(text: str) -> None:
    """Whatever it holds, nothing in it is markup."""
    assert decode(encode(text)) == text
    assert "<" not in encode(text)


def test_mentions() -> None:
    """The whole id, with or without a name."""
    assert mentions("a <@U1> b", "U1")
    assert mentions("<@U1|bo>", "U1")
    assert not mentions("<@U12>", "U1")
    assert not mentions("@U1", "U1")


@pytest.mark.parametrize("name", EMOJI)
def test_names_of_emoji_go_there_and_back(name: str) -> None:
    """Two names of one picture become the first."""
    back = name_of(emoji_of(name))
    assert back is not None
    assert EMOJI[back] == EMOJI[name]


@pytest.mark.parametrize(
    ("emoji", "name"),
    [
        ("❤️", "heart"),
        ("👍🏽", "+1::skin-tone-4"),
        (":our_logo:", "our_logo"),
        ("our_logo", "our_logo"),
        (":wave::skin-tone-2:", "wave::skin-tone-2"),
        ("🧿", None),
        ("two words", None),
        ("", None),
    ],
)
def test_name_of(emoji: str, name: str | None) -> None:
    assert name_of(emoji) == name


def test_a_name_that_is_not_known_stays() -> None:
    assert emoji_of("our_logo") == ":our_logo:"
    assert emoji_of("+1::skin-tone-6") == "👍🏿"
