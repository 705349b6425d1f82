"""Text that databases choke on: cleaned once by the codec, it passes both; what is not cleaned hurts nobody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.store import effects, intake, people, threads
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import Envelope, Message, Party, Text
from normalizer.ids import ContactId, EndpointId, EnvelopeId, ExternalId, LegId
from tests.store.races import nobody_else_writes
from tests.store.rows import CHANNEL, contact_row, envelope_row, intake_row, leg_row

HOSTILE = {
    "NUL": ("a\x00b", "ab"),
    "a lone high surrogate": ("a\ud83db", "a\ufffdb"),
    "a lone low surrogate": ("a\ude00b", "a\ufffdb"),
    "a pair taken apart": ("\ud83d\ude00", "😀"),
    "an escape that only looks like NUL": ("a\\u0000b", "a\\u0000b"),
    "every script": ("Ж 漢字 🧵 é \u202e \ufeff \U0010ffff", "Ж 漢字 🧵 é \u202e \ufeff \U0010ffff"),
}


def envelope(text: str) -> Envelope:
    return Envelope(
        id=EnvelopeId("e1"),
        direction="in",
        channel_type="whatsapp",
        endpoint_id=EndpointId("wa"),
        party=Party(name=text),
        occurred_at=datetime(2026, 1, 2, tzinfo=UTC),
        external_id=ExternalId(text),
        native_thread=text,
        body=Message(parts=(Text(text),)),
    )


@pytest.mark.parametrize("case", HOSTILE)
def test_what_the_codec_sealed_is_stored_and_found_again(store: Store, case: str) -> None:
    text, cleaned = HOSTILE[case]
    sealed, content = codec.seal(envelope(text))
    assert sealed.external_id is not None
    ref, raw = (CHANNEL, sealed.external_id), text.encode("utf-8", "surrogatepass")

    def keep(tx: Tx) -> None:
        threads.add_envelopes(
            tx, [envelope_row("e1", content=content)._replace(raw=text.encode("utf-8", "surrogatepass"))]
        )
        threads.save_legs(tx, [leg_row("l1", native_thread=sealed.native_thread)])
        people.add_contacts(tx, [contact_row("p1", sealed.party.name)])
        effects.own(tx, [(*ref, EnvelopeId("e1"), 1, 1)])

    store.write_now(keep)
    found = store.read_now(lambda tx: threads.get_envelopes(tx, [EnvelopeId("e1")]))[EnvelopeId("e1")]
    assert codec.decode(found.content).body == Message(parts=(Text(cleaned),))
    assert found.raw == raw, "the raw stays as it came"
    assert store.write_now(lambda tx: threads.lock_legs(tx, [LegId("l1")]))[LegId("l1")].native_thread == cleaned
    contact = store.read_now(lambda tx: people.get_contact(tx, ContactId("p1")))
    assert contact is not None
    assert contact[0].name == cleaned
    assert store.read_now(lambda tx: effects.get(tx, [ref]))[ref].envelope_id == "e1"


@pytest.mark.parametrize("lane", ["a\x00b", "a\ud83db"])
async def test_a_row_that_the_database_cannot_take_is_alone_in_its_trouble(store: Store, lane: str) -> None:
    """Nobody should hand one in; if somebody does, those who came with it are stored all the same."""
    with nobody_else_writes(store):
        first = asyncio.ensure_future(store.receive([intake_row(1)]))
        await asyncio.wait([first], timeout=0.05)
        rows = [intake_row(2), intake_row(3, lane), intake_row(4)]
        waiting = [asyncio.ensure_future(store.receive([row])) for row in rows]
        await asyncio.wait(waiting, timeout=0.05)
    results = await asyncio.gather(first, *waiting, return_exceptions=True)
    takes_nul = store.database.name == "sqlite" and lane == "a\x00b"
    assert [type(result) for result in results] == [
        type(None), type(None), type(None) if takes_nul else StoreUnavailable, type(None),
    ]  # fmt: skip
    claimed = store.write_now(lambda tx: intake.claim(tx, "a", upto=9, lease_ms=1, most=9))
    assert [row.id for row in claimed] == ([1, 2, 3, 4] if takes_nul else [1, 2, 4])
