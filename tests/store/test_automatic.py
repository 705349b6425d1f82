from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.store import threads
from gateway.store.automatic import LAST, said_automatically
from gateway.store.store import Store
from normalizer import codec
from normalizer.envelope import AuthorKind, Envelope, Message, Text
from normalizer.ids import ConversationId, EndpointId, EnvelopeId, LegId
from tests.store.rows import CHANNEL, envelope_row

AT = datetime(2026, 1, 2, tzinfo=UTC)
C1, L1 = ConversationId("c1"), LegId("l1")


def content(author: AuthorKind) -> bytes:
    return codec.encode(
        Envelope(
            id=EnvelopeId("e"),
            direction="out",
            channel_type="x",
            endpoint_id=EndpointId("x"),
            channel_id=CHANNEL,
            author=author,
            occurred_at=AT,
            body=Message(parts=(Text('{"author":"agent"}'),)),
        )
    )


def said(store: Store, *lines: tuple[str, AuthorKind, int, dict[str, Any]]) -> None:
    rows = [
        envelope_row(f"e{seq}", seq=seq, content=content(author))._replace(
            **{"direction": direction, "at": seq * 10, **rest}
        )
        for direction, author, seq, rest in lines
    ]
    store.write_now(lambda tx: threads.add_envelopes(tx, rows))


def count(store: Store, head: int = 99, since: int = 0, leg: LegId = L1) -> int:
    return store.read_now(lambda tx: said_automatically(tx, C1, head, leg, since))


def test_what_machines_of_ours_said_to_a_leg_is_counted(store: Store) -> None:
    said(
        store,
        ("out", "ai", 1, {}),
        ("in", "customer", 2, {}),
        ("out", "system", 3, {}),
        ("out", "agent", 4, {}),
        ("out", "business", 5, {}),
        ("out", "ai", 6, {"leg_id": LegId("l2")}),
        ("out", "ai", 7, {"conversation_id": ConversationId("c2")}),
        ("out", "system", 8, {"kind": "state_change"}),
        ("out", "ai", 9, {"seq": None}),
    )
    assert count(store) == 2
    assert count(store, leg=LegId("l2")) == 1


def test_only_since_then_and_only_the_end_of_a_conversation(store: Store) -> None:
    said(store, ("out", "ai", 1, {}), ("out", "ai", 2, {}), ("out", "ai", 3, {}))
    assert (count(store, since=10), count(store, since=9), count(store, since=30)) == (2, 3, 0)
    assert (count(store, head=LAST + 1), count(store, head=LAST)) == (2, 3)
