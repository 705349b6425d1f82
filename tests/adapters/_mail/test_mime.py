"""Parts, found by their boundaries."""

import pytest

from adapters._mail.mime import Part, content, read_tree, size, uuencoded
from adapters._mail.model import MailLimits

LIMITS = MailLimits()
HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def shape(part: Part) -> object:
    return part.mime if not part.children else (part.mime, [shape(child) for child in part.children])


def bodies(data: bytes, limits: MailLimits = LIMITS) -> list[bytes]:
    tree = read_tree(data, limits)
    return [content(tree.data, leaf) for leaf in tree.root.leaves()]


def test_a_tree() -> None:
    """Parts within parts, numbered as they are read."""
    data = (
        HEAD + b"preamble\r\n--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n"
        b"Content-Type: text/html\r\n\r\ntwo\r\n--c--\r\n--b\r\nContent-Type: image/png\r\n\r\nthree\r\n--b--\r\nend"
    )
    tree = read_tree(data, LIMITS)
    alternative = ("multipart/alternative", ["text/plain", "text/html"])
    assert shape(tree.root) == ("multipart/mixed", [alternative, "image/png"])
    assert bodies(data) == [b"one", b"two", b"three"]
    assert [leaf.number for leaf in tree.root.leaves()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"just words", [b"just words"]),
        (b"words\n\nand more", [b"words\n\nand more"]),
        (b"", [b""]),
        (b"\r\nno header", [b"no header"]),
        (b"Subject: x", [b""]),
        (b"Subject: x\n\nbody", [b"body"]),
        (b"Subject: x\r\rbody\rline", [b"body\nline"]),
        (b"From joe Thu Jan 1\nSubject: x\n\nbody", [b"body"]),
        (b">From joe Thu Jan 1\nSubject: x\n\nbody", [b"body"]),
        (HEAD + b"--b\n\nno end", [b"no end"]),
        (HEAD + b"--b  \n\nblanks behind it\n--b--", [b"blanks behind it"]),
        (HEAD + b"--b\n\n--bad is no boundary\n--b--", [b"--bad is no boundary"]),
        (HEAD + b"--b\n\nx --b\n--b--\n--b\n\nafter the end", [b"x --b"]),
        (HEAD + b"--b\n--b\n\nx\n--b--", [b"", b"x"]),
        (b"Content-Type: multipart/mixed\n\nwords", [b"words"]),
        (b"Content-Type: multipart/mixed\n\n--guess\n\nx\n--guess--", [b"x"]),
        (b"Content-Type: multipart/mixed; boundary=other\n\n--b\n\nx\n", [b"x\n"]),
        (b"Content-Type: multipart/mixed; boundary=other\n\n--b\nContent-Type: text/plain\n\nx\n--b--\n", [b"x"]),
        (b"Content-Type: multipart/mixed; boundary=other\n\nx\n-- \nJoe\n", [b"x\n-- \nJoe\n"]),
        (
            b"Content-Type: multipart/mixed\n\nx\n-----Original Message-----\nFrom: y\n",
            [b"x\n-----Original Message-----\nFrom: y\n"],
        ),
    ],
)
def test_bodies(data: bytes, want: list[bytes]) -> None:
    """Nothing that a person wrote is lost where the structure is broken."""
    assert bodies(data) == want


def test_a_mail_within_a_mail_is_not_opened() -> None:
    """Nor is its structure."""
    inner = b"Content-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--c--"
    assert shape(read_tree(HEAD + b"--b\nContent-Type: message/rfc822\n\n" + inner, LIMITS).root) == (
        "multipart/mixed", ["message/rfc822"])  # fmt: skip


@pytest.mark.parametrize(("count", "cut"), [(3, ()), (4, ("max_parts",))])
def test_at_most_so_many_parts(count: int, cut: tuple[str, ...]) -> None:
    """At the limit, and one past it."""
    tree = read_tree(HEAD + b"--b\n\nx\n" * count, MailLimits(max_parts=3))
    assert (len(tree.root.children), tree.cut) == (3, cut)


@pytest.mark.parametrize(("levels", "cut"), [(3, ()), (4, ("max_depth",))])
def test_at_most_so_deep(levels: int, cut: tuple[str, ...]) -> None:
    """At the limit, and one past it; what lies deeper is not lost but unread."""
    data = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(levels)) + b"\nend"
    tree = read_tree(data, MailLimits(max_depth=3))
    assert tree.cut == cut
    assert b"end" in bodies(data, MailLimits(max_depth=3))[0]


@pytest.mark.parametrize(("most", "body", "cut"), [(13, b"hello", ()), (12, b"hell", ("max_bytes",))])
def test_at_most_so_many_bytes(most: int, body: bytes, cut: tuple[str, ...]) -> None:
    """At the limit, and one past it."""
    data = b"To: x\n\nhello"[:0] + b"To: xx\n\nhello"
    tree = read_tree(data, MailLimits(max_bytes=most))
    assert (content(tree.data, tree.root), tree.cut) == (body, cut)


def test_a_header_beyond_its_limit_ends_where_it_ends() -> None:
    """The text begins behind its blank line all the same."""
    data = b"Subject: " + b"x" * 500 + b"\n\nbody"
    tree = read_tree(data, MailLimits(max_header_bytes=100))
    assert (content(tree.data, tree.root), tree.cut) == (b"body", ("max_header_bytes",))


@pytest.mark.parametrize(
    ("encoding", "body", "want"),
    [
        ("base64", b"aGk=", b"hi"),
        ("BASE64 (x)", b"aG k", b"hi"),
        ("quoted-printable", b"a=3D=\nb", b"a=b"),
        ("Quoted-Printable", b"a=XX", b"a=XX"),
        ("7bit", b"=41", b"=41"),
        ("", b"x", b"x"),
        ("text/html", b"x", b"x"),
        ("8bit;", b"x", b"x"),
        ("x-uuencode", b"begin 644 a\n#0V%T\n`\nend\n", b"Cat"),
        ("x-uuencode", b"words", b"words"),
    ],
)
def test_encodings(encoding: str, body: bytes, want: bytes) -> None:
    """What is unknown is taken as it stands."""
    assert bodies(b"Content-Transfer-Encoding: " + encoding.encode() + b"\n\n" + body) == [want]


def test_the_size_of_a_file_is_known_without_decoding_it() -> None:
    """Within a few bytes."""
    data = b"Content-Transfer-Encoding: base64\n\n" + (b"QUFB" * 19 + b"\r\n") * 100
    tree = read_tree(data, LIMITS)
    assert abs(size(tree.root) - 5_700) < 30


def test_uuencoded_files() -> None:
    """They leave the text; what only looks like one stays."""
    text = b"a\nbegin 644 x.txt\n#0V%T\n`\nend\nb\nbegin 100 things\nzzzzzz zz\nend\n"
    kept, files = uuencoded(text)
    assert files == [("x.txt", b"Cat")]
    assert kept == b"a\n\nb\nbegin 100 things\nzzzzzz zz\nend\n"
    assert uuencoded(text, 0) == (text, [])
