from __future__ import annotations

from functools import partial

import sqlalchemy as sa

from gateway.clock import FROZEN_START
from gateway.store import effects, files, intake, outbox, retention, threads
from gateway.store.files import FileRow
from gateway.store.retention import Kind
from gateway.store.schema import DONE, FAILED, PARKED, SUPERSEDED, dead, envelope
from gateway.store.store import Store
from normalizer import codec
from normalizer.envelope import Envelope, Image, MediaRef, Message, Text
from normalizer.ids import EndpointId, EnvelopeId
from tests.store.rows import dead_row, envelope_row, intake_row, new_command, seen, settled

NOW = 1_000
SHA = "ab" * 32


def kept_and_gone(store: Store, kind: Kind, before: int = NOW) -> list[object]:
    """What was old enough: looked for in pages of two, then changed."""
    gone: list[object] = []
    after: object = kind.first
    while found := store.read_now(partial(retention.find, kind=kind, after=after, before=before, most=2)):
        assert store.write_now(partial(retention.change, kind=kind, keys=found)) == len(found)
        gone += found
        after = found[-1]
    assert store.read_now(lambda tx: retention.find(tx, kind, kind.first, before, 9)) == []
    return gone


def raws(store: Store) -> dict[str, bytes | None]:
    with store.engine.connect() as connection:
        return {row.id: row.raw for row in connection.execute(sa.select(envelope.c.id, envelope.c.raw))}


def test_the_providers_bytes_go_and_the_message_stays(store: Store) -> None:
    rows = [
        envelope_row(id, seq=place)._replace(at=2000 - arrived, intake_id=arrived << retention.MS_SHIFT, raw=raw)
        for place, (id, arrived, raw) in enumerate(
            [("e1", 1, b"old"), ("e2", 999, b"old"), ("e3", 1000, b"new"), ("e4", 1, None), ("e5", 2, b"old")]
        )
    ]
    store.write_now(lambda tx: threads.add_envelopes(tx, rows))
    assert kept_and_gone(store, retention.RAW) == ["e1", "e2", "e5"]
    assert raws(store) == {"e1": None, "e2": None, "e3": b"new", "e4": None, "e5": None}


def test_the_dead_go_only_when_they_were_replayed(store: Store) -> None:
    store.write_now(lambda tx: intake.bury(tx, [dead_row(id, intake_id=id) for id in (1, 2, 3)]))
    store.write_now(lambda tx: intake.mark_replayed(tx, 1, 999))
    store.write_now(lambda tx: intake.mark_replayed(tx, 2, 1000))
    assert kept_and_gone(store, retention.REPLAYED) == [1]
    with store.engine.connect() as connection:
        assert [row.id for row in connection.execute(sa.select(dead.c.id).order_by(dead.c.id))] == [2, 3]


def test_keys_of_old_events_are_forgotten(store: Store) -> None:
    store.write_now(lambda tx: effects.claim_keys(tx, [seen(f"k{at}", at=at) for at in (1, 2, 999, 1000)]))
    assert sorted(map(str, kept_and_gone(store, retention.KEYS))) == ["k1", "k2", "k999"]


def test_finished_commands_go_and_what_somebody_may_ask_for_stays(store: Store) -> None:
    kinds = {1: "send", 2: "send", 3: "send", 4: "send", 5: "ask_ai", 6: "mark", 7: "send", 8: "send"}
    states = {1: DONE, 2: FAILED, 3: PARKED, 4: SUPERSEDED, 5: SUPERSEDED, 6: FAILED, 7: DONE}
    store.write_now(lambda tx: outbox.add(tx, [new_command(n, kind, leg=f"l{n}") for n, kind in kinds.items()]))
    held = store.write_now(lambda tx: outbox.claim(tx, "me", set(kinds.values()), lease_ms=10, most=50))
    ended = [settled(one, states[one.n], done_at=1000 if one.n == 7 else 999) for one in held if one.n in states]
    store.write_now(lambda tx: outbox.settle_many(tx, ended))
    assert kept_and_gone(store, retention.COMMANDS) == [1, 5, 6]


def test_outcomes_go_by_the_time_in_their_number(store: Store) -> None:
    old, young = (999 << retention.MS_SHIFT) + 5, NOW << retention.MS_SHIFT
    rows = [intake_row(id, lane=str(id), wants_outcome=True) for id in (old, old + 1, young)]
    store.write_now(lambda tx: intake.add(tx, rows))
    claimed = store.write_now(lambda tx: intake.claim(tx, "me", upto=2**62, lease_ms=10, most=9))
    for row in claimed:
        if row.id != old + 1:
            store.write_now(partial(intake.answer, row=row.id, epoch=row.epoch, outcome=b"{}"))
    assert kept_and_gone(store, retention.ANSWERED_ROWS) == [old]


# --- files --------------------------------------------------------------------------------------------------------


def stored_image(id: str, *names: str) -> bytes:
    parts = tuple(Image(MediaRef(stored=name)) for name in names)
    return codec.encode(
        Envelope(
            id=EnvelopeId(id), direction="in", channel_type="x", endpoint_id=EndpointId("x"), occurred_at=FROZEN_START,
            body=Message(parts=(Text('a "stored":"lie"'), *parts)),
        )
    )  # fmt: skip


def test_messages_say_which_files_they_use(store: Store) -> None:
    rows = [
        envelope_row("e1", seq=1, content=stored_image("e1", SHA, "cd" * 32)),
        envelope_row("e2", seq=2, content=stored_image("e2")),
        envelope_row("e3", seq=3, content=stored_image("e3", SHA)),
    ]
    store.write_now(lambda tx: threads.add_envelopes(tx, rows))
    found: list[retention.Use] = []
    after: str | None = retention.FIRST_TEXT
    while after is not None:
        after, page = store.read_now(partial(retention.uses, after=after, most=1))
        found += page
    assert found == [(SHA, "e1", 1), ("cd" * 32, "e1", 2), (SHA, "e3", 1)]


def test_records_of_files_go_when_nothing_uses_them(store: Store) -> None:
    rows = [FileRow(name, 1, "image/png", at) for name, at in ((SHA, 1), ("cd" * 32, 1), ("ef" * 32, 1000))]
    store.write_now(lambda tx: files.add(tx, rows))
    store.write_now(lambda tx: files.use(tx, [(SHA, EnvelopeId("e1"), 0)]))
    assert kept_and_gone(store, retention.FILES) == ["cd" * 32]
