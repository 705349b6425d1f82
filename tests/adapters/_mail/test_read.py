"""A mail as it was read, and its files."""

import pytest

from adapters._mail import MailLimits, carried, read_mail

LIMITS = MailLimits()
FILES = (
    b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHere:\nbegin 644 x.txt\n#0V%T\n`\nend\n--b\n"
    b"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\n--b\n"
    b"Content-Type: image/png\nContent-ID: <i1>\n\nPNG\n--b\nContent-Type: message/rfc822\n\n"
    b"Subject: inner\n\nwords\n--b--\n"
)


def test_files_are_carried_by_the_names_that_were_read() -> None:
    """Each with its bytes, decoded."""
    mail = read_mail(FILES, LIMITS)
    found = {one.ref: (one.data, one.mime) for one in carried(FILES, LIMITS)}
    assert found == {
        "part/2": (b"ABC", "application/pdf"),
        "part/3": (b"PNG", "image/png"),
        "part/4": (b"Subject: inner\n\nwords", "message/rfc822"),
        "part/1/1": (b"Cat", "application/octet-stream"),
    }
    assert [file.ref for file in mail.files] == list(found)
    assert [(file.filename, file.content_id, file.inline) for file in mail.files] == [
        ("a.pdf", None, False), (None, "i1", True), ("message.eml", None, False), ("x.txt", None, False)]  # fmt: skip


def test_at_most_so_many_files() -> None:
    """At the limit, and one past it; both agree."""
    for most, count in ((4, 4), (3, 3)):
        limits = MailLimits(max_files=most)
        assert len(read_mail(FILES, limits).files) == len(carried(FILES, limits)) == count


def test_facts_of_the_header() -> None:
    """Read once, for whoever asks."""
    mail = read_mail(
        b"From: a@x.example\nTo: b@y.example, B@y.example\nTo: c@y.example\nDelivered-To: d@y.example\n"
        b"Return-Path: <e@x.example>\n"
        b"Message-ID: <m@x.example>\nReferences: <1@x>\nReferences: <2@x>\nContent-Language: de, en\n"
        b"X-Original-Sender: f@x.example\nSubject: =?utf-8?q?=C3=A9?=\n\nhello",
        LIMITS,
    )
    assert [box.address for box in mail.to] == ["b@y.example", "c@y.example"]
    assert (mail.delivered_to, mail.return_path) == (("d@y.example",), "e@x.example")
    assert (mail.message_id, mail.references) == ("m@x.example", ("1@x", "2@x"))
    assert (mail.language, mail.subject, mail.size) == ("de", "é", 268)
    assert mail.rewritten_from is not None


def test_a_long_chain_keeps_both_ends() -> None:
    """Its first id names the thread, its last ones what is answered."""
    chain = " ".join(f"<{n}@x>" for n in range(500))
    found = read_mail(f"References: {chain}\n\nx".encode(), LIMITS).references
    assert (len(found), found[0], found[-1]) == (200, "0@x", "499@x")


def test_html_that_quotes_by_its_own_marks() -> None:
    """What is new, and what was quoted, without a text beside it."""
    mail = read_mail(b'Content-Type: text/html\n\n<p>New</p><blockquote type="cite">Old</blockquote>', LIMITS)
    assert (mail.visible, mail.quoted, mail.text) == ("New", "Old", "New\n\nOld")


PGP = b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n\nxx\n--b--\n"
HEAD = b"Content-Type: multipart/mixed; boundary=c\n\n--c\n"
P7M = b"Content-Type: application/pkcs7-mime; smime-type="


@pytest.mark.parametrize(
    ("data", "sealed", "signed"),
    [
        (HEAD + P7M + b"signed-data; name=invoice.xml.p7m\n\nxx\n--c--\n", None, None),
        (b"Content-Type: multipart/encrypted; boundary=b\n\n" + PGP, "pgp", None),
        (b"Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: multipart/encrypted; boundary=b\n\n" + PGP
         + b"--c\n\nfooter\n--c--\n", "pgp", None),
        (b"\n\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n", "pgp", None),
        (b"\nWhat is this?\n-----BEGIN PGP MESSAGE-----\n", None, None),
        (P7M + b"enveloped-data\n\nxx", "smime", None),
        (P7M + b"signed-data\n\nxx", "smime", "smime"),
        (HEAD + P7M + b"enveloped-data\n\nxx\n--c--\n", "smime", None),
        (b"Content-Type: multipart/signed; boundary=c\n\n--c\n\nHi\n--c\n\nproof\n--c--\n", None, "smime"),
    ],
)  # fmt: skip
def test_what_can_not_be_read(data: bytes, sealed: str | None, signed: str | None) -> None:
    """Encrypted, in whole or in part; or within a signature."""
    mail = read_mail(data, LIMITS)
    assert (mail.sealed, mail.signed) == (sealed, signed)


@pytest.mark.parametrize(
    ("head", "kind", "method"),
    [
        (b"text/calendar; method=reply", "calendar", "REPLY"),
        (b"text/calendar", "calendar", "REPLY"),
        (b"text/calendar; name=invite.ics", "message", "PUBLISH"),
        (b"text/calendar\nContent-Disposition: attachment", "message", "PUBLISH"),
    ],
)
def test_calendars(head: bytes, kind: str, method: str) -> None:
    """One that is part of the mail says what it wants; one that lies below it is a file."""
    data = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: " + head
    mail = read_mail(data + b"\n\nBEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n--b--\n", LIMITS)
    assert (mail.kind, mail.calendar) == (kind, method)
