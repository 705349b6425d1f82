"""Every row and room that touched something, by a provider's id or one of ours. Ids, states and times; no content."""

from datetime import datetime

from msgspec import Struct

from gateway.clock import Clock
from gateway.directory import from_ms
from gateway.operator.house import opened
from gateway.settings import Config
from gateway.store import reads, threads, traces
from gateway.store.overview import STATES
from gateway.store.schema import ANSWERED
from gateway.store.tx import Tx
from normalizer.envelope import RANK
from normalizer.ids import EnvelopeId, ExternalId

MS_SHIFT = 20
MOST_DIGITS = 19
STATUS = {0: "known", **{rank: status.value for status, rank in RANK.items()}}


class Touched(Struct, frozen=True, kw_only=True, order=True):
    at: datetime | None
    room: str
    what: str
    id: str
    about: str


def trace(config: Config, id: str, clock: Clock | None = None) -> list[Touched]:
    """Oldest first; empty: nothing here knows it."""
    with opened(config, clock) as store:
        return store.read_now(lambda tx: Trace(tx, id).found())


class Trace:
    def __init__(self, tx: Tx, id: str) -> None:
        self._tx, self._id = tx, id
        self._external = reads.find_external(tx, ExternalId(id))
        self._commands = traces.commands(tx, self._own_envelopes(), id)
        self._envelopes = self._own_envelopes() | {one.envelope_id for one in self._commands if one.envelope_id}
        self._rows = threads.get_envelopes(tx, self._envelopes)
        self._seen = traces.seen(tx, self._envelopes)

    def _own_envelopes(self) -> set[EnvelopeId]:
        named = {envelope for _, envelope, _ in self._external if envelope is not None}
        parked = {row.envelope_id for row in traces.parked_for(self._tx, ExternalId(self._id))}
        return {*named, *parked, EnvelopeId(self._id)}

    def found(self) -> list[Touched]:
        rows = [*self._of_intake(), *self._of_process(), *self._of_perform()]
        return sorted(rows, key=lambda row: (row.at is None, row.at, row.room, row.what, row.id))

    def _intake_ids(self) -> set[int]:
        digits = self._id.isascii() and self._id.isdecimal() and len(self._id) <= MOST_DIGITS
        number = {int(self._id)} if digits and int(self._id) < 2**63 else set()
        return number | {row.intake_id for row in self._rows.values()} | {row.intake_id for row in self._seen}

    def _of_intake(self) -> list[Touched]:
        waiting = {row.id: row for row in traces.intake_rows(self._tx, self._intake_ids(), self._id)}
        done = {row.intake_id for row in self._rows.values()} | {row.intake_id for row in self._seen}
        rows = [
            _row("receive", "intake", id, id >> MS_SHIFT, "processed")
            for id in sorted(done - waiting.keys())
        ]  # fmt: skip
        for id, row in waiting.items():
            state = "processed, its outcome kept" if row.state == ANSWERED else f"waiting, {row.attempts} attempts"
            rows.append(
                _row("receive", "intake", id, id >> MS_SHIFT, f"{row.kind} of {row.endpoint_id or 'ours'}, {state}")
            )
        return rows

    def _of_process(self) -> list[Touched]:
        ids = self._intake_ids()
        return [
            *(_row("process", "seen", row.envelope_id, row.at, f"intake {row.intake_id} part {row.idx}")
              for row in self._seen),
            *(_row("process", "envelope", row.id, row.at, f"{row.kind} {row.direction}, conversation "
                   f"{row.conversation_id} seq {row.seq}, intake {row.intake_id}") for row in self._rows.values()),
            *(_row("process", "parked", row.id, row.at, f"{row.envelope_id} on {row.channel_id} waits for its message")
              for row in traces.parked_for(self._tx, ExternalId(self._id))),
            *(_row("process", "dead", row.id, row.at, f"{row.reason}, intake {row.intake_id} part {row.idx}"
                   + (", replayed" if row.replayed_at is not None else ""))
              for row in traces.dead_rows(self._tx, ids, self._id)),
        ]  # fmt: skip

    def _of_perform(self) -> list[Touched]:
        rows = [
            _row("perform", "external", envelope or channel, None, f"{channel}: {STATUS.get(rank, rank)}")
            for channel, envelope, rank in self._external
        ]
        for one in self._commands:
            state = STATES.get(one.state, str(one.state))
            about = f"{one.kind} {state}, {one.attempts} attempts, step {one.step}" + (
                f", {one.error}" if one.error else ""
            )
            rows.append(_row("perform", "command", one.id, one.done_at or one.created_at, about))
        return rows


def _row(room: str, what: str, id: object, at: int | None, about: str) -> Touched:
    return Touched(at=None if at is None else from_ms(at), room=room, what=what, id=str(id), about=about)
