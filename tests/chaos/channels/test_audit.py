"""The auditor sees what it is there to see: a sound run, spoiled in one place, is found to be wrong in that way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import pytest

from gateway.store.schema import DOUBT, DUE, FAILED, PARKED, SENDING, SUPERSEDED
from normalizer.envelope import Status, plain_text
from tests.chaos.audit import Database, Row
from tests.chaos.channels.audit import Auditor
from tests.chaos.channels.line import Heard, Record, Said
from tests.chaos.channels.lines import LINES
from tests.chaos.channels.run import Plan, conduct

pytestmark = pytest.mark.timeout(300)
Spoil = Callable[[Database, Record], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, Record]:
    """A run without kills."""
    plan = Plan(folder=tmp_path_factory.mktemp("sound"), kills=0, seed=5, work=60)
    outcome = conduct(plan, LINES["slack"])
    assert (outcome.lives.wrong, outcome.found.wrong) == ([], {})
    return Database(plan.url), outcome.line.record


def answered(record: Record) -> Said:
    """The first message, which has an answer of its own."""
    return next(said for said in record.said if said.text in record.texts)


def row_of(db: Database, text: str, direction: str) -> dict[str, Any]:
    found = next(
        row
        for row in db.envelopes
        if row["direction"] == direction and row["kind"] == "message" and text in str(db.decoded[row["id"]].body)
    )
    assert isinstance(found, dict)
    return found


def remove(db: Database, row: Row) -> None:
    db.envelopes[:] = [other for other in db.envelopes if other is not row]


def again(db: Database, row: Row) -> None:
    twin = {**row, "id": "env_twin", "seq": None}
    db.envelopes.append(twin)
    db.decoded["env_twin"] = db.decoded[row["id"]]


def send(db: Database) -> dict[str, Any]:
    found = next(row for row in db.commands if row["kind"] == "send")
    assert isinstance(found, dict)
    return found


def lost(db: Database, record: Record) -> None:
    remove(db, row_of(db, answered(record).text, "in"))


def stored_twice(db: Database, record: Record) -> None:
    again(db, row_of(db, answered(record).text, "in"))


def never_said(db: Database, record: Record) -> None:
    record.said.remove(answered(record))


def swapped(db: Database, record: Record) -> None:
    first = answered(record)
    other = next(said for said in record.said if said is not first and said.customer == first.customer)
    one, two = row_of(db, first.text, "in"), row_of(db, other.text, "in")
    one["seq"], two["seq"] = two["seq"], one["seq"]


def elsewhere(db: Database, record: Record) -> None:
    row_of(db, answered(record).text, "in")["conversation_id"] = "cv_other"


def a_hole(db: Database, record: Record) -> None:
    row_of(db, answered(record).text, "in")["seq"] += 1_000


def unanswered(db: Database, record: Record) -> None:
    """The last one of a conversation: nothing follows with which it could have been answered."""
    last = max((row for row in db.envelopes if row["direction"] == "in" and row["seq"]), key=itemgetter("seq"))
    remove(db, row_of(db, plain_text(db.decoded[last["id"]].body), "out"))


def answered_twice(db: Database, record: Record) -> None:
    again(db, row_of(db, answered(record).text, "out"))


def unheard(db: Database, record: Record) -> None:
    gone = answered(record).text
    record.heard[:] = [one for one in record.heard if one.text != gone]


def doubled(db: Database, record: Record) -> None:
    first = record.heard[0]
    record.heard.append(Heard(first.customer, first.text, first.at + 60, "another"))


def thrice(db: Database, record: Record) -> None:
    doubled(db, record)
    doubled(db, record)


def nonsense(db: Database, record: Record) -> None:
    record.heard[0].text = "something else"


def backwards(db: Database, record: Record) -> None:
    record.heard[0].told[Status.READ] = 1.0


def state(value: int, **fields: Any) -> Spoil:
    return lambda db, record: send(db).update(state=value, **fields)


def by_two(db: Database, record: Record) -> None:
    db.commands.append({**send(db), "id": "cmd_twin"})


def told_nobody(db: Database, record: Record) -> None:
    last = max(
        (row for row in db.envelopes if row["kind"] == "message" and row["direction"] == "out"), key=itemgetter("seq")
    )
    next(row for row in db.commands if row["envelope_id"] == last["id"])["state"] = FAILED  # type: ignore[index]


def waits(db: Database, record: Record) -> None:
    row = db.conversations[0]
    assert isinstance(row, dict)
    row["asked"] = 1


SPOILED: list[tuple[str, Spoil]] = [
    ("lost", lost),
    ("stored twice", stored_twice),
    ("never said", never_said),
    ("out of order", swapped),
    ("in several conversations", elsewhere),
    ("wrongly numbered", a_hole),
    ("not answered", unanswered),
    ("answered twice", answered_twice),
    ("answer lost", unheard),
    ("doubled", doubled),
    ("heard more than twice", thrice),
    ("answers nothing", nonsense),
    ("status went backwards", backwards),
    ("given up", state(FAILED)),
    ("parked at the first doubt", state(PARKED)),
    ("stuck in sending", state(SENDING)),
    ("not finished", state(DUE)),
    ("sent by two commands", by_two),
    ("holder", waits),
    ("holder", told_nobody),
    ("still parked", lambda db, record: db.parked.append({"channel_id": "slack", "external_id": "x"})),
    ("dead", lambda db, record: db.dead.append({"id": 1, "reason": "failed", "detail": ""})),
    ("not processed", lambda db, record: db.intake.append({"id": 1, "state": 0, "kind": "raw"})),
    ("seen outside", lambda db, record: record.wrong.append("a webhook was answered with 400")),
]


@pytest.mark.parametrize(("what", "spoil"), SPOILED, ids=[what for what, _ in SPOILED])
def test_what_is_wrong_is_found(sound: tuple[Database, Record], what: str, spoil: Spoil) -> None:
    db, record = copy.deepcopy(sound)
    spoil(db, record)
    assert what in Auditor(db, record).run().wrong


def test_what_nothing_told_about_may_be_heard_twice_after_a_doubt(sound: tuple[Database, Record]) -> None:
    db, record = copy.deepcopy(sound)
    doubled(db, record)
    record.heard[0].told.clear()
    id = row_of(db, record.heard[0].text, "out")["id"]
    next(row for row in db.commands if row["envelope_id"] == id and row["kind"] == "send")["doubts"] = 1  # type: ignore[index]
    found = Auditor(db, record).run()
    assert (found.repeated, found.doubts, found.wrong) == (1, 1, {})


def test_who_is_not_patient_lets_a_doubt_be(sound: tuple[Database, Record]) -> None:
    db, record = copy.deepcopy(sound)
    last = record.said[-1].text
    id = row_of(db, last, "out")["id"]
    next(row for row in db.commands if row["envelope_id"] == id and row["kind"] == "send")["state"] = DOUBT  # type: ignore[index]
    record.heard[:] = [one for one in record.heard if one.text != last]
    assert set(Auditor(db, record).run().wrong) == {"answer lost", "not finished"}
    assert Auditor(db, record, patient=False).run().wrong == {}


def test_what_the_gateway_never_took_and_nobody_keeps_is_not_lost(sound: tuple[Database, Record]) -> None:
    db, record = copy.deepcopy(sound)
    record.said.append(Said("c1", "c1 says nothing that arrived", 0.0))
    found = Auditor(db, record).run()
    assert (found.missing, found.wrong) == (1, {})


def test_what_follows_an_answer_that_failed_is_peoples(sound: tuple[Database, Record]) -> None:
    db, record = copy.deepcopy(sound)
    customer = next(said.customer for said in reversed(record.said))
    *_, before, last = (said.text for said in record.said if said.customer == customer)
    for text, is_state in ((before, SUPERSEDED), (last, FAILED)):
        id = row_of(db, text, "out")["id"]
        send = next(row for row in db.commands if row["envelope_id"] == id and row["kind"] == "send")
        send["state"] = is_state  # type: ignore[index]
    record.heard[:] = [one for one in record.heard if one.text not in (before, last)]
    record.refused.add(last)
    assert {"holder", "answer lost", "given up"} <= set(Auditor(db, record).run().wrong)
    id = row_of(db, last, "in")["conversation_id"]
    one = next(row for row in db.conversations if row["id"] == id)
    one.update({"holder": "queue", "epoch": 2, "reason": "undelivered: refused", "due_at": 1})  # type: ignore[attr-defined]
    assert Auditor(db, record).run().wrong == {}


@pytest.mark.parametrize(("killed_after_s", "known"), [(0.1, True), (5.0, False), (None, False)])
def test_what_was_spoken_right_before_a_kill_may_be_missing_in_the_record(
    sound: tuple[Database, Record], killed_after_s: float | None, known: bool
) -> None:
    db, record = copy.deepcopy(sound)
    customer = record.said[-1].customer
    before, last = [said.text for said in record.said if said.customer == customer][-2:]
    remove(db, row_of(db, before, "out"))
    for one in db.envelopes:  # the caller spoke on
        if one["conversation_id"] == row_of(db, last, "in")["conversation_id"] and (one["seq"] or 0) > 1:
            one["seq"] -= one["seq"] > row_of(db, before, "in")["seq"]  # type: ignore[index]
    heard = next(one for one in record.heard if one.text == before)
    heard.id = None
    heard.told.clear()
    record.killed = [] if killed_after_s is None else [heard.at + killed_after_s]
    found = Auditor(db, record).run()
    assert (found.forgotten, "answers nothing" in found.wrong) == (int(known), not known)
