"""HTML of strangers."""

import pytest

from adapters._mail import html
from adapters._mail.html import is_tame, sanitized, text_of, without_quotes


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("<p>Hi <b>you</b></p>", "<p>Hi <b>you</b></p>"),
        ("<script>x()</script><p onclick=x()>a</p>", "<p>a</p>"),
        ('<img src="https://x.example/spy.gif">', "<img>"),
        ('<img src="cid:i1" alt="a">', '<img src="cid:i1" alt="a">'),
        ('<img src=" CID:i1">', '<img src=" CID:i1">'),
        ('<img src="data:image/png;base64,x">', "<img>"),
        ('<a href="javascript:x()">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="https://x.example">a</a>', '<a href="https://x.example" rel="noopener noreferrer">a</a>'),
        ('<div style="background:url(https://x.example)">a</div>', "<div>a</div>"),
        ('<table background="https://x.example/a.gif"><tr><td>a</td></tr></table>',
         "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ("<iframe src=x></iframe><form><input></form><object></object>a", "a"),
        ("<svg><script>x</script></svg>a", "a"),
        ("<style>@import 'https://x.example'</style>a", "a"),
        ("<!-- x -->a", "a"),
    ],
)  # fmt: skip
def test_sanitized(given: str, want: str) -> None:
    """Nothing that runs, nothing that is loaded from elsewhere."""
    assert sanitized(given) == want


@pytest.mark.parametrize(
    ("given", "tame"),
    [
        ("<div>" * html.MAX_DEPTH, True), ("<div>" * (html.MAX_DEPTH + 1), False),
        ("<p>x</p>" * (html.MAX_TAGS // 2), True), ("<p>x</p>" * (html.MAX_TAGS // 2) + "<br>", False),
        ("&" * html.MAX_ENTITIES, True), ("&" * (html.MAX_ENTITIES + 1), False),
        ("<div></div>" * 5_000, True), ("<p>" * 5_000, True), ("</div>" * 500 + "<div>" * 150, True),
    ],
)  # fmt: skip
def test_what_is_tame(given: str, tame: bool) -> None:
    """At each limit, and one past it; what is not is read as text alone."""
    assert is_tame(given) == tame
    assert (sanitized(given) is not None) == tame
    assert isinstance(text_of(given), str)


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("<p>a</p><p>b</p>", "a\n\nb"), ("a<br>b&nbsp;c", "a\nb c"), ("<ul><li>a<li>b</ul>", "* a\n* b"),
        ("<style>x</style><title>t</title>a", "a"), ("a &lt; b", "a < b"), ("", ""), ("a\x00b", "ab"), ("<", "<"),
        ("<p>a" + "<br>x" * html.TO_TEXT_TAGS, "a" + "\nx" * html.TO_TEXT_TAGS),
    ],
)  # fmt: skip
def test_as_text(given: str, want: str) -> None:
    """As a person reads it, the short way too."""
    assert text_of(given) == want


@pytest.mark.parametrize(
    ("given", "outside", "inside"),
    [
        ('a<div class="gmail_quote">b<div>c</div></div>d', "ad", '<div class="gmail_quote">b<div>c</div></div>'),
        ('a<blockquote type="cite">b</blockquote>d', "ad", '<blockquote type="cite">b</blockquote>'),
        ("a<blockquote>b</blockquote>", "a<blockquote>b</blockquote>", ""),
        ('a<div id="divRplyFwdMsg">b</div>c', "a", '<div id="divRplyFwdMsg">b</div>c'),
        ('a<div class="x yahoo_quoted y">b', "a", '<div class="x yahoo_quoted y">b'),
        ('a<div class="not_gmail_quoted">b</div>', 'a<div class="not_gmail_quoted">b</div>', ""),
        ("a<div type=cite>b</div>c<div type=cite>d</div>", "ac", "<div type=cite>b</div><div type=cite>d</div>"),
    ],
)
def test_quotes(given: str, outside: str, inside: str) -> None:
    """What mail programs mark, with what is within; what stands below it is new."""
    assert without_quotes(given) == (outside, inside)
