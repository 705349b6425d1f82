"""Room 3's decisions and its small machines. (What it does with a provider: tests/rooms.)"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.base import Capabilities, CredentialsRefused, NoAnswer, Refused, SendError, Throttled, Unavailable
from gateway.clock import FrozenClock
from gateway.perform import verdict
from gateway.perform.ask import AskSettings, Breaker
from gateway.perform.batcher import Batcher
from gateway.perform.stream import unasked
from gateway.store.outbox import Held
from gateway.store.schema import DONE, DOUBT, DUE, FAILED, PARKED, SENDING, SUPERSEDED
from gateway.store.store import Store
from gateway.store.tx import Tx
from gateway.transport import RetryPolicy
from normalizer.ids import ChannelId, CommandId, ConversationId, EnvelopeId, LegId
from tests.store.conftest import clock, empty_sqlite, sqlite_store, sqlite_url

__all__ = ["clock", "empty_sqlite", "sqlite_store", "sqlite_url"]

NOW = 5_000_000
PLAIN, ECHO, LIVE = Capabilities(), Capabilities(echo=True, echo_wait_ms=20_000), Capabilities(live=True)


def held(**fields: Any) -> Held:
    usual = Held(1, CommandId("c"), "send", ConversationId("cv"), LegId("l"), ChannelId("ch"), EnvelopeId("e"), b"{}",
                 None, SENDING, 1, 0, 0, 0, 9, NOW)  # fmt: skip
    return usual._replace(**fields)


def after(error: SendError, capabilities: Capabilities = PLAIN, **fields: Any) -> tuple[int, int]:
    settled = verdict.after_error(held(**fields), error, capabilities, RetryPolicy(), NOW, 0.5)
    assert (settled.n, settled.epoch) == (1, 9)
    return settled.state, settled.due_at - NOW


def test_what_may_pass_is_due_again() -> None:
    assert after(Unavailable()) == (DUE, 500)
    assert after(Unavailable(), attempts=2) == (DUE, 1_000)
    assert after(Throttled(retry_after_s=9)) == (DUE, 9_500)


def test_what_will_not_pass_has_failed() -> None:
    assert after(Refused())[0] == FAILED
    assert after(Unavailable(), attempts=5)[0] == FAILED
    assert after(Unavailable(), created_at=NOW - 86_400_000)[0] == FAILED


def test_what_is_not_known_is_in_doubt() -> None:
    assert after(NoAnswer(), ECHO) == (DOUBT, 20_000)
    assert after(NoAnswer(), PLAIN) == (DOUBT, 0)
    assert after(Unavailable(certain=False), ECHO)[0] == DOUBT
    assert after(NoAnswer(certain=True), ECHO)[0] == DUE


def test_on_a_live_wire_nothing_is_in_doubt() -> None:
    assert verdict.in_doubt(held(), LIVE, NOW, "x").state == DUE


@pytest.mark.parametrize(
    ("fields", "careful", "state"),
    [
        ({}, False, DUE),
        ({"doubts": 1}, False, PARKED),
        ({}, True, PARKED),
        ({"echoed": 1}, True, DUE),
        ({"echoed": 1, "doubts": 1}, False, DUE),
        ({"echoed": 1, "step": 1, "doubts": 1}, False, PARKED),
    ],
)
def test_after_the_wait(fields: dict[str, int], careful: bool, state: int) -> None:
    settled = verdict.after_doubt(held(state=DOUBT, **fields), careful, NOW)
    assert settled.state == state
    if fields.get("echoed", 0) > fields.get("step", 0):
        assert (settled.step, settled.attempts) == (fields["echoed"], 0)


def unanswered(error: SendError, **fields: Any) -> tuple[int, int, int]:
    settled = verdict.unanswered(held(state=DOUBT, **fields), error, False, RetryPolicy(), NOW, 0.5)
    return settled.state, settled.due_at - NOW, settled.attempts


def test_who_can_not_be_asked_now_is_asked_again() -> None:
    """Also when it is not known whether we were heard, and while the channel stands still: asking harms nobody."""
    assert unanswered(Unavailable()) == (DOUBT, 1_000, 2)
    assert unanswered(NoAnswer()) == (DOUBT, 1_000, 2)
    assert unanswered(CredentialsRefused()) == (DOUBT, 1_000, 2)
    assert unanswered(Throttled(retry_after_s=9), attempts=2) == (DOUBT, 11_000, 3)


def test_who_can_not_be_asked_at_all_is_as_one_who_does_not_know() -> None:
    """Sent once more, with all its tries; or a person's."""
    assert unanswered(Unavailable(), attempts=verdict.ASKED_MAX - 1) == (DUE, 0, 0)
    assert unanswered(Refused()) == (DUE, 0, 0)
    assert unanswered(Refused(), doubts=1)[0] == PARKED


def test_the_ends() -> None:
    ends = [verdict.done(held(), NOW), verdict.failed(held(), NOW, "x"), verdict.superseded(held(), NOW, "y")]
    assert [(one.state, one.error, one.done_at) for one in ends] == [
        (DONE, None, NOW), (FAILED, "x", NOW), (SUPERSEDED, "y", NOW),
    ]  # fmt: skip
    out = verdict.found(held(state=DOUBT, step=1), NOW)
    assert (out.state, out.step, out.due_at, out.attempts) == (DUE, 2, NOW, 0)
    following = verdict.next_step(held(), NOW, 3_000)
    assert (following.state, following.step, following.due_at, following.attempts) == (DUE, 1, NOW + 3_000, 0)


# --- the breaker ------------------------------------------------------------------------------------------------------


def breaker() -> tuple[Breaker, FrozenClock, list[bool]]:
    changes: list[bool] = []
    time = FrozenClock()
    return (
        Breaker(AskSettings(breaker_failures=3, breaker_reset_ms=1_000), time, lambda up, _: changes.append(up)),
        time,
        changes,
    )


def test_it_opens_once_after_so_many_failures_in_a_row() -> None:
    one, _, changes = breaker()
    for _ in range(2):
        one.failed("x")
    one.succeeded()
    for _ in range(2):
        one.failed("x")
    assert (one.open, changes) == (False, [])
    for _ in range(3):
        one.failed("x")
    assert (one.open, changes) == (True, [False])


def test_after_its_rest_one_may_try() -> None:
    one, time, changes = breaker()
    for _ in range(3):
        one.failed("x")
    time.advance(0.999)
    one.look()
    assert one.open
    time.advance(0.001)
    one.look()
    assert (one.open, changes) == (False, [False, True])
    one.failed("x")
    assert (one.open, changes) == (True, [False, True, False])


# --- outcomes written together ----------------------------------------------------------------------------------------


async def test_outcomes_go_together_and_one_bad_one_fails_alone(sqlite_store: Store) -> None:
    batcher, written = Batcher(sqlite_store), []

    def good(number: int) -> Any:
        return lambda tx: written.append((number, id(tx)))

    def bad(tx: Tx) -> None:
        raise ZeroDivisionError

    await asyncio.gather(*(batcher.put(good(number)) for number in range(5)))
    assert ([number for number, _ in written], len({tx for _, tx in written})) == ([0, 1, 2, 3, 4], 1)
    results = await asyncio.gather(*map(batcher.put, (good(5), bad, good(6))), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ZeroDivisionError, type(None)]


# --- questions that nobody is asked -------------------------------------------------------------------------------


def test_of_a_question_that_can_not_be_read_there_is_nothing_to_tell() -> None:
    assert unasked(held(kind="ask_ai"), "there is no AI engine") is None
