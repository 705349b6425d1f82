"""The auditor sees what it is there to see: a sound run, spoiled in one place, is found to be wrong in that way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from gateway.store.schema import DUE, FAILED, PARKED, SENDING
from tests.chaos.__main__ import plan_for
from tests.chaos.audit import Auditor, Database, Row, Seen
from tests.chaos.journal import Accepted
from tests.chaos.plan import WEB
from tests.chaos.run import Conductor

Spoil = Callable[[Database, Seen], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, Seen]:
    """A run without kills and without faults of the provider's."""
    folder = tmp_path_factory.mktemp("sound")
    plan = plan_for("sqlite", f"sqlite:///{folder}/data/throughline.db", folder, kills=0, messages=60, seed=5,
                    customers=10, visitors=2, per_second=30, faults=0)  # fmt: skip
    lives, seen, found = Conductor(plan).run()
    assert (lives.wrong, found.wrong) == ([], {})
    assert all(visit.acked for visit in seen.visits)
    return Database(plan.url), seen


def inbound(db: Database) -> list[dict[str, Any]]:
    rows = [row for row in db.envelopes if row["direction"] == "in" and row["kind"] == "message"]
    return [_open(row) for row in rows if row["channel_id"] != WEB]


def sends(db: Database) -> list[dict[str, Any]]:
    return [_open(row) for row in db.commands if row["kind"] == "send" and row["channel_id"] != WEB]


def _open(row: Row) -> dict[str, Any]:
    assert isinstance(row, dict)
    return row


def remove(row: Row, rows: list[Row]) -> None:
    rows[:] = [other for other in rows if other is not row]


def again(db: Database, row: Row) -> None:
    """The same envelope once more under another id, at the end of its conversation."""
    twin = {**row, "id": "env_twin", "seq": None}
    db.envelopes.append(twin)
    db.decoded["env_twin"], db.by_envelope["env_twin"] = db.decoded[row["id"]], twin


def receipt(db: Database) -> Row:
    return next(row for row in db.envelopes if row["kind"] == "receipt")


def lost(db: Database, seen: Seen) -> None:
    remove(inbound(db)[0], db.envelopes)


def stored_twice(db: Database, seen: Seen) -> None:
    again(db, inbound(db)[0])


def elsewhere(db: Database, seen: Seen) -> None:
    inbound(db)[0]["conversation_id"] = inbound(db)[-1]["conversation_id"] + "x"


def changed(db: Database, seen: Seen) -> None:
    seen.journal.written[0].text += "."


def swapped(db: Database, seen: Seen) -> None:
    one, *others = inbound(db)
    other = next(row for row in others if row["conversation_id"] == one["conversation_id"])
    one["seq"], other["seq"] = other["seq"], one["seq"]


def a_hole(db: Database, seen: Seen) -> None:
    inbound(db)[0]["seq"] += 1_000


def doubled(db: Database, seen: Seen) -> None:
    twin = copy.copy(seen.journal.accepted[0])
    twin.at += 60
    seen.journal.accepted.append(twin)


def thrice(db: Database, seen: Seen) -> None:
    doubled(db, seen)
    doubled(db, seen)


def forget(seen: Seen, text: str) -> None:
    """The provider never accepted anything with this text."""
    gone = {one.id for one in seen.journal.accepted if one.text == text}
    seen.journal.accepted[:] = [one for one in seen.journal.accepted if one.id not in gone]
    seen.journal.told[:] = [one for one in seen.journal.told if one.target not in gone]


def never_accepted(db: Database, seen: Seen) -> None:
    forget(seen, seen.journal.accepted[0].text)


def phantom(db: Database, seen: Seen) -> None:
    seen.journal.accepted[0].key = "cmd_other:0"


def sent_early(db: Database, seen: Seen) -> None:
    def leg(one: Accepted) -> tuple[str, str]:
        return one.customer, one.number

    first, second = next(
        (one, other) for one, other in combinations(seen.journal.accepted, 2) if leg(one) == leg(other)
    )
    first.at, second.at = second.at, first.at


def state(value: int, **fields: Any) -> Spoil:
    return lambda db, seen: sends(db)[0].update(state=value, **fields)


def unanswered(db: Database, seen: Seen) -> None:
    forget(seen, seen.journal.written[-1].text)


def nonsense(db: Database, seen: Seen) -> None:
    seen.journal.accepted[0].text = "something else"


def backwards(db: Database, seen: Seen) -> None:
    _open(db.external["alpha", next(id for channel, id in db.external if channel == "alpha" and "out" in id)])[
        "rank"
    ] = 0


def receipt_lost(db: Database, seen: Seen) -> None:
    remove(receipt(db), db.envelopes)


def receipt_twice(db: Database, seen: Seen) -> None:
    again(db, receipt(db))


def answered_twice(db: Database, seen: Seen) -> None:
    again(db, next(row for row in db.envelopes if row["direction"] == "out" and row["kind"] == "message"))


def waiting(db: Database, seen: Seen) -> None:
    _open(db.conversations[0])["asked"] = 1


def refused(db: Database, seen: Seen) -> None:
    seen.journal.counts.refused[401] = 1


def unfinished(db: Database, seen: Seen) -> None:
    seen.journal.unfinished = 3


def visitor_lost(db: Database, seen: Seen) -> None:
    text = seen.visits[0].acked[0]
    row = next(row for row in db.envelopes if row["channel_id"] == WEB and text in str(db.decoded[row["id"]].body))
    remove(row, db.envelopes)


def visitor_saw(db: Database, seen: Seen) -> None:
    seen.visits[0].violations.append("twice")


SPOILED: list[tuple[str, Spoil]] = [
    ("lost", lost),
    ("lost", visitor_lost),
    ("stored twice", stored_twice),
    ("in another conversation", elsewhere),
    ("changed", changed),
    ("out of order", swapped),
    ("wrongly numbered", a_hole),
    ("receipt lost", receipt_lost),
    ("receipt stored twice", receipt_twice),
    ("doubled", doubled),
    ("sent more than twice", thrice),
    ("said to be sent, never accepted", never_accepted),
    ("accepted but unknown here", phantom),
    ("sent out of order", sent_early),
    ("given up", state(FAILED)),
    ("parked at the first doubt", state(PARKED)),
    ("parked although a receipt told", state(PARKED, doubts=1)),
    ("stuck in sending", state(SENDING)),
    ("not finished", state(DUE)),
    ("not answered", unanswered),
    ("answers nothing", nonsense),
    ("answered twice", answered_twice),
    ("status went backwards", backwards),
    ("still parked", lambda db, seen: db.parked.append({"channel_id": "alpha", "external_id": "x"})),
    ("dead", lambda db, seen: db.dead.append({"id": 1, "reason": "failed", "detail": ""})),
    ("not processed", lambda db, seen: db.intake.append({"id": 1, "state": 0, "kind": "raw"})),
    ("holder", waiting),
    ("refused although signed and sound", refused),
    ("never acknowledged", unfinished),
    ("seen by a visitor", visitor_saw),
]


@pytest.mark.parametrize(("what", "spoil"), SPOILED, ids=[what for what, _ in SPOILED])
def test_what_is_wrong_is_found(sound: tuple[Database, Seen], what: str, spoil: Spoil) -> None:
    db, seen = copy.deepcopy(sound)
    spoil(db, seen)
    assert what in Auditor(db, seen).run().wrong


def test_a_send_that_nothing_told_about_may_go_out_twice(sound: tuple[Database, Seen]) -> None:
    db, seen = copy.deepcopy(sound)
    doubled(db, seen)
    first = seen.journal.accepted[0]
    for one in seen.journal.told:
        if one.target == first.id and one.acked_at is not None:
            one.acked_at += 3_600
    next(row for row in sends(db) if first.key.startswith(row["id"]))["doubts"] = 1
    found = Auditor(db, seen).run()
    assert (found.repeated, found.wrong) == (1, {})


def test_what_is_parked_after_two_doubts_is_peoples(sound: tuple[Database, Seen]) -> None:
    db, seen = copy.deepcopy(sound)
    accepted = seen.journal.accepted[-1]  # no newer turn has its answer
    send = _open(next(row for row in sends(db) if accepted.key.startswith(row["id"])))
    send.update({"state": PARKED, "doubts": 1})
    seen.journal.told[:] = [one for one in seen.journal.told if one.target != accepted.id]
    assert "holder" in Auditor(db, seen).run().wrong, "nobody was told"
    id = db.by_envelope[send["envelope_id"]]["conversation_id"]
    one = _open(next(row for row in db.conversations if row["id"] == id))
    one.update({"holder": "queue", "epoch": 2, "reason": "undelivered: in doubt", "due_at": 1, "answered": 0})
    assert "holder" not in Auditor(db, seen).run().wrong
