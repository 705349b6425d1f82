"""Which parts are the text."""

import pytest

from adapters._mail.mime import read_tree
from adapters._mail.model import MailLimits
from adapters._mail.text import blocks, file_parts, is_stub, unflowed, words

LIMITS = MailLimits()
A = (
    "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\nContent-Type: text/html\n\n<p>html</p>\n"
    "--a--\n"
)


def read(text: str) -> tuple[str, list[str]]:
    """The text, and the types of the files."""
    tree = read_tree(text.encode(), LIMITS)
    found = list(blocks(tree.root))
    return words(tree, found, LIMITS).text, [part.mime for part in file_parts(tree.root, found)]


def mixed(*parts: str, kind: str = "mixed") -> str:
    return f"Content-Type: multipart/{kind}; boundary=b\n\n" + "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"


@pytest.mark.parametrize(
    ("given", "text", "files"),
    [
        ("Content-Type: text/plain\n\nx", "x", []),
        ("Content-Type: text/plain; name=x.txt\n\nx", "x", []),
        ("Content-Type: image/png\n\nx", "", ["image/png"]),
        (A, "plain", []),
        (A.replace("plain\n", "\n"), "html", []),
        (mixed("\none", "Content-Type: text/html\n\n<p>two</p>"), "one\n\ntwo", []),
        (mixed(A, "Content-Type: image/png\n\nx"), "plain", ["image/png"]),
        (mixed("Content-Type: text/plain; name=a.txt\n\nx"), "", ["text/plain"]),
        (mixed("Content-Disposition: attachment\n\nx", "\nwords"), "words", ["text/plain"]),
        (
            mixed("Content-Type: text/html\n\n<p>a</p>", "Content-Type: image/png\n\nx", kind="related"),
            "a",
            ["image/png"],
        ),
        (
            mixed(
                "Content-Type: image/png\n\nx", "Content-ID: <r>\nContent-Type: text/html\n\n<p>a</p>", kind="related"
            ).replace("boundary=b", 'boundary=b; start="<r>"'),
            "a",
            ["image/png"],
        ),
        (mixed("\nsigned", "Content-Type: application/pgp-signature\n\nx", kind="signed"), "signed", []),
        (
            mixed("\nhuman", "Content-Type: message/delivery-status\n\nx", kind="report"),
            "human",
            ["message/delivery-status"],
        ),
        (mixed("\nplain", "Content-Type: text/x-amp-html\n\nx", kind="alternative"), "plain", []),
        (
            mixed("\nplain", "Content-Type: text/calendar; method=REQUEST\n\nx", kind="alternative"),
            "plain",
            ["text/calendar"],
        ),
        (mixed("\nVersion: 1", kind="encrypted"), "", ["text/plain"]),
    ],
)
def test_text_and_files(given: str, text: str, files: list[str]) -> None:
    """Every part is one of both."""
    assert read(given) == (text, files)


@pytest.mark.parametrize(
    ("plain", "stub"),
    [
        ("", True),
        (" \n", True),
        ("Please view this email in HTML.", True),
        ("Your mail client does not support HTML", True),
        ("This is an HTML message", True),
        ("I do not understand your HTML code, see line 3", False),
        ("We can meet at the view point", False),
        ("Please view this email in HTML. " + "x" * 400, False),
    ],
)
def test_stubs(plain: str, stub: bool) -> None:
    """A text that only points to the HTML."""
    assert is_stub(plain) == stub


@pytest.mark.parametrize(
    ("given", "delsp", "want"),
    [
        ("a \nb", False, "a b"),
        ("a\nb", False, "a\nb"),
        ("a \n> b", False, "a \n> b"),
        ("> a \n> b", False, "> a b"),
        (">> a \n> b", False, ">> a \n> b"),
        (" > a", False, "> a"),
        ("a \n-- \nb", False, "a \n-- \nb"),
        ("-- \nb", False, "-- \nb"),
        ("a \nb", True, "ab"),
        ("", False, ""),
    ],
)
def test_flowed_lines(given: str, delsp: bool, want: str) -> None:
    """RFC 3676: joined where they were broken for the way, by depth of quoting; a signature's mark stays."""
    assert unflowed(given, delsp) == want


@pytest.mark.parametrize(("most", "want"), [(5, "hello"), (4, "hell")])
def test_at_most_so_many_characters(most: int, want: str) -> None:
    """At the limit, and one past it."""
    tree = read_tree(b"Content-Type: text/plain\n\nhello", LIMITS)
    assert words(tree, list(blocks(tree.root)), MailLimits(max_text_chars=most)).text == want


@pytest.mark.parametrize(("most", "want"), [(8, "<p>a</p>"), (7, "<p>a</p")])
def test_at_most_so_much_html(most: int, want: str) -> None:
    """At the limit, and one past it."""
    tree = read_tree(b"Content-Type: text/html\n\n<p>a</p>", LIMITS)
    assert words(tree, list(blocks(tree.root)), MailLimits(max_html_chars=most)).html == want


def test_html_may_name_its_own_charset() -> None:
    """Where the header does not."""
    tree = read_tree(b"Content-Type: text/html\n\n<meta charset=koi8-r><p>\xf0\xf2</p>", LIMITS)
    assert words(tree, list(blocks(tree.root)), LIMITS).text == "ПР"
