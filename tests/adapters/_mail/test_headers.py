"""Header fields by hand."""

from datetime import UTC, datetime

import pytest

from adapters._mail.headers import (
    Headers,
    base64_bytes,
    date,
    decoded_words,
    filename,
    ids,
    message_id,
    parameters,
    read_headers,
    safe_filename,
)
from adapters._mail.model import MailLimits

LIMITS = MailLimits()


def test_fields_are_unfolded() -> None:
    """Over several lines, with tabs, with bare line feeds; what is no field is left out."""
    headers = read_headers(b"Subject: One\r\n two\r\nnonsense\r\n\tthree\nTo:x\r\nX y: z\r\nto: second\r\n", LIMITS)
    assert headers.fields == [("subject", "One two three"), ("to", "x"), ("to", "second")]
    assert (headers.raw("to"), headers.all("to"), "cc" in headers) == ("x", ["x", "second"], False)


def test_control_characters_become_blanks() -> None:
    """No value has more than one line."""
    assert read_headers(b"Subject: a\rb\x00c\r\n", LIMITS).raw("subject") == "a b c"


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (MailLimits(max_headers=2), [("a", "1"), ("b", "2345")]),
        (MailLimits(max_value_chars=3), [("a", "1"), ("b", "234"), ("c", "6")]),
        (MailLimits(max_header_bytes=8), [("a", "1"), ("b", "")]),
        (MailLimits(max_header_bytes=12), [("a", "1"), ("b", "2345")]),
    ],
)
def test_each_limit_cuts(limits: MailLimits, fields: list[tuple[str, str]]) -> None:
    """What lies beyond is not there."""
    assert read_headers(b"A: 1\nB: 2345\nC: 6\n", limits).fields == fields


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?a_b=C3=A9?=", "a bé"),
        ("=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=", "éé"),
        ("=?utf-8?B?ww==?= =?utf-8?B?qQ==?=", "é"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8*en?q?b?=", "b"),
        ("=?x-unknown?q?caf=E9?=", "café"),
        ("=?utf-8?x?b?=", "=?utf-8?x?b?="),
        ("=?utf-8?q?a\u2028b?=", "a b"),
        ("=?utf-8?q?K=C3=B6ln, Köln?=", "Köln, Köln"),
        ("=?iso-8859-1?q?K=F6ln, Köln?=", "Köln, Köln"),
        ("=?utf-8?q?Where is it??=", "Where is it?"),
        ("=?utf-8?q?a?b?= =?utf-8?q?c?=", "a?bc"),
        ("=?utf-8?q?cut =?utf-8?q?whole?=", "=?utf-8?q?cut whole"),
        ("=?utf-8?q?a=0D=0ABcc:x?=", "a Bcc:x"),
        ("=?", "=?"),
    ],
)
def test_encoded_words(given: str, want: str) -> None:
    """Also those that are written wrongly; never a second line."""
    assert decoded_words(given) == want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("text/plain; charset=utf-8", ("text/plain", {"charset": "utf-8"})),
        ('Multipart/MIXED; Boundary="a;b\\"c"', ("multipart/mixed", {"boundary": 'a;b"c'})),
        ('x/y; name="open', ("x/y", {"name": "open"})),
        ("x/y; name*=iso-8859-1'en'caf%E9", ("x/y", {"name": "café"})),
        ("x/y; n*1=b; n*0=a; n*2*=%63", ("x/y", {"n": "abc"})),
        ("x/y; n=first; n=second", ("x/y", {"n": "first"})),
        ("x/y; n=plain; n*=utf-8''better", ("x/y", {"n": "better"})),
        ("x/y;;; ; =;a", ("x/y", {})),
        ("", ("", {})),
    ],
)
def test_parameters(given: str, want: tuple[str, dict[str, str]]) -> None:
    """RFC 2045, RFC 2231, and what stands in their place."""
    assert parameters(given) == want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("a.pdf", "a.pdf"),
        ("../../a.pdf", "a.pdf"),
        ("C:\\x\\a.pdf", "a.pdf"),
        ("a\x00\nb.pdf", "a_b.pdf"),
        ("a\u202efdp.exe", "a_fdp.exe"),
        ("...", None),
        ("", None),
        ("/", None),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("x" * 300, "x" * 200),
    ],
)
def test_safe_filename(given: str, want: str | None) -> None:
    """A name and nothing but a name."""
    assert safe_filename(given) == want


def test_the_disposition_names_the_file_before_the_type() -> None:
    """Both may."""
    both = Headers([("content-type", "x/y; name=b"), ("content-disposition", "attachment; filename=a")])
    assert (filename(both), filename(Headers(both.fields[:1])), filename(Headers([]))) == ("a", "b", None)


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("<a@b>", ("a@b",)),
        ("<a@b> <c@d>\t<a@b>", ("a@b", "c@d")),
        ("a@b", ("a@b",)),
        ("<a@b", ("a@b",)),
        ("(from me) <a@b> (x)", ("a@b",)),
        ("<>", ()),
        ("", ()),
        ("see a@b, c@d", ("a@b", "c@d")),
        ("<no-at>", ("no-at",)),
        ("<a b@c>", ()),
    ],
)
def test_ids(given: str, want: tuple[str, ...]) -> None:
    """By pattern, never by grammar."""
    assert ids(given) == want


@pytest.mark.parametrize(
    ("given", "want"),
    [("<a@b>", "a@b"), ("<a b@c> junk", "ab@c"), ("junk", "junk"), ("<>", None), ("", None), ("<a@[>", "a@[")],
)
def test_message_id(given: str, want: str | None) -> None:
    """A broken one still names its mail."""
    assert message_id(given) == want


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "Thu, 99 Foo 2026",
        "1 Jan 99999 00:00:00 +0000",
        "1 Jan 2026 99:99:99 +0000",
        "1 Jan 1 0:0 +2359",
        "(" * 9_000,
        "1 Jan 2026 10:00:00 +999999",
    ],
)
def test_no_date(given: str) -> None:
    """None, whatever it is; never an error."""
    found = date(given)
    assert found is None or found.tzinfo is UTC


def test_dates_are_in_utc() -> None:
    """Without a zone they are taken for it."""
    want = datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert date("Thu, 1 Jan 2026 12:00:00 +0200") == date("1 Jan 2026 10:00:00") == want


@pytest.mark.parametrize(
    ("given", "want"),
    [(b"w6k=", "é"), (b"w6k", "é"), (b"w6\r\nk=", "é"), (b"!w!6!k!", "é"), (b"w6k=w6k=", "éé"), (b"w", ""), (b"", "")],
)
def test_base64(given: bytes, want: str) -> None:
    """Whatever can be had of it."""
    assert base64_bytes(given).decode() == want
