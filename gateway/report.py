"""What the rooms tell about their work, as lines and counters.

Rule: one wide line for each room and item, so that `trace` in the store and a search in the lines tell the same story.
"""

from collections import Counter
from functools import lru_cache
from typing import TextIO

from gateway.clock import Clock
from gateway.itemlog import ItemLog
from gateway.observe import Metrics, lines
from gateway.perform import Performed
from gateway.process.settle import Done
from gateway.standing import STOPS, Standing
from gateway.store.schema import DUE, FAILED, PARKED


class Report:
    """`stream`: where the rooms' JSON lines go, see `itemlog.stream_for`."""

    def __init__(self, metrics: Metrics, clock: Clock, stream: TextIO | None, standing: Standing | None = None) -> None:
        now = clock.now
        self._metrics, self._slow, self._standing = metrics, lines("process"), standing
        received = ("endpoint_id", "verdict", "status", "bytes")
        self._received = ItemLog("receive", "received", received, stream, now)
        settled = ("intake_id", "idx", "endpoint_id", "channel_id", "envelope_id", "kind", "outcome")
        self._settled = ItemLog("process", "processed", settled, stream, now)
        performed = ("command_id", "kind", "conversation_id", "channel_id", "envelope_id", "attempt", "step", "outcome")
        self._performed = ItemLog("perform", "performed", performed, stream, now)
        self._counter = lru_cache(maxsize=4_096)(metrics.received.labels)
        self._sends = lru_cache(maxsize=4_096)(metrics.sends.labels)
        self._processed = lru_cache(maxsize=4_096)(metrics.processed.labels)
        self._send_seconds = lru_cache(maxsize=4_096)(metrics.send_seconds.labels)
        self._commit_seconds = lru_cache(maxsize=16)(metrics.commit_seconds.labels)
        self._batch_size = lru_cache(maxsize=16)(metrics.batch_size.labels)

    def received(self, endpoint_id: str, verdict: str, status: int, size: int) -> None:
        self._counter(endpoint_id, verdict).inc()
        self._received.add(endpoint_id, verdict, status, size)

    def committed(self, room: str, seconds: float, items: int) -> None:
        """Once for each transaction, on the writer's own thread."""
        self._commit_seconds(room).observe(seconds)
        self._batch_size(room).observe(items)

    def fenced(self, room: str) -> None:
        self._metrics.fenced.labels(room).inc()

    def processed(self, done: Done) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        for item in done.items:
            envelope = item.envelope
            channel = envelope.channel_id if envelope is not None else None
            kind = item.kind
            self._settled.add(
                item.row.id, item.index, item.row.endpoint_id or None, channel, item.id if item.keys else None, kind,
                done.outcome_of(item),
            )  # fmt: skip
            counts[channel or "", kind] += 1
            if kind == "unsupported" and envelope is not None and self._standing and item not in done.duplicates:
                self._standing.noticed(envelope)
            if item.row.attempts:
                self._metrics.retries.labels("process").inc(item.row.attempts)
        for labels, count in counts.items():
            self._processed(*labels).inc(count)
        for item in done.duplicates:
            self._metrics.duplicates.labels(item.envelope.channel_id if item.envelope else "").inc()
        for intake_id, reason in done.dead:
            self._metrics.dead.labels("process", reason).inc()
            self._slow.warning("dead", intake_id=intake_id, reason=reason)
            if reason == "unknown_account":
                self._metrics.unknown_accounts.labels(done.endpoint_of(intake_id)).inc()

        for reason in done.handoffs:
            self._metrics.handoffs.labels(reason).inc()
        if done.late:
            self._metrics.late_answers.inc(done.late)

    def performed(self, performed: Performed) -> None:
        held = performed.held
        if held.kind == "send":
            self._sent(performed)
        elif held.kind == "ask_ai":
            self._metrics.answers.labels(performed.outcome).inc()
            if performed.seconds is not None:
                self._metrics.answer_seconds.observe(performed.seconds)
        elif held.kind == "fetch_media":
            self._metrics.media.labels(held.channel_id or "", performed.outcome).inc()
        if performed.state == DUE:
            self._metrics.retries.labels("perform").inc()
        elif performed.state in (FAILED, PARKED):
            self._metrics.dead.labels("perform", performed.outcome).inc()
        self._performed.add(held.id, held.kind, held.conversation_id, held.channel_id, held.envelope_id, held.attempts,
                            held.step, performed.outcome)  # fmt: skip

    def _sent(self, performed: Performed) -> None:
        held = performed.held
        self._sends(held.channel_id or "", performed.outcome).inc()
        if performed.outcome in STOPS and self._standing and held.channel_id is not None:
            self._standing.refused(held.channel_id)
        if performed.seconds is not None:
            self._send_seconds(held.channel_id or "").observe(performed.seconds)
        if performed.outcome == "superseded" and held.fence is not None:
            self._metrics.late_answers.inc()

    def engine(self, up: bool, reason: str) -> None:
        self._metrics.engine_up.set(1 if up else 0)
        self._slow.warning("engine changed", state="up" if up else "down")

    def close(self) -> None:
        for log in (self._received, self._settled, self._performed):
            log.flush()
