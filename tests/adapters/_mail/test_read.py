"""A mail as it was read, and its files."""

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


def test_an_opaque_signature_is_no_secret() -> None:
    """Its words are within a file, but nobody hid them."""
    head = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n\nxx"
    mail = read_mail(head, LIMITS)
    assert (mail.sealed, mail.signed, len(mail.files)) == (None, "smime", 1)
