from __future__ import annotations

from gateway.store import effects, intake, outbox, traces
from gateway.store.store import Store
from gateway.store.traces import DeadTrace, IntakeTrace, ParkedTrace, SeenTrace
from normalizer.ids import EnvelopeId, ExternalId
from tests.store.rows import CHANNEL, dead_row, intake_row, new_command, parked_row, seen


def test_rows_are_found_by_their_number_and_by_what_they_hold(store: Store) -> None:
    rows = [intake_row(1, raw=b"a wamid.7 b"), intake_row(2, raw=b"other"), intake_row(3, raw=b"other")]
    store.write_now(lambda tx: intake.add(tx, rows))
    buried = [dead_row(id, intake_id=id)._replace(raw=raw) for id, raw in ((4, b"wamid.7"), (5, b"x"), (6, b"x"))]
    store.write_now(lambda tx: intake.bury(tx, buried))
    store.write_now(lambda tx: intake.mark_replayed(tx, 5, 9))
    assert store.read_now(lambda tx: traces.intake_rows(tx, {3}, "wamid.7")) == [
        IntakeTrace(1, "wa", "raw", 0, 0), IntakeTrace(3, "wa", "raw", 0, 0),
    ]  # fmt: skip
    assert store.read_now(lambda tx: traces.dead_rows(tx, {5}, "wamid.7")) == [
        DeadTrace(4, 4, 0, "malformed", 5, None), DeadTrace(5, 5, 0, "malformed", 5, 9),
    ]  # fmt: skip


def test_side_events_are_found_by_the_message_that_they_wait_for(store: Store) -> None:
    store.write_now(lambda tx: effects.park(tx, [parked_row(1, "wamid.7"), parked_row(2, "wamid.8")]))
    found = store.read_now(lambda tx: traces.parked_for(tx, ExternalId("wamid.7")))
    assert found == [ParkedTrace(1, CHANNEL, EnvelopeId("e1"), 1)]


def test_events_and_commands_are_found_by_their_envelope(store: Store) -> None:
    store.write_now(lambda tx: effects.claim_keys(tx, [seen("k1", "e1", 7, 2, 9), seen("k2", "e2")]))
    store.write_now(lambda tx: outbox.add(tx, [new_command(n) for n in (1, 2, 3)]))
    assert store.read_now(lambda tx: traces.seen(tx, {EnvelopeId("e1")})) == [SeenTrace(7, 2, EnvelopeId("e1"), 9)]
    found = store.read_now(lambda tx: traces.commands(tx, {EnvelopeId("e1")}, "cmd-3"))
    assert [(one.id, one.kind, one.envelope_id) for one in found] == [("cmd-1", "send", "e1"), ("cmd-3", "send", "e3")]
