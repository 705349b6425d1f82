"""What was heard of an answer, beside its question."""

from __future__ import annotations

from functools import partial

import msgspec

from gateway.store import outbox, spoken
from gateway.store.outbox import Held
from gateway.store.spoken import Spoken
from gateway.store.store import Store
from router.commands import AskAi
from tests.store.rows import new_command
from tests.store.test_outbox import end, put, take

ASKED = AskAi(7, 20_000, 0.5)
SAID = Spoken('One. "Two" ü [NAME_1]')


def asked(store: Store) -> Held:
    put(store, new_command(5, kind="ask_ai")._replace(payload=msgspec.json.encode(ASKED)))
    (held,) = take(store)
    return held


def again(store: Store) -> Held:
    store.write_now(outbox.void_claims)
    (held,) = take(store)
    return held


def test_it_is_there_for_the_next_life_and_the_question_stands(store: Store) -> None:
    held = asked(store)
    assert spoken.kept(held) == Spoken()
    store.write_now(lambda tx: spoken.keep(tx, held, SAID))
    found = again(store)
    assert spoken.kept(found) == SAID
    assert msgspec.json.decode(found.payload, type=AskAi) == ASKED


def test_the_last_word_stays(store: Store) -> None:
    held = asked(store)
    for said in (SAID, Spoken("One. Two. Three.", whole=True)):
        store.write_now(partial(spoken.keep, held=held, said=said))
    assert spoken.kept(again(store)) == Spoken("One. Two. Three.", whole=True)


def test_who_has_lost_the_question_can_keep_nothing_with_it(store: Store) -> None:
    held = asked(store)
    found = again(store)
    store.write_now(lambda tx: spoken.keep(tx, held, SAID))
    assert spoken.kept(again(store)) == spoken.kept(found) == Spoken()


def test_what_was_told_is_left_alone(store: Store) -> None:
    held = asked(store)
    end(store, held)
    store.write_now(lambda tx: spoken.keep(tx, held, SAID))
    assert store.write_now(lambda tx: outbox.stuck(tx, [10], 0, 9))[0][0].payload == held.payload
