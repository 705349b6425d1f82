"""adapters/_mail/compose.py: a mail as it stands on the wire, and as Python's own parser and our own reader see it."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._mail import MailLimits, check_token, read_mail, read_own_id, thread_of
from adapters._mail.compose import Sender, compose
from adapters._mail.content import content_of
from adapters.base import Refused, SendContext, Server
from normalizer.envelope import Envelope, Message
from normalizer.ids import ExternalId
from tests.adapters._mail.outbound import (
    ANCHOR,
    ECHO,
    ID,
    KEY,
    OURS,
    QUESTION,
    REPLY_TO,
    THEIRS,
    THREAD,
    ctx,
    message,
)

SERVER = Server(host="smtp.shop.example", port=465)
SENDER = Sender(server=SERVER, login=None, address=OURS, token_key=KEY)
LONG_ID = "AM0PR08MB" * 9 + "@AM0PR08MB1234.eurprd08.prod.outlook.example"


def made(sent: Envelope | None = None, context: SendContext | None = None, **sender: Any) -> bytes:
    sent = sent or message("Hello")
    assert isinstance(sent.body, Message)
    who = Sender(**{"server": SERVER, "login": None, "address": OURS, "token_key": KEY, **sender})
    return compose(sent, sent.body, content_of(sent.body.parts), context or ctx(), who).call.message


def read(data: bytes) -> EmailMessage:
    mail = message_from_bytes(data, EmailMessage, policy=default)
    assert not mail.defects
    for name in mail:
        assert not mail[name].defects, name
    return mail


def texts(data: bytes) -> tuple[str, str]:
    parts = [read(data).get_body((kind,)) for kind in ("plain", "html")]
    plain, html = [str(part.get_content()).replace("\r\n", "\n") for part in parts if part is not None]
    return plain, html


def test_the_whole_of_it() -> None:
    expected = f"""Date: Fri, 02 Jan 2026 03:04:05 +0000
From: Shop <{OURS}>
To: Joe Doe <{THEIRS}>
Reply-To: Shop <{REPLY_TO}>
Subject: Re: A question
Message-ID: <{ID}>
In-Reply-To: <{QUESTION}>
References: <{ANCHOR}>
 <{QUESTION}>
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All
Precedence: auto_reply
MIME-Version: 1.0
Content-Type: multipart/alternative;
 boundary="=_575e7a3841d9fa955db67f5b9decfd31"

--=_575e7a3841d9fa955db67f5b9decfd31
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 7bit

Hello

--=_575e7a3841d9fa955db67f5b9decfd31
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: 7bit
MIME-Version: 1.0

<!DOCTYPE html>
<html><body>
<p>Hello</p>
</body></html>

--=_575e7a3841d9fa955db67f5b9decfd31--
"""
    data = made(message("Hello", author="ai", name="Joe Doe"), name="Shop")
    assert data.decode().replace("\r\n", "\n") == expected
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")


# --- names and proofs -------------------------------------------------------------------------------------------------


def test_a_retry_is_the_same_mail() -> None:
    """Whoever gets it twice can tell."""
    first, second = read(made(context=ctx(attempt=1))), read(made(context=ctx(attempt=2)))
    assert first["Message-ID"] == second["Message-ID"] == f"<{ID}>"
    assert read(made(context=ctx(echo_key="cmd_0012:0")))["Message-ID"] != first["Message-ID"]


def test_what_comes_back_names_the_send_and_the_thread() -> None:
    mail = read(made())
    own = read_own_id(str(mail["Message-ID"]).strip("<>"), [KEY])
    assert own is not None
    assert (own.ref, own.thread) == (ECHO, THREAD)
    tag = mail["Reply-To"].addresses[0].username.partition("+")[2]
    assert check_token(tag, [KEY]) == THREAD


def test_answers_go_elsewhere_or_without_a_name() -> None:
    tagged = REPLY_TO.replace("shop.example", "in.shop.example")
    assert read(made(reply_to="support@in.shop.example"))["Reply-To"].addresses[0].addr_spec == tagged
    assert read(made(plus=False))["Reply-To"].addresses[0].addr_spec == OURS


@pytest.mark.parametrize(
    ("context", "answered", "references"),
    [
        (ctx(), QUESTION, [ANCHOR, QUESTION]),
        (ctx(reply_to=ExternalId("older@x.example")), "older@x.example", [ANCHOR, "older@x.example"]),
        (ctx(native_thread="root@x.example"), QUESTION, ["root@x.example", QUESTION]),
        (ctx(native_thread="<root@x.example>"), QUESTION, ["root@x.example", QUESTION]),
        (ctx(native_thread=None), QUESTION, [QUESTION]),
        (ctx(last_inbound=ExternalId(f"<{QUESTION}>")), QUESTION, [ANCHOR, QUESTION]),
        (ctx(last_inbound=ExternalId("INBOX/7/12")), None, [ANCHOR]),
        (ctx(last_inbound=ExternalId("a b@x.example")), None, [ANCHOR]),
        (ctx(last_inbound=ExternalId("a@x.example>\r\nBcc: <eve@y.example")), None, [ANCHOR]),
        (ctx(last_inbound=ExternalId("ü@x.example")), None, [ANCHOR]),
        (ctx(last_inbound=ExternalId(LONG_ID)), LONG_ID, [ANCHOR, LONG_ID]),
    ],
)
def test_what_it_answers(context: SendContext, answered: str | None, references: list[str]) -> None:
    found = read_mail(made(context=context), MailLimits())
    assert found.in_reply_to == ((answered,) if answered else ())
    assert list(found.references) == references


def test_the_chain_is_its_beginning_and_the_nearest_twenty() -> None:
    """The one that is answered stands last; what is no Message-ID stays out."""
    said = [f"m{n}@x.example" for n in range(30)]
    before = tuple(
        map(ExternalId, [*said[:25], QUESTION, "INBOX/7/12", "a@x.example>\r\nBcc: <eve@y.example", *said[25:]])
    )
    found = read_mail(made(context=ctx(before=before)), MailLimits())
    assert list(found.references) == [ANCHOR, *said[10:], QUESTION]
    few = read_mail(made(context=ctx(before=(ExternalId(ID), ExternalId(QUESTION)))), MailLimits())
    assert list(few.references) == [ANCHOR, ID, QUESTION]


def test_a_new_thread_is_named_after_the_send() -> None:
    mail = read_mail(made(context=ctx(native_thread=None, last_inbound=None)), MailLimits())
    own = read_own_id(mail.message_id or "", [KEY])
    assert own is not None
    assert own.thread == thread_of(ECHO)


def test_fields_for_the_server() -> None:
    mail = read(made(headers=(("X-Keep", "true"), ("X-Meta", "{local}"))))
    assert (mail["X-Keep"], mail["X-Meta"]) == ("true", ID.partition("@")[0])
    longest = read(made(context=ctx(echo_key=f"cmd_{'0' * 32}:99")))["Message-ID"]
    assert len(str(longest).partition("@")[0]) - 1 <= 80, "what Postmark hands back"


# --- the subject ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("A question", "Re: A question"),
        ("Re: A question", "Re: A question"),
        ("RE: Re: AW: A question", "Re: A question"),
        ("Antw: Sv: [EXT] A", "Re: [EXT] A"),
        ("Re[2]: A", "Re: A"),
        ("回复：A", "Re: A"),
        ("Fwd: A", "Re: Fwd: A"),
        ("Return: A", "Re: Return: A"),
        ("Re:", "Re:"),
        ("Grüße  aus   Köln", "Re: Grüße  aus   Köln"),
        ("a  b", "Re: a  b"),
        ("=?utf-8?b?SGk=?=", "Re: =?utf-8?b?SGk=?="),
        ("A\r\nBcc: eve@y.example", "Re: A Bcc: eve@y.example"),
        ("A\u2028B\x00C", "Re: A B C"),
        ("x" * 300, "Re: " + "x" * 236),
        ("é" * 300, "Re: " + "é" * 236),
        ("word " * 60, "Re: " + ("word " * 60)[:236].strip()),
    ],
)
def test_one_re(theirs: str, ours: str) -> None:
    assert read(made(context=ctx(subject=theirs)))["Subject"] == ours


def test_a_subject_of_our_own() -> None:
    assert read(made(message("Hello", subject="Your parcel")))["Subject"] == "Your parcel"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Your parcel is on its way.\n\nIt comes on Monday.", "Your parcel is on its way."),
        ("word " * 30, "word " * 13 + "word ..."),
        ("您的包裹" * 30, "您的包裹" * 17 + "您的 ..."),  # a language without blanks
    ],
)
def test_a_first_mail_is_named_after_its_first_line(text: str, subject: str) -> None:
    found = read(made(message(text), ctx(native_thread=None, last_inbound=None, subject=None)))["Subject"]
    assert found == subject.strip()


def test_an_answer_to_a_mail_without_a_subject() -> None:
    assert read(made(context=ctx(subject=None)))["Subject"] == "Re:"


# --- machines ---------------------------------------------------------------------------------------------------------

SIGNS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence")


@pytest.mark.parametrize(("author", "signs"), [("ai", 3), ("system", 3), ("agent", 0), ("business", 0)])
def test_machines_say_that_they_are(author: str, signs: int) -> None:
    mail = read(made(message("Hello", author=author)))
    assert [name in mail for name in SIGNS] == [bool(signs)] * 3


def test_a_machine_that_was_not_asked_says_that_too() -> None:
    alone = ctx(native_thread=None, last_inbound=None)
    assert read(made(message("Hello", author="system"), alone))["Auto-Submitted"] == "auto-generated"


# --- injection --------------------------------------------------------------------------------------------------------

FIELDS = ["Date", "From", "To", "Reply-To", "Subject", "Message-ID", "In-Reply-To", "References", "MIME-Version",
          "Content-Type"]  # fmt: skip
WILD = st.text(st.characters(codec=None), max_size=300)


@given(name=WILD, own=WILD, subject=WILD, text=WILD.filter(str.strip), theirs=WILD)
def test_nothing_becomes_a_field_of_its_own(name: str, own: str, subject: str, text: str, theirs: str) -> None:
    try:
        data = made(message("." + text, name=name, subject=subject), ctx(subject=theirs), name=own)
    except (ValueError, Refused):
        return  # an envelope can not hold it
    assert list(read(data).keys()) == FIELDS
    head = data.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert not set(data) & set(range(32)) - {13, 10, 9}
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    "name",
    ["Joe Doe", "Doe, Joe", 'Joe "the" Doe', "Jörg", "请求", "a@b.example", "=?utf-8?q?x?=", "Joe\\", "x" * 200, "a  b",
     "O'Neil (Joe)"],
)  # fmt: skip
def test_names(name: str) -> None:
    """Python's parser leaves a blank between two encoded words of a name."""
    (found,) = read(made(message("Hello", name=name)))["To"].addresses
    assert (found.display_name.replace(" ", ""), found.addr_spec) == (name[:120].replace(" ", ""), THEIRS)


def test_a_long_name_is_one_name() -> None:
    (found,) = read_mail(made(message("Hello", name="Jörg " * 23 + "Meier")), MailLimits()).to
    assert found.name == "Jörg " * 23 + "Meier"


@pytest.mark.parametrize("address", ["joe@x.example\nBcc: eve@y.example", "joe@x.example\x00", "joe@x.example>", "@"])
def test_an_address_of_ours_that_is_none(address: str) -> None:
    with pytest.raises(Refused):
        made(address=address)


def test_addresses_beyond_ascii_stand_as_they_are() -> None:
    """SMTPUTF8 (RFC 6532); nothing else needs it."""
    head = made(context=ctx("mailto:jürgen@x.example")).partition(b"\r\n\r\n")[0]
    assert "To: jürgen@x.example\r\n".encode() in head


# --- the text ---------------------------------------------------------------------------------------------------------


def test_a_text_and_the_same_as_html() -> None:
    plain, html = texts(made(message("Grüße & <b>Dank</b>\nZeile 2\n\nhttps://x.example/?a=1&b=2.")))
    assert plain.strip() == "Grüße & <b>Dank</b>\nZeile 2\n\nhttps://x.example/?a=1&b=2."
    assert "<p>Grüße &amp; &lt;b&gt;Dank&lt;/b&gt;<br>\nZeile 2</p>" in html
    assert '<a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a>.' in html


@pytest.mark.parametrize(
    "text", [".", ".\r\n.", "x" * 5000, "é" * 5000, "From here", "a\rb\r\nc\nd", "--=_x--", "\tindented"]
)
def test_texts_arrive_as_they_are(text: str) -> None:
    data = made(message(text))
    assert texts(data)[0].rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert max(map(len, data.split(b"\r\n"))) <= 998


def test_our_own_reader_reads_it() -> None:
    found = read_mail(made(message("Grüße\n\nDein Shop", author="ai", name="Jörg"), name="Shop"), MailLimits())
    assert (found.visible, found.automatic is not None, found.to[0].name) == ("Grüße\n\nDein Shop", True, "Jörg")
