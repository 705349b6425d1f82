"""adapters/_mail/rebuild.py: what a provider took apart reads like the mail that it was."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._mail import MailLimits, carried, read_mail
from adapters._mail.rebuild import MAX_HEADERS, Piece, rebuilt
from tests.kit.pace import is_quick

HEADERS = [
    ("From", "Jörg <joe@x.example>"),
    ("Message-Id", "<m1@x.example>"),
    ("Content-Type", "text/html; x=y"),
    ("MIME-Version", "2"),
    ("Subject", "A\r\nBcc: eve@y.example"),
    ("bad name", "x"),
    ("Bad:name", "x"),
]
LIMITS = MailLimits()


def test_a_mail_with_everything() -> None:
    png = b"\x89PNG\r\n\r\n--=_\x00"
    data = rebuilt(HEADERS, "Grüße", "<p>Grüße</p>", [
        Piece(data=png, mime="image/png", filename="Bild ü.png"),
        Piece(data=b"x", mime="image/gif", content_id="<c@d>"),
    ])  # fmt: skip
    mail = read_mail(data, LIMITS)
    assert (mail.from_[0].name, mail.message_id, mail.subject) == ("Jörg", "m1@x.example", "A Bcc: eve@y.example")
    assert (mail.visible, mail.html) == ("Grüße", "<p>Grüße</p>")
    assert [(one.mime, one.filename, one.size, one.content_id) for one in mail.files] == [
        ("image/png", "Bild ü.png", len(png), None), ("image/gif", None, 1, "c@d"),
    ]  # fmt: skip
    assert [one.data for one in carried(data, LIMITS)] == [png, b"x"]
    names = [name for name, _ in message_from_bytes(data, policy=default).items()]
    assert names == ["From", "Message-Id", "Subject", "MIME-Version", "Content-Type"]


@pytest.mark.parametrize(
    ("text", "html", "visible"),
    [("Hi", None, "Hi"), (None, "<p>Hi</p>", "Hi"), ("", "<p>Hi</p>", "Hi"), (None, None, ""), ("", "", "")],
)
def test_bodies(text: str | None, html: str | None, visible: str) -> None:
    assert read_mail(rebuilt([], text, html), LIMITS).visible == visible


def test_the_same_fields_are_the_same_bytes() -> None:
    files = [Piece(data=b"x")]
    assert rebuilt(HEADERS, "a", "b", files) == rebuilt(HEADERS, "a", "b", files)
    assert rebuilt(HEADERS, "a", "b", files) != rebuilt(HEADERS, "a", "b", [Piece(data=b"y")])


def test_so_many_headers_and_no_more() -> None:
    head = rebuilt([("X", "1")] * (MAX_HEADERS + 1), "a", None)
    assert head.count(b"X: 1\r\n") == MAX_HEADERS


WILD = st.text(st.characters(codec=None), max_size=80)


@given(WILD, WILD, WILD, WILD, WILD, st.binary(min_size=1, max_size=80))
def test_nothing_breaks_out(name: str, value: str, text: str, filename: str, mime: str, data: bytes) -> None:
    made = rebuilt(
        [(name, value), ("Subject", value)],
        text,
        text,
        [Piece(data=data, mime=mime, filename=filename, content_id=value)],
    )
    mail = read_mail(made, LIMITS)
    assert len(mail.files) == 1
    assert [one.data for one in carried(made, LIMITS)] == [data]
    assert not any(one.lower() in ("bcc", "x-evil") for one, _ in mail.headers)


def test_large_files_are_not_encoded() -> None:
    pieces = [Piece(data=bytes(25_000_000))]
    assert len(rebuilt(HEADERS, "a", "b", pieces)) < 25_002_000
    assert is_quick(lambda: rebuilt(HEADERS, "a", "b", pieces), 0.25)
