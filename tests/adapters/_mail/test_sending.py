"""adapters/_mail/sending.py: cases that every mail adapter has, tried with the mailbox's."""

import msgspec
import pytest

from adapters._mail.sending import SmtpConfig, sender_of
from adapters.base import Login, MailCall, Refused, Reply
from tests.adapters._mail.outbound import CASES, ID, OURS, UNSPOKEN, ctx, message
from tests.adapters.mail.support import CONFIG, SUBJECT
from tests.kit import OutboundCase, Subject, check_outbound, check_rendered, drive


@pytest.mark.parametrize("case", CASES, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


@pytest.mark.parametrize("case", UNSPOKEN, ids=str)
def test_what_nobody_says(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)


def subject(**settings: object) -> Subject:
    config = msgspec.structs.replace(CONFIG, **settings)
    return Subject(SUBJECT.registration, config, SUBJECT.sign, SUBJECT.secrets, facts=SUBJECT.facts)


def called(author: str = "agent", **settings: object) -> MailCall:
    (call,) = drive(
        subject(**settings).adapter.send(message("Hello", author=author), ctx()), lambda _: Reply(421)
    ).calls
    assert isinstance(call, MailCall)
    return call


def test_the_server_and_who_logs_in_there() -> None:
    call = called(smtp_port=587, smtp_security="starttls", smtp_user="desk", smtp_password="x")
    assert (call.server.port, call.server.security) == (587, "starttls")
    assert call.login == Login(user="desk", credential="smtp_password")
    assert called().login is None


def test_where_bounces_go() -> None:
    assert called(return_path="bounces@shop.example").sender == "bounces@shop.example"


def test_an_automatic_mail_may_have_no_sender() -> None:
    assert (called("ai", empty_sender=True).sender, called("agent", empty_sender=True).sender) == ("", OURS)
    assert called("ai").sender == OURS


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("email-smtp.us-east-1.amazonaws.com", "email.amazonses.com"),
        ("email-smtp.eu-west-1.amazonaws.com", "eu-west-1.amazonses.com"),
        ("smtp.shop.example", None),
    ],
)
def test_an_id_that_the_server_puts_in_the_place_of_ours_is_known_too(host: str, named: str | None) -> None:
    theirs = "0100018f2c3d4e5f-01234567-89ab-cdef-0123-456789abcdef-000000"
    reply = Reply(250, {}, msgspec.json.encode({"text": f"Ok {theirs}"}))
    driven = drive(subject(smtp_host=host).adapter.send(message("Hello"), ctx()), [reply])
    assert driven.value is not None
    assert driven.value.external_ids == ((ID,) if named is None else (ID, f"{theirs}@{named}"))


def test_without_a_server_nothing_is_sent() -> None:
    with pytest.raises(Refused, match="smtp_host"):
        sender_of(SmtpConfig(), OURS, "k" * 32)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"smtp_host": "x", "smtp_user": "u"}, "smtp_password is missing (smtp_user is set)"),
        ({"smtp_host": "x", "smtp_password": "p"}, "smtp_user is missing (smtp_password is set)"),
        ({"return_path": "a@b.example"}, "smtp_host is missing"),
        ({"smtp_host": "x", "return_path": "nobody"}, "return_path is not an address"),
        ({"smtp_host": "x", "reply_to": "a b@c"}, "reply_to is not an address"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, str], problem: str) -> None:
    assert msgspec.convert(settings, SmtpConfig).smtp_problems() == [problem]


def test_settings_without_a_problem() -> None:
    assert SmtpConfig(smtp_host="x", smtp_user="u", smtp_password="p", reply_to="a@b.example").smtp_problems() == []
