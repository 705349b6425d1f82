"""The simulated mailbox: what a real server would serve, and what the adapter makes of it."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.base import MailCall
from adapters.mail.simulator import MailServer, Stored
from normalizer.envelope import Evidence, Message, Receipt, Status, Text
from tests.adapters._mail.outbound import ctx, message
from tests.adapters._mail.worlds import ids
from tests.adapters.mail.support import ADDRESS, SUBJECT
from tests.kit import drive
from tests.kit.cases import NOW


@pytest.fixture
def server() -> MailServer:
    return MailServer(addresses=(ADDRESS,), passwords={"desk": "secret"}, ids=ids())


def read(server: MailServer, one: Stored) -> Any:
    raw = SUBJECT.raw(
        one.data, path=f"/{server.uidvalidity}/{one.uid}", headers={"x-internal-date": one.at.isoformat()}
    )
    (envelope,) = SUBJECT.adapter.parse(raw)
    return envelope


def send(server: MailServer, to: str, **facts: Any) -> str:
    def answer(call: MailCall) -> Any:
        return server.world.answer(call, NOW)

    driven = drive(SUBJECT.adapter.send(message("Our answer", author="ai"), ctx(f"mailto:{to}", **facts)), answer)
    assert driven.value is not None
    return str(driven.value.external_ids[0])


@pytest.mark.parametrize(("proven", "evidence"), [(True, Evidence.CHANNEL), (False, Evidence.CLAIMED)])
def test_what_a_person_writes_is_what_is_read(server: MailServer, proven: bool, evidence: Evidence) -> None:
    joe = server.world.person("joe@x.example", "Jörg", proven=proven)
    id = server.world.write(joe, "Grüße", NOW, subject="Frage")
    (one,) = server.messages(NOW)
    envelope = read(server, one)
    assert (envelope.body, envelope.external_id) == (Message(parts=(Text("Grüße"),), subject="Frage"), id)
    assert (envelope.occurred_at, envelope.party.claims[0].evidence) == (NOW, evidence)


def test_question_answer_and_thanks_are_one_thread(server: MailServer) -> None:
    joe = server.world.person("joe@x.example")
    question = server.world.write(joe, "Where is it?", NOW)
    first = read(server, server.messages(NOW)[0])
    send(server, "joe@x.example", native_thread=first.native_thread, last_inbound=question)
    server.world.write(joe, "Thanks", NOW, answers=server.world.mailbox(joe)[0])
    assert read(server, server.messages(NOW)[1]).native_thread == first.native_thread


def test_a_bounce_is_a_receipt(server: MailServer) -> None:
    server.world.unknown_later.add("gone@x.example")
    id = send(server, "gone@x.example")
    assert server.messages(NOW) == ()
    (one,) = server.messages(NOW + timedelta(seconds=1))
    body = read(server, one).body
    assert isinstance(body, Receipt)
    assert (body.status, body.target) == (Status.FAILED, id)


def test_uids_only_rise(server: MailServer) -> None:
    joe = server.world.person("joe@x.example")
    for number in range(3):
        server.world.write(joe, str(number), NOW)
    assert [one.uid for one in server.messages(NOW)] == [1, 2, 3]
    server.expunge(2)
    server.world.write(joe, "4", NOW)
    assert [one.uid for one in server.messages(NOW)] == [1, 3, 4]
    assert server.uidnext == 5


def test_the_mailbox_may_be_made_anew(server: MailServer) -> None:
    joe = server.world.person("joe@x.example")
    for number in range(2):
        server.world.write(joe, str(number), NOW)
    server.messages(NOW)
    server.expunge(1)
    before = read(server, server.messages(NOW)[0]).id
    server.renumber()
    (one,) = server.messages(NOW)
    assert (server.uidvalidity, one.uid, server.uidnext) == (2, 1, 2)
    assert read(server, one).id == before


def test_the_wrong_way_round(server: MailServer) -> None:
    server.reorder = True
    joe = server.world.person("joe@x.example")
    for number in range(2):
        server.world.write(joe, str(number), NOW + timedelta(seconds=number))
    later = server.messages(NOW + timedelta(seconds=5))
    assert [(one.uid, (one.at - NOW).seconds) for one in later] == [(1, 1), (2, 0)]


def test_who_logs_in(server: MailServer) -> None:
    assert [server.logs_in(*pair) for pair in (("desk", "secret"), ("desk", "x"), ("x", "secret"))] == [
        True,
        False,
        False,
    ]
