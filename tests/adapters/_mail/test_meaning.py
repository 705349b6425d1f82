"""What a mail means to a conversation; the cases of tests/adapters/mail have the rest."""

from datetime import timedelta
from typing import Any

import pytest

from adapters._mail.meaning import AHEAD, envelopes, is_automated, occurred_at
from adapters._mail.model import Fate, Mail, Mailbox, MailContext
from adapters._mail.tokens import message_id_for, thread_of
from normalizer.envelope import Message, Receipt, Unsupported
from tests.kit.cases import ENDPOINT, NOW

KEY = "k" * 32
JOE = Mailbox("joe@x.example")
OUR_ID = message_id_for("cmd_1:0", thread_of("a@x"), KEY, "shop.example")


def context(*, token_keys: tuple[str, ...] = (KEY,), **more: Any) -> MailContext:
    return MailContext(
        endpoint_id=ENDPOINT, channel_type="mail", account="support@shop.example", addresses=("support@shop.example",),
        token_keys=token_keys, received_at=NOW, row="raw-1", **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("date", "want"),
    [(timedelta(), timedelta()), (-timedelta(days=9), -timedelta(days=9)), (AHEAD, AHEAD),
     (AHEAD + timedelta(seconds=1), timedelta())],
)  # fmt: skip
def test_a_date_may_be_ahead_by_a_little(date: timedelta, want: timedelta) -> None:
    """At the limit, and one second past it."""
    assert occurred_at(Mail(date=NOW + date), context()) == NOW + want


@pytest.mark.parametrize(
    ("mail", "more", "automated"),
    [
        (Mail(from_=(JOE,)), {}, False),
        (Mail(from_=(JOE,), automatic="precedence"), {}, True),
        (Mail(from_=(JOE,), kind="list", automatic="list-id"), {}, True),
        (Mail(from_=(JOE,), kind="list", automatic="list-id", list_address="support@shop.example"), {}, False),
        (Mail(from_=(JOE,), kind="calendar"), {}, True),
        (Mail(from_=(JOE,)), {"mail_from": ""}, True),
        (Mail(from_=(JOE,)), {"mail_from": "joe@x.example"}, False),
        (Mail(from_=(JOE,), unattended=True), {}, True),
        (Mail(from_=(JOE,), unattended=True, reply_to=(Mailbox("ann@y.example"),)), {}, False),
    ],
)
def test_whether_a_machine_wrote_it(mail: Mail, more: dict[str, Any], automated: bool) -> None:
    """By any sign, unless it is about the way that the mail came to us."""
    assert is_automated(mail, context(**more)) == automated


def test_the_surest_id_of_ours_is_the_target() -> None:
    """Ids that are not ours are passed over; a report without one of ours is kept and counts for nothing."""
    report = Mail(kind="bounce", about=("x@y", OUR_ID), fates=(Fate(recipient="a@y.example", action="failed"),))
    (envelope,) = envelopes(report, context())
    assert isinstance(envelope.body, Receipt)
    assert (envelope.body.target, envelope.echo_key) == (OUR_ID, "cmd_1:0")
    (other,) = envelopes(Mail(kind="bounce", about=("x@y",), fates=report.fates), context())
    assert other.body == Unsupported(what="mail:bounce", visible=False)


@pytest.mark.parametrize(
    ("id", "keys", "answered"),
    [
        (OUR_ID, (KEY,), OUR_ID),
        ("m1@x.example", (KEY,), "m1@x.example"),
        ("1234@shop.example", (KEY,), None),
        ("1234@shop.example", (), "1234@shop.example"),
    ],
)
def test_what_it_answers(id: str, keys: tuple[str, ...], answered: str | None) -> None:
    """An id of our domain has to prove itself, where there is a key to do so with."""
    (envelope,) = envelopes(Mail(from_=(JOE,), in_reply_to=(id,), visible="Yes"), context(token_keys=keys))
    assert isinstance(envelope.body, Message)
    assert (envelope.body.reply_to and envelope.body.reply_to.external_id) == answered


def test_a_send_without_a_step_has_no_echo() -> None:
    """Only the echo key of a send tells which command it was."""
    id = message_id_for("env_1", thread_of("a@x"), KEY, "shop.example")
    report = Mail(kind="bounce", about=(id,), fates=(Fate(recipient=None, action="failed"),))
    assert [envelope.echo_key for envelope in envelopes(report, context())] == [None]
