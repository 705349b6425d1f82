"""adapters/_mail/simulator.py: the server that takes our mails, and people who answer."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from adapters._mail import MailLimits, read_mail
from adapters._mail.simulator import Trouble, World
from adapters.base import MailCall, MailReply, NoAnswer, NotReached, Reply, Server
from tests.adapters._mail.outbound import ID, OURS, ctx, message
from tests.adapters._mail.worlds import ids
from tests.adapters.mail.support import SUBJECT
from tests.kit import drive
from tests.kit.cases import NOW

GOOD = (
    b"From: support@shop.example\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\nHi\r\n"
)


@pytest.fixture
def world() -> World:
    return World(addresses=(OURS,), ids=ids())


def said(
    world: World, *recipients: str, data: bytes = GOOD, sender: str = OURS, after_s: float = 0
) -> tuple[int, MailReply]:
    reply = world.accept(sender, recipients or ("joe@x.example",), data, NOW + timedelta(seconds=after_s))
    return reply.status, msgspec.json.decode(reply.body, type=MailReply)


def test_our_own_mails_are_taken_as_they_are(world: World) -> None:
    call = mail_of_ours()
    assert said(world, data=call.message)[0] == 250
    (held,) = world.held
    assert (held.message_id, held.subject, held.text, held.person.address) == (
        ID,
        "Re: A question",
        "Hello",
        "joe@x.example",
    )


def mail_of_ours() -> MailCall:
    (call,) = drive(SUBJECT.adapter.send(message("Hello"), ctx()), lambda _: Reply(421)).calls
    assert isinstance(call, MailCall)
    return call


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GOOD, 250),
        (GOOD.replace(b"Date", b"X-Date"), 554),
        (GOOD.replace(b"From", b"X-From"), 554),
        (GOOD.replace(b"Message-ID", b"X-Id"), 554),
        (b"Message-ID: <2@shop.example>\r\n" + GOOD, 554),
        (GOOD + b"x" * 998 + b"\r\n", 250),
        (GOOD + b"x" * 999 + b"\r\n", 554),
        (b"", 554),
        (GOOD + b"x\r\n" * 10_000_000, 552),
    ],
)
def test_what_is_no_mail_is_refused(world: World, data: bytes, status: int) -> None:
    assert said(world, data=data)[0] == status
    assert len(world.held) == (status == 250)


def test_whom_it_does_not_know(world: World) -> None:
    world.unknown.add("gone@x.example")
    status, reply = said(world, "gone@x.example", "joe@x.example")
    assert (status, reply.refused["gone@x.example"][0]) == (250, 550)
    assert [held.person.address for held in world.held] == ["joe@x.example"]
    assert said(world, "gone@x.example")[0] == 550


def test_a_full_mailbox_and_a_sender_that_is_not_ours(world: World) -> None:
    world.person("joe@x.example", full=True)
    assert said(world)[0] == 452
    assert said(world, sender="eve@z.example")[0] == 553
    assert said(world, "ann@y.example", sender="")[0] == 250


def test_too_many_in_a_minute(world: World) -> None:
    world.per_minute = 2
    assert [said(world)[0] for _ in range(3)] == [250, 250, 421]
    assert said(world, after_s=60)[0] == 250


@pytest.mark.parametrize(
    ("trouble", "kind", "held"),
    [
        (Trouble(status=451), Reply, 0),
        (Trouble(kind="unreached"), NotReached, 0),
        (Trouble(kind="hang"), NoAnswer, 1),
    ],
)
def test_it_can_be_told_to_fail(world: World, trouble: Trouble, kind: type[Any], held: int) -> None:
    world.troubles.append(trouble)
    call = MailCall(
        server=Server(host="x", port=25), login=None, sender=OURS, recipients=("joe@x.example",), message=GOOD
    )
    answer = world.answer(call, NOW)
    assert isinstance(answer, kind)
    assert not isinstance(answer, Reply) or answer.status == trouble.status
    assert len(world.held) == held
    again = world.answer(call, NOW)
    assert isinstance(again, Reply)
    assert again.status == 250


def test_what_arrives_comes_once_in_order_or_not(world: World) -> None:
    joe = world.person("joe@x.example")
    for number in range(3):
        world.write(joe, str(number), NOW + timedelta(seconds=number))
    assert world.next_arrival() == NOW
    assert [one.at for one in world.arrived(NOW + timedelta(seconds=1))] == [NOW, NOW + timedelta(seconds=1)]
    assert len(world.arrived(NOW + timedelta(seconds=9), reorder=True)) == 1
    assert (world.arrived(NOW + timedelta(days=1)), world.next_arrival()) == ([], None)


def test_the_wrong_way_round_and_twice(world: World) -> None:
    joe = world.person("joe@x.example")
    world.duplicates = True
    for number in range(2):
        world.write(joe, str(number), NOW + timedelta(seconds=number))
    found = world.arrived(NOW + timedelta(days=1), reorder=True)
    assert [(one.at - NOW).seconds for one in found] == [1, 1, 0, 0]
    assert found[0].data == found[1].data


def test_an_answer_goes_where_we_want_it_and_names_the_chain(world: World) -> None:
    said(world, data=mail_of_ours().message)
    (held,) = world.held
    world.write(held.person, "Thanks", NOW, answers=held)
    (one,) = world.arrived(NOW)
    mail = read_mail(one.data, MailLimits())
    assert mail.to[0].address == one.recipient
    assert one.recipient.startswith("support+")
    assert (mail.in_reply_to, mail.references[-1], mail.subject) == ((ID,), ID, "Re: A question")


def test_nobody_is_told_where_there_is_no_sender(world: World) -> None:
    world.unknown_later.add("gone@x.example")
    said(world, "gone@x.example", sender="")
    assert world.next_arrival() is None
    said(world, "gone@x.example")
    assert world.next_arrival() == NOW + world.bounce_after
