"""gateway/transport/smtp.py: what surely did not go out and what may have; servers refuse, stall and hang up."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.base import (
    Attachment,
    CredentialsRefused,
    Login,
    MailCall,
    MailReply,
    MediaFailed,
    NoAnswer,
    NotReached,
    Refused,
    Reply,
    SendError,
    Server,
    Unavailable,
    Unreachable,
)
from gateway.media import MediaStore
from gateway.transport import SeenCall
from normalizer.ids import EndpointId
from tests.gateway.time import pass_time
from tests.gateway.transport.kit import PNG, SECRET, Made, chunks, facts, failure, run, self_signed
from tests.gateway.transport.mailserver import MailServer, Script
from tests.servers import free_port

TEXT = b"From: a@shop.example\r\nTo: b@home.example\r\nMessage-ID: <1@shop.example>\r\n\r\nhello\r\n"
LOGIN = Login(user="desk", credential="bot_token")
EHLO = ("EHLO", "250-mx\r\n250 SIZE 50000000")
READY = ("220 mx", EHLO, ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on"))


def mail(server: Server, **facts: Any) -> MailCall:
    usual: dict[str, Any] = {"login": None, "sender": "a@shop.example", "recipients": ("b@home.example",)}
    return MailCall(**{"server": server, "message": TEXT, **usual, **facts})


def said(reply: Reply) -> MailReply:
    return msgspec.json.decode(reply.body, type=MailReply)


# --- taken ------------------------------------------------------------------------------------------------------------


async def test_a_mail_is_taken(make: Made) -> None:
    async with MailServer() as server:
        reply = await run(await make(), mail(server.at()))
    assert (reply.status, said(reply)) == (250, MailReply(text="2.0.0 taken"))
    (taken,) = server.mails
    assert (taken.mail_from, taken.rcpt_tos, taken.content) == ("a@shop.example", ["b@home.example"], TEXT)


async def test_dots_and_line_ends_arrive_as_one_message(make: Made) -> None:
    """Nothing in a message ends it, or begins another one behind it."""
    message = TEXT + b".\r\n..\n.\nMAIL FROM:<x@y.example>\r.\rend"
    async with MailServer() as server:
        await run(await make(), mail(server.at(), message=message))
    (taken,) = server.mails
    assert taken.content == TEXT + b".\r\n..\r\n.\r\nMAIL FROM:<x@y.example>\r\n.\r\nend\r\n"


async def test_an_automatic_answer_has_no_sender(make: Made) -> None:
    async with MailServer() as server:
        await run(await make(), mail(server.at(), sender=""))
    assert server.mails[0].mail_from == "<>"


@pytest.mark.parametrize(("id", "envelope"), [("1@shop.example", " RET=HDRS ENVID=1@shop.example"), ("x" * 101, ""),
                                              ("a+b=c@d", " RET=HDRS ENVID=a+2Bb+3Dc@d")])  # fmt: skip
async def test_reports_are_asked_to_name_the_mail(make: Made, id: str, envelope: str) -> None:
    async with Script(
        "220 mx", ("EHLO", "250-mx\r\n250 DSN"), ("MAIL", "250 ok"), *READY[3:], (".", "250 ok")
    ) as server:
        await run(await make(), mail(server.at(), message=TEXT.replace(b"1@shop.example", id.encode())))
    assert server.heard[1] == f"MAIL FROM:<a@shop.example>{envelope}"


async def test_files_come_from_the_media_store(make: Made, media: MediaStore) -> None:
    stored = await media.put(chunks(PNG))
    file = Attachment(stored=stored.sha256, filename="a.png", mime="image/png")
    async with MailServer() as server:
        assert (await run(await make(), mail(server.at(), attachments=(file,)))).status == 250
    assert 'filename="a.png"' in str(server.mails[0].content)


async def test_many_mails_share_few_connections(make: Made) -> None:
    transport = await make(mail_connections_per_host=2)
    async with MailServer() as server:
        replies = await asyncio.gather(*(run(transport, mail(server.at())) for _ in range(9)))
    assert [reply.status for reply in replies] == [250] * 9
    assert (len(server.mails), server.most_open) == (9, 2)


async def test_what_is_told_of_a_mail(make: Made) -> None:
    async with MailServer() as server:
        await run(await make(), mail(server.at()))
    assert [msgspec.structs.replace(seen, duration_ms=0.0) for seen in make.seen] == [
        SeenCall(endpoint_id=EndpointId("wa"), kind="mail", host="127.0.0.1", status=250)
    ]


# --- refused ----------------------------------------------------------------------------------------------------------

TWO = ("b@home.example", "c@home.example")


@pytest.mark.parametrize(
    ("says", "status", "refused"),
    [
        pytest.param({"sender": "553 5.7.1 not yours"}, 553, {}, id="the sender"),
        pytest.param({"recipients": {TWO[0]: "550 5.1.1 who"}}, 250, {TWO[0]: (550, "5.1.1 who")}, id="one of two"),
        pytest.param(
            {"recipients": {TWO[0]: "550 5.1.1 who", TWO[1]: "451 4.7.1 later"}},
            451,
            {TWO[0]: (550, "5.1.1 who"), TWO[1]: (451, "4.7.1 later")},
            id="both, one for now",
        ),
        pytest.param({"data": "554 5.7.1 spam"}, 554, {}, id="the message"),
        pytest.param({"data": "451 4.3.0 later"}, 451, {}, id="the message, for now"),
        pytest.param({"data": "421 4.3.2 going down"}, 421, {}, id="closing"),
    ],
)
async def test_a_refusal_is_an_answer(
    make: Made, says: dict[str, Any], status: int, refused: Mapping[str, tuple[int, str]]
) -> None:
    async with MailServer(**says) as server:
        reply = await run(await make(), mail(server.at(), recipients=TWO))
    assert (reply.status, said(reply).refused) == (status, refused)


async def test_those_who_are_not_refused_get_it(make: Made) -> None:
    async with MailServer(recipients={TWO[0]: "550 no"}) as server:
        await run(await make(), mail(server.at(), recipients=TWO))
    assert server.mails[0].rcpt_tos == [TWO[1]]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (("421 4.7.0 too many connections",), 421),
        (("554 5.7.1 no service here",), 554),
        (("220 mx", ("EHLO", "502 no")), 502),
        (("220 mx", EHLO, ("MAIL", "421 4.4.2 idle")), 421),
        (("220 mx", EHLO, ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "452 4.3.1 full")), 452),
        ((*READY, (".", "250 2.6.0 queued as 7")), 250),
        ((*READY, (".", "251 forwarded")), 250),
        ((*READY, (".", "550-5.7.1 not\r\n550 5.7.1 wanted")), 550),
    ],
)
async def test_the_code_of_any_answer_is_kept(make: Made, steps: tuple[Any, ...], status: int) -> None:
    async with Script(*steps) as server:
        assert (await run(await make(), mail(server.at()))).status == status


async def test_a_mail_that_the_server_would_not_take_is_not_handed_over(make: Made) -> None:
    async with MailServer(max_bytes=1000) as server:
        reply = await run(await make(), mail(server.at(), message=TEXT + b"x" * 1000))
    assert (reply.status, server.mails) == (552, [])


# --- surely not out ---------------------------------------------------------------------------------------------------


async def test_nobody_listens(make: Made) -> None:
    server = Server(host="127.0.0.1", port=free_port(), security="none")
    assert facts(await failure(await make(), mail(server))) == (NotReached, True)


async def test_a_server_that_does_not_greet_is_not_reached(make: Made) -> None:
    async with Script() as server:
        error = await failure(await make(mail_connect_timeout_ms=50), mail(server.at()))
    assert facts(error) == (NotReached, True)


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        pytest.param(("220 mx", ("EHLO", "...")), NotReached, id="silent at hello"),
        pytest.param(("220 mx", ("EHLO", None)), NotReached, id="gone at hello"),
        pytest.param(("220 mx", EHLO, ("MAIL", None)), Unavailable, id="gone at the sender"),
        pytest.param(("220 mx", EHLO, ("MAIL", "...")), Unavailable, id="silent at the sender"),
        pytest.param(("220 mx", EHLO, ("MAIL", "250 ok"), ("RCPT", None)), Unavailable, id="gone at the recipient"),
        pytest.param(("220 mx", EHLO, ("MAIL", "no code")), Unavailable, id="nonsense"),
        pytest.param((*READY[:-1], ("DATA", None)), Unavailable, id="gone before the message"),
        pytest.param((*READY[:-1], ("DATA", "...")), Unavailable, id="silent before the message"),
    ],
)
async def test_before_the_last_dot_it_is_certain(make: Made, steps: tuple[Any, ...], kind: type[SendError]) -> None:
    async with Script(*steps) as server:
        error = await failure(await make(), mail(server.at()))
    assert facts(error) == (kind, True)


async def test_a_message_that_the_line_did_not_take_is_not_a_whole_one(make: Made) -> None:
    """The dot waits behind it."""
    big = TEXT + (b"x" * 98 + b"\r\n") * 80_000
    async with Script(*READY[:-1], ("DATA", "354 go on"), ("From", "stop")) as server:
        error = await failure(await make(), mail(server.at(), message=big))
    assert facts(error) == (Unavailable, True)


async def test_no_time_is_left(make: Made) -> None:
    async with MailServer() as server:
        assert facts(await failure(await make(), mail(server.at()), timeout_ms=0)) == (NotReached, True)
        assert server.most_open == 0


# --- may be out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["...", None, "nonsense"])
async def test_after_the_last_dot_it_may_be_out(make: Made, answer: str | None) -> None:
    async with Script(*READY, (".", answer)) as server:
        error = await failure(await make(), mail(server.at()))
    assert facts(error) == (NoAnswer, False)


async def test_a_server_that_thinks_for_too_long_may_have_it(make: Made) -> None:
    async with MailServer(hold=True) as server:
        sending = asyncio.create_task(failure(await make(), mail(server.at())))
        await server.arrived.wait()
        pass_time()
        assert facts(await sending) == (NoAnswer, False)


# --- encryption -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that the machine trusts."""
    context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(next(tmp_path.glob("*.pem"))))
    return context


def encrypting(security: str, context: ssl.SSLContext) -> MailServer:
    return MailServer(tls=context) if security == "tls" else MailServer(starttls=context)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encrypted(make: Made, ours: ssl.SSLContext, security: str) -> None:
    async with encrypting(security, ours) as server:
        assert (await run(await make(), mail(server.at(security)))).status == 250


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_of_nobody(make: Made, tmp_path: Path, security: str) -> None:
    async with encrypting(security, self_signed(tmp_path)) as server:
        assert facts(await failure(await make(), mail(server.at(security)))) == (NotReached, True)
        assert server.mails == []


async def test_without_the_encryption_that_was_asked_for_nothing_is_said(make: Made) -> None:
    async with Script("220 mx", EHLO) as server:
        error = await failure(await make(), mail(server.at("starttls"), login=LOGIN))
    assert (facts(error), server.heard) == ((NotReached, True), ["EHLO shop.example"])


async def test_a_refused_starttls_is_an_answer(make: Made) -> None:
    async with Script("220 mx", ("EHLO", "250-mx\r\n250 STARTTLS"), ("STARTTLS", "454 4.7.0 not now")) as server:
        assert (await run(await make(), mail(server.at("starttls")))).status == 454


async def test_a_broken_handshake(make: Made) -> None:
    async with Script("220 mx", ("EHLO", "250-mx\r\n250 STARTTLS"), ("STARTTLS", "220 go\r\nno TLS at all")) as server:
        error = await failure(await make(mail_timeout_ms=500), mail(server.at("starttls")))
    assert facts(error) == (NotReached, True)


# --- login ------------------------------------------------------------------------------------------------------------


async def test_a_login(make: Made) -> None:
    async with MailServer(login=("desk", SECRET)) as server:
        assert (await run(await make(), mail(server.at(), login=LOGIN))).status == 250
        assert server.logins == ["PLAIN"]


async def test_a_wrong_password_is_tried_once(make: Made) -> None:
    async with MailServer(login=("desk", "another")) as server:
        error = await failure(await make(), mail(server.at(), login=LOGIN))
        assert server.logins == ["PLAIN"]
    assert (facts(error), error.provider_code) == ((CredentialsRefused, True), "535 5.7.8")


@pytest.mark.parametrize(
    ("steps", "login"),
    [
        pytest.param(("250-mx\r\n250 AUTH XOAUTH2", ("AUTH XOAUTH2", "334 e30="), ("", "535 5.7.3 expired")),
                     "xoauth2", id="a token that has run out"),
        pytest.param(("250-mx\r\n250 AUTH LOGIN", ("AUTH LOGIN", f"535 5.7.8 not {SECRET}")), "password",
                     id="a server that repeats the password"),
        pytest.param(("250-mx\r\n250 AUTH PLAIN", ("AUTH PLAIN", "534 5.7.9 application password needed")),
                     "password", id="another way is needed"),
        pytest.param(("250-mx\r\n250 AUTH GSSAPI",), "password", id="no way that we know"),
        pytest.param(("250 mx",), "xoauth2", id="no way at all"),
    ],
)  # fmt: skip
async def test_a_refused_login_says_no_secret(make: Made, steps: tuple[Any, ...], login: Any) -> None:
    async with Script("220 mx", ("EHLO", steps[0]), *steps[1:]) as server:
        how = msgspec.structs.replace(LOGIN, scheme=login)
        assert facts(await failure(await make(), mail(server.at(), login=how))) == (CredentialsRefused, True)


async def test_a_token(make: Made) -> None:
    async with Script("220 mx", ("EHLO", "250-mx\r\n250 AUTH XOAUTH2"),
                      ("AUTH XOAUTH2 dXNlcj1kZXNrAWF1dGg9QmVhcmVyIHNFY3IzdC10b2tlbgEB", "235 2.7.0 ok"),
                      *READY[2:], (".", "250 ok")) as server:  # fmt: skip
        how = msgspec.structs.replace(LOGIN, scheme="xoauth2")
        assert (await run(await make(), mail(server.at(), login=how))).status == 250


async def test_a_login_that_is_not_possible_now_is_an_answer(make: Made) -> None:
    async with Script("220 mx", ("EHLO", "250-mx\r\n250 AUTH PLAIN"), ("AUTH", "454 4.7.0 not now")) as server:
        assert (await run(await make(), mail(server.at(), login=LOGIN))).status == 454


async def test_a_credential_that_is_not_there(make: Made) -> None:
    async with MailServer() as server:
        login = Login(user="desk", credential="unknown")
        assert facts(await failure(await make(), mail(server.at(), login=login))) == (CredentialsRefused, True)


# --- what can not be sent ---------------------------------------------------------------------------------------------

BAD = ["a b@c.example", "a@b@c", "<a@b>", "a@b>", "a@b\r\nDATA", "a@b\nX", "a\x00@b", "no-at", "a@", "@b", 'a@"b"', ""]


@pytest.mark.parametrize("address", BAD)
async def test_an_address_that_would_break_out_of_its_command(make: Made, address: str) -> None:
    async with MailServer() as server:
        transport = await make()
        one_of_two = mail(server.at(), recipients=("b@home.example", address))
        assert facts(await failure(transport, one_of_two)) == (Refused, True)
        if address:
            assert facts(await failure(transport, mail(server.at(), sender=address))) == (Refused, True)
        assert server.most_open == 0


async def test_a_mail_to_nobody(make: Made) -> None:
    async with MailServer() as server:
        assert facts(await failure(await make(), mail(server.at(), recipients=()))) == (Refused, True)


async def test_a_quoted_local_part_goes_out_as_it_is(make: Made) -> None:
    async with Script(*READY[:3], ('RCPT TO:<"a <b> c"@home.example>', "250 ok"), ("DATA", "354 go on"),
                      (".", "250 ok")) as server:  # fmt: skip
        assert (await run(await make(), mail(server.at(), recipients=('"a <b> c"@home.example',)))).status == 250


@pytest.mark.parametrize("message", [TEXT, b"From: \xc3\xbc@shop.example\r\n\r\nx"])
async def test_addresses_beyond_ascii(make: Made, message: bytes) -> None:
    call = {"recipients": ("jürgen@home.example",)} if message == TEXT else {"message": message}
    async with MailServer() as server:
        assert (await run(await make(), mail(server.at(), **call))).status == 250
        assert "SMTPUTF8" in server.mails[0].mail_options
    async with MailServer(utf8=False) as server:
        assert facts(await failure(await make(), mail(server.at(), **call))) == (Unreachable, True)


async def test_utf8_is_asked_for_only_where_it_is_needed(make: Made) -> None:
    async with MailServer() as server:
        await run(await make(), mail(server.at()))
    assert "SMTPUTF8" not in server.mails[0].mail_options


async def test_a_mail_that_is_too_large(make: Made, media: MediaStore) -> None:
    stored = await media.put(chunks(PNG))
    file = Attachment(stored=stored.sha256, filename="a.png", mime="image/png")
    async with MailServer() as server:
        transport = await make(max_mail_bytes=len(TEXT))
        assert (await run(transport, mail(server.at()))).status == 250
        for call in (mail(server.at(), message=TEXT + b"x"), mail(server.at(), attachments=(file,))):
            assert facts(await failure(transport, call)) == (Refused, True)


async def test_a_file_that_is_gone(make: Made) -> None:
    file = Attachment(stored="0" * 64, filename="a", mime="image/png")
    async with MailServer() as server:
        assert facts(await failure(await make(), mail(server.at(), attachments=(file,)))) == (MediaFailed, True)


@pytest.mark.parametrize(
    ("own", "sender", "name"),
    [(None, "a@shop.example", "shop.example"), (None, "", "[127.0.0.1]"), ("gw.example", "a@b", "gw.example")],
)
async def test_the_name_of_the_greeting(make: Made, own: str | None, sender: str, name: str) -> None:
    async with Script("220 mx", ("EHLO", "421 no")) as server:
        await run(await make(mail_hello=own), mail(server.at(), sender=sender))
    assert server.heard == [f"EHLO {name}"]
