"""What comes in: mails as they are written, by people and by machines, and every other sequence of bytes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import Malformed
from adapters.mail.parse import context_of, parse
from normalizer.envelope import Message
from tests.adapters.mail.mails_machines import DSN, LOOPS, WORDS
from tests.adapters.mail.mails_people import SENDERS, THREADS, TIMES
from tests.adapters.mail.mails_text import FILES, MARKUP, QUOTES, TEXT
from tests.adapters.mail.support import ADDRESS, CONFIG, SUBJECT, mail
from tests.kit import InboundCase, check_inbound, check_parsed, check_survives

CASES = [*TEXT, *MARKUP, *QUOTES, *FILES, *SENDERS, *TIMES, *THREADS, *DSN, *WORDS, *LOOPS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)


def test_there_are_enough_of_them() -> None:
    """Each says another fact."""
    assert len({case.label for case in CASES}) == len(CASES) >= 60


# --- what stands beside a message ---------------------------------------------------------------------------------


def test_the_whole_mail_is_kept_beside_what_is_new() -> None:
    """The raw has the text with its quotes and signature, the HTML without what it loads, and the header."""
    html = '<p>Yes.</p><img src="https://x.example/spy.gif"><div class="gmail_quote">Old?</div>'
    data = mail(f"Content-Type: text/html\nX-Mailer: Tool\n\n{html}\n")
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(data))
    raw = json.loads(bytes(envelope.raw or b""))
    assert (raw["text"], raw["quoted"]) == ("Yes.\n\nOld?", "Old?")
    assert "spy.gif" not in raw["html"]
    assert ["x-mailer", "Tool"] in raw["headers"]
    assert raw["from"] == ["Joe Doe <joe@x.example>"]


def test_the_same_mail_in_another_folder_is_the_same() -> None:
    """The header that the servers on its way wrote may differ; the body may not."""
    first, again = mail(), mail("Delivered-To: x@y.example\n\nHello\n")
    keys = [SUBJECT.adapter.parse(SUBJECT.raw(data))[0].dedupe_keys for data in (first, again)]
    assert keys[0] == keys[1]


def test_another_body_under_the_same_id_is_another_mail() -> None:
    """Some senders use their ids again."""
    keys = [SUBJECT.adapter.parse(SUBJECT.raw(mail(f"\n{text}\n")))[0].dedupe_keys for text in ("One", "Two")]
    assert keys[0] != keys[1]


def test_a_bounce_that_comes_twice_is_one_failure() -> None:
    """Two servers may report the same thing."""
    data = DSN[0].body
    again = data.replace(b"<m1@x.example>", b"<m2@x.example>").replace(b"Sorry.", b"Verily sorry.")
    keys = [SUBJECT.adapter.parse(SUBJECT.raw(one))[0].dedupe_keys for one in (data, again)]
    assert keys[0] == keys[1]


# --- bad input ----------------------------------------------------------------------------------------------------


def test_what_is_posted_is_no_mail() -> None:
    """A mail is fetched; nobody may post one."""
    with pytest.raises(Malformed):
        parse(SUBJECT.raw(b"x", method="POST"), CONFIG)


@pytest.mark.parametrize(
    ("header", "at"),
    [("2026-01-01T10:00:00Z", True), ("2026-01-01T10:00:00", False), ("soon", False), ("9999-99", False), ("", False),
     ("0001-01-01T00:00:00+14:00", False)],
)  # fmt: skip
def test_the_time_of_arrival_is_believed_when_it_is_one(header: str, at: bool) -> None:
    """It is the listener's word; what is none counts as not said."""
    context = context_of(SUBJECT.raw(b"", beside={"x-internal-date": header, "x-full-size": header}), CONFIG)
    assert (context.arrived_at is not None) == at
    assert context.full_size is None


H = b"From: joe@x.example\r\nTo: support@shop.example\r\nMessage-ID: <1@x.example>\r\n"
PARTS = H + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
MARKUP_HEAD = H + b"Content-Type: text/html\r\n\r\n"
BOUNCE = b"From: mailer-daemon@x.example\r\nSubject: undelivered\r\n\r\nundeliverable\r\n"
HOSTILE = {
    "nothing": b"",
    "200,000 parts": PARTS + b"--b\r\n\r\nx\r\n" * 200_000,
    "200,000 files": PARTS + b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 200_000,
    "200,000 texts in HTML": PARTS + b"--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n" * 200_000,
    "a header of a million characters": H + b"Subject: " + b"a" * 1_000_000 + b"\r\n\r\nhi",
    "a million References": H + b"References: " + b"<a@b> " * 170_000 + b"\r\n\r\nhi",
    "a million recipients": H + b"Cc: " + b"a@b.c," * 170_000 + b"\r\n\r\nhi",
    "brackets in a header": H + b"Cc: " + b"(" * 1_000_000 + b"\r\n\r\nhi",
    "a million encoded words": H + b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\r\n\r\nhi",
    "20,000 levels": b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(20_000)),
    "a million brackets": b"[" * 1_000_000,
    "a million brackets of text": H + b"\r\n" + b"[" * 1_000_000,
    "HTML of 100,000 levels": MARKUP_HEAD + b"<div>" * 100_000,
    "HTML of half opened tags": MARKUP_HEAD + b"<a " * 300_000,
    "HTML of brackets": MARKUP_HEAD + b"<" * 1_000_000,
    "HTML of tables": MARKUP_HEAD + b"<table><tr><td>" * 60_000,
    "HTML of entities": MARKUP_HEAD + b"&amp;" * 200_000,
    "HTML of quotes": MARKUP_HEAD + b'<div class="gmail_quote">' * 40_000,
    "a million blank lines": H + b"\r\n" + b"\n" * 1_000_000,
    "a million quote signs": H + b"\r\n" + b"> " * 500_000,
    "attributions": H + b"\r\n" + b"On a wrote :\n" * 80_000,
    "one line of attributions": H + b"\r\n" + b"On " * 330_000 + b":",
    "long lines that may be attributions": H + b"\r\n" + (b"on 1 " * 59 + b":\n") * 3_000,
    "flowed lines": H + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \n" * 300_000,
    "uuencoded beginnings": H + b"\r\n" + b"begin 644 x\n" * 80_000 + b"end",
    "a report of 50,000 recipients": (
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + b"Final-Recipient: rfc822; a@b.c\r\nAction: failed\r\n\r\n" * 50_000
    ),
    "a bounce of 5,000 recipients": BOUNCE + b"".join(b"<a%d@b.c>: 550 no\n" % n for n in range(5_000)),
    "a bounce that is nearly an id of ours": BOUNCE + b"a.b" * 60_000,
    "every byte": bytes(range(256)) * 4_000,
}  # fmt: skip
WARM_UP = SUBJECT.adapter.parse(SUBJECT.raw(mail("Content-Type: text/html\n\n<p>x</p>\n")))


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_mails_take_a_moment(label: str) -> None:
    """Half a second on a machine that others use, too; alone each takes less than half of that."""
    envelopes = check_survives(SUBJECT, HOSTILE[label], max_s=0.5)
    assert envelopes is not None
    assert len(envelopes) == 1


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_survive(data: bytes) -> None:
    """As a whole, and as header or body of what is otherwise a mail."""
    for body in (data, H + data, H + b"\r\n" + data, PARTS + b"--b\r\n" + data + b"\r\n--b--", MARKUP_HEAD + data):
        envelopes = check_survives(SUBJECT, body)
        assert envelopes


FIELDS = [
    "From", "To", "Cc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
    "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Authentication-Results",
    "Auto-Submitted", "List-Id", "List-Post", "Return-Path", "X-Failed-Recipients", "Delivered-To", "Content-Language",
]  # fmt: skip
ODD = [
    '"', "a@b, \"", "a@[", "x@[1", "<a@[>", "<>", "<a b@c> junk", "=?utf8mb4?q?=ff?=", "=?x?b?===?=", "multipart/mixed",
    "multipart/mixed; boundary=", "text/plain; charset=punycode", "text/plain; charset=\"\x00\"", "message/rfc822",
    ";;=",
    "attachment; filename*=x'y", "attachment; filename*99*=%", "base64", "x-uuencode", "\u202e", "(((", ")))", "\\",
    "undisclosed-recipients:;", "Thu, 99 Foo 99999 99:99:99 +9999", "1" * 2_000, "é" * 50, "text/calendar; method=\"",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ODD)
def test_any_field_may_be_odd(field: str, value: str) -> None:
    """One envelope all the same: in the place of the field that was there, and beside it."""
    for body in (mail(**{field: value}), mail(f"{field}: {value}\n\nHello\n")):
        envelopes = check_survives(SUBJECT, body)
        assert envelopes is not None
        assert len(envelopes) == 1


@given(st.sampled_from(CASES), st.data())
@settings(max_examples=300, deadline=None)
def test_a_line_that_is_missing_or_doubled(case: InboundCase, data: st.DataObject) -> None:
    """Something always comes of it."""
    lines = case.body.split(b"\r\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(0, len(lines[place])))
    for changed in ([], [lines[place]] * 2, [lines[place][:cut]], [b"\xff" + lines[place]]):
        body = b"\r\n".join([*lines[:place], *changed, *lines[place + 1 :]])
        assert check_survives(SUBJECT, body)


def test_a_mail_of_nobody_is_listed() -> None:
    """Visible, so that it is not put aside in silence; a message it is not."""
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(b""))
    assert not isinstance(envelope.body, Message)
    assert envelope.account == ADDRESS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_command_says_the_same(case: InboundCase) -> None:
    """`throughline parse` reads a mail as the listener hands it over."""
    check_parsed(SUBJECT, case)
