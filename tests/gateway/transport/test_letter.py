"""gateway/transport/letter.py: read back with Python's own parser, as a mail program would."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from io import BytesIO

import pytest

from adapters.base import Attachment, Refused
from gateway.transport.letter import letter, stuffed

LONG = "<" + "AM0PR08MB" * 9 + "@AM0PR08MB1234.eurprd08.prod.outlook.example>"
HEAD = f"From: a@shop.example\r\nReferences: {LONG}\r\n {LONG}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n".encode()
PLAIN = HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
BOTH = (
    HEAD
    + b"""MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_a"\r\n\r\n"""
    + b"--=_a\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    + b"--=_a\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--=_a--\r\n"
)
LIMIT = 1_000_000


def made(message: bytes, *files: tuple[Attachment, bytes], limit: int = LIMIT) -> bytes:
    return letter(message, [(one, BytesIO(data)) for one, data in files], limit)


def file(**facts: str) -> Attachment:
    return Attachment(**{"stored": "0" * 64, "filename": "a.png", "mime": "image/png", **facts})


def read(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, EmailMessage, policy=default)
    assert not mail.defects
    return mail


def attached(data: bytes) -> list[tuple[str | None, str, object]]:
    return [(p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in read(data).iter_attachments()]


def test_without_files_it_stays_as_it_is() -> None:
    assert made(BOTH) == BOTH


def test_every_line_ends_alike_and_the_last_one_ends() -> None:
    assert made(b"A: b\n\nx\ry\r\n\n\rz") == b"A: b\r\n\r\nx\r\ny\r\n\r\n\r\nz\r\n"


def test_lines_that_begin_with_a_dot() -> None:
    assert stuffed(b".\r\na.\r\n..\r\n.b\r\n") == b"..\r\na.\r\n...\r\n..b\r\n"


@pytest.mark.parametrize("message", [PLAIN, BOTH])
def test_files_stand_below_the_text(message: bytes) -> None:
    data = made(message, (file(), b"\x89PNG"), (file(filename="b.pdf", mime="application/pdf"), b"%PDF"))
    mail = read(data)
    text = mail.get_body(("plain",))
    assert mail.get_content_type() == "multipart/mixed"
    assert text is not None
    assert text.get_content().strip() == "hello"
    assert attached(data) == [("a.png", "image/png", b"\x89PNG"), ("b.pdf", "application/pdf", b"%PDF")]


def test_the_header_section_stays_byte_for_byte() -> None:
    assert made(BOTH, (file(), b"x")).startswith(HEAD)


def test_a_picture_inside_of_the_text() -> None:
    data = made(BOTH, (file(content_id="logo@shop.example"), b"\x89PNG"))
    related = next(part for part in read(data).walk() if part.get_content_type() == "multipart/related")
    page, picture = related.iter_parts()
    assert page.get_content_type() == "text/html"
    assert (picture["Content-ID"], picture.get_content_disposition()) == ("<logo@shop.example>", "inline")


def test_a_picture_for_a_text_without_html_stands_below_it() -> None:
    assert attached(made(PLAIN, (file(content_id="logo@x"), b"\x89PNG"))) == [("a.png", "image/png", b"\x89PNG")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Überweisung für März.pdf", "Überweisung für März.pdf"),
        ("請求書" * 40 + ".pdf", "請求書" * 40 + ".pdf"),
        ('a"b\\c.pdf', 'a"b\\c.pdf'),
        ("a\r\nX-Evil: 1\r\n.pdf", "a__X-Evil: 1__.pdf"),
        ("a\u2028b\x85c", "a_b_c"),
        ("\ud800", "_"),
        ("", "file"),
        ("  ", "file"),
    ],
)
def test_names_of_files(name: str, shown: str) -> None:
    data = made(PLAIN, (file(filename=name), b"x"))
    assert attached(data) == [(shown, "image/png", b"x")]
    assert b"\r\nX-Evil" not in data
    assert max(map(len, data.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("mime", "shown"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("message/rfc822", "application/octet-stream"),
        ("multipart/mixed", "application/octet-stream"),
        ("image/png\r\nX: y", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_types_of_files(mime: str, shown: str) -> None:
    assert attached(made(PLAIN, (file(mime=mime), b"x"))) == [("a.png", shown, b"x")]


def test_the_same_mail_gives_the_same_bytes() -> None:
    files = ((file(), b"x" * 500), (file(content_id="c@d"), b"y"))
    assert made(BOTH, *files) == made(BOTH, *files)


def test_a_limit_holds_for_the_whole() -> None:
    whole = made(PLAIN, (file(), b"x" * 5000))
    assert made(PLAIN, (file(), b"x" * 5000), limit=len(whole) + 200)
    for limit in (len(whole) - 1, 5000, 10):
        with pytest.raises(Refused, match="max_mail_bytes"):
            made(PLAIN, (file(), b"x" * 5000), limit=limit)
    assert made(PLAIN, limit=len(PLAIN)) == PLAIN
    with pytest.raises(Refused, match="max_mail_bytes"):
        made(PLAIN, limit=len(PLAIN) - 1)
