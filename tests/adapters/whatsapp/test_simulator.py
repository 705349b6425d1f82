"""The provider's side, against the adapter: each is a check of the other."""

import json
from datetime import timedelta

import msgspec

from adapters.base import Reply
from adapters.whatsapp import simulator_content as content
from normalizer.envelope import (
    Edit,
    Reaction,
    Receipt,
    Revoke,
    Status,
    Text,
    Unsupported,
)
from normalizer.ids import ExternalId
from tests.adapters.whatsapp.simulated import (
    ADAPTER,
    LATER,
    deliver,
    exchange,
    meta,
    opened,
    sheena,
    text,
)
from tests.adapters.whatsapp.support import ACCOUNT, SUBJECT
from tests.kit import check_refused
from tests.kit.cases import NOW


def test_side_events_come_out_as_they_went_in() -> None:
    """Reactions, edits, revocations and what has no word."""
    simulated, customer = meta(batch=10), sheena()
    target = ExternalId("wamid.x")
    for said in (
        content.reaction(target, "👍"), content.reaction(target, None), content.edit(target, content.text("new")),
        content.revoke(target), content.unsupported("poll"),
    ):  # fmt: skip
        simulated.send(customer, said, NOW)
    (request,) = simulated.due(NOW)
    raw = SUBJECT.raw(request.body, headers=request.headers)
    bodies = [envelope.body for envelope in ADAPTER.parse(raw)]
    assert bodies[:4] == [Reaction(target, "👍"), Reaction(target), Edit(target, (Text("new"),)), Revoke(target)]
    assert isinstance(bodies[4], Unsupported)
    assert bodies[4].what == "poll"


def test_standby_echoes_and_groups_are_observed() -> None:
    """What others answer is stored only."""
    simulated, customer = meta(batch=10), sheena()
    simulated.send(customer, content.text("to the bot"), NOW, standby=True)
    simulated.echo(customer, content.text("from the phone app"), NOW)
    simulated.send(customer, content.text("lunch?"), NOW, group="g1")
    simulated.send(customer, content.text("@you"), NOW, group="g1", reply_to="wamid.ours")
    simulated.call(customer, "connect", NOW, "wacid.1")
    (request,) = simulated.due(NOW)
    envelopes = ADAPTER.parse(SUBJECT.raw(request.body, headers=request.headers))
    assert [(e.observed, e.author, e.group and e.group.value) for e in envelopes] == [
        (True, "customer", None),
        (True, "business", None),
        (True, "customer", "group/g1"),
        (False, "customer", "group/g1"),
        (False, "customer", None),
    ]


def test_handshake() -> None:
    """The right token is answered with the challenge; a wrong one is not."""
    for token, accepted in ((None, True), ("wrong", False)):
        request = meta().handshake("not-a-number", token)
        raw = msgspec.structs.replace(SUBJECT.raw(b""), method="GET", query=request.url.partition("?")[2])
        if not accepted:
            check_refused(SUBJECT, raw)
            continue
        reply = ADAPTER.verify(raw)
        assert isinstance(reply, Reply)
        assert reply.body == b"not-a-number"


# --- deliveries ---------------------------------------------------------------------------------------------------


def test_a_webhook_comes_again_until_it_is_taken() -> None:
    """Less and less often, and for seven days at most."""
    simulated = meta()
    simulated.send(sheena(), content.text("hi"), NOW)
    assert len(simulated.due(NOW)) == 1
    assert simulated.due(NOW + timedelta(seconds=9)) == []
    (again,) = simulated.due(NOW + timedelta(seconds=10))
    simulated.delivered(again, 503)
    assert simulated.due(NOW + timedelta(seconds=39)) == []
    (again,) = simulated.due(NOW + timedelta(seconds=40))
    simulated.delivered(again, 200)
    assert simulated.due(NOW + timedelta(days=1)) == []
    assert simulated.undelivered == 0
    simulated.send(sheena(), content.text("hi"), NOW)
    times = sum(len(simulated.due(NOW + timedelta(minutes=minute))) for minute in range(0, 8 * 24 * 60, 5))
    assert 10 < times < 40
    assert simulated.undelivered == 0


def test_batches_duplicates_and_order() -> None:
    """The switches: several updates in one POST, each POST twice, the newest first."""
    simulated, customer = meta(batch=3), sheena()
    for number in range(7):
        simulated.send(customer, content.text(str(number)), NOW, account=ACCOUNT if number % 2 else "222")
    requests = simulated.due(NOW)
    assert [len(json.loads(r.body)["entry"][0]["changes"]) for r in requests] == [3, 3, 1]
    accounts = [e.account for r in requests for e in ADAPTER.parse(SUBJECT.raw(r.body))]
    assert accounts == ["222", ACCOUNT, "222", ACCOUNT, "222", ACCOUNT, "222"]
    twice = meta(duplicates=True)
    twice.send(customer, content.text("x"), NOW)
    first, second = twice.due(NOW)
    assert first == second
    backwards = meta(reorder=True, batch=2)
    backwards.send(customer, content.text("old"), NOW)
    backwards.send(customer, content.text("new"), NOW + timedelta(seconds=1))
    assert [body.parts for body in deliver(backwards)] == [(Text("new"),), (Text("old"),)]


def test_a_conversation() -> None:
    """They write, we mark it as read while writing, we answer, they read: each side sees the other."""
    simulated, customer = meta(), sheena()
    theirs = simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated)
    mark = {"kind": "receipt", "status": "read", "target": theirs, "typing": True}
    assert exchange(simulated, mark).error is None
    assert simulated.world.read == [theirs]
    typing_until = customer.typing_until
    assert typing_until == NOW + timedelta(seconds=25)
    sent = exchange(simulated, text("hello Sheena"), reply_to=theirs)
    assert sent.value is not None
    (shown,) = simulated.shown(customer)
    assert (shown.payload["text"]["body"], shown.payload["context"]) == ("hello Sheena", {"message_id": theirs})
    assert customer.typing_until is None
    assert [(r.status, r.target) for r in deliver(simulated)] == [
        (Status.SENT, sent.value[0]), (Status.DELIVERED, sent.value[0]),
    ]  # fmt: skip
    simulated.read(customer, LATER)
    (receipt,) = deliver(simulated)
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.target) == (Status.READ, sent.value[0])


def test_receipts_carry_our_echo_key() -> None:
    """The key that went out comes back with every status."""
    simulated, customer = meta(batch=10), sheena()
    simulated.send(customer, content.text("hi"), NOW)
    deliver(simulated)
    exchange(simulated, text())
    (request,) = simulated.due(LATER)
    assert {e.echo_key for e in ADAPTER.parse(SUBJECT.raw(request.body))} == {"cmd_1"}


def test_statuses_in_any_order() -> None:
    """Any status can be told at any time."""
    simulated, customer = opened()
    exchange(simulated, text())
    deliver(simulated)
    (shown,) = simulated.shown(customer)
    simulated.tell(shown.id, "read", NOW)
    simulated.tell(shown.id, "delivered", NOW)
    simulated.tell(shown.id, "failed", NOW, code=131049)
    receipts = deliver(simulated)
    assert [r.status for r in receipts] == [Status.READ, Status.DELIVERED, Status.FAILED]
    assert receipts[2].failure.provider_code == "131049"
