from __future__ import annotations

from gateway.store import files
from gateway.store.files import FileRow
from gateway.store.store import Store
from normalizer.ids import EnvelopeId


def test_bytes_are_known_by_their_hash_and_once(store: Store) -> None:
    first = FileRow("aa", 5_000_000_000, "image/png", 1)
    store.write_now(lambda tx: files.add(tx, [first]))
    store.write_now(lambda tx: files.add(tx, [first._replace(mime="text/html", created_at=2)]))
    assert store.read_now(lambda tx: files.get(tx, "aa")) == first
    assert store.read_now(lambda tx: files.get(tx, "bb")) is None


def test_bytes_are_in_use_as_long_as_an_envelope_says_so(store: Store) -> None:
    uses = [("aa", EnvelopeId("e1"), 0), ("aa", EnvelopeId("e2"), 0), ("aa", EnvelopeId("e1"), 1)]
    store.write_now(lambda tx: files.use(tx, uses))
    store.write_now(lambda tx: files.use(tx, uses))
    assert store.read_now(lambda tx: files.used(tx, ["aa", "bb"])) == {"aa"}
    assert store.read_now(lambda tx: files.used(tx, [])) == set()


def test_forgotten_bytes_are_gone(store: Store) -> None:
    rows = [FileRow(name, 1, "image/png", 1) for name in ("aa", "bb")]
    store.write_now(lambda tx: files.add(tx, rows))
    store.write_now(lambda tx: files.forget(tx, ["aa", "unknown"]))
    assert store.read_now(lambda tx: files.get(tx, "aa")) is None
    assert store.read_now(lambda tx: files.get(tx, "bb")) == rows[1]
