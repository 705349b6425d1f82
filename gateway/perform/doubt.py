"""Sends in doubt: what was found in `sending` waits for its echo; then the provider's list is read, where it has one.

Rule: what is in doubt stays so while it is looked for; the look is repeated after a crash, and harms nobody.
Rule: of what the list names only what no other message of ours has is this one's: its id tells equal texts apart.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gateway.clock import MS_SHIFT
from gateway.perform import verdict
from gateway.perform.begin import Ready, read
from gateway.perform.calls import Calls
from gateway.perform.outcome import NewNumber, write_ids, write_settled
from gateway.store import effects, intake, outbox
from gateway.store.outbox import Held, Settled
from gateway.store.schema import DOUBT, SENDING
from gateway.store.tx import Tx
from normalizer.ids import ExternalId
from router.commands import Command, Send

_decode = msgspec.json.Decoder(Command).decode
UNREAD_MS = 500
"""Under load something always waits in the intake; only what waits longer than this keeps a doubt waiting, too."""


class Settling(Struct, frozen=True):
    """`settled` is written; `sought` has to be looked for before it can be."""

    settled: list[tuple[Held, Settled]]
    sought: list[Ready]


def settle(tx: Tx, doubts: list[Held], calls: Calls, unread_ms: int, new_number: NewNumber) -> Settling:
    """`unread_ms`: how soon to come back while room 2 has yet to read what may have told."""
    unread_ms = unread_ms if _is_behind(tx) else 0
    sought = [] if unread_ms else read(tx, [held for held in doubts if _may_be_found(held, calls)])
    kept = {ready.held.n for ready in sought}
    settled = [(held, _settled(held, calls, tx.now(), unread_ms)) for held in doubts if held.n not in kept]
    write_settled(tx, settled, new_number)
    return Settling(settled, sought)


def write_found(tx: Tx, ready: Ready, found: Sequence[ExternalId], new_number: NewNumber) -> Settled | None:
    """The id that the list has for it is stored. Or, if it has none: what becomes of the command, as without a list."""
    held = ready.held
    assert held.channel_id is not None
    if not outbox.settle(tx, verdict.found(held, tx.now())):
        return None  # another one's by now, who looks for it himself
    rows = effects.touch(tx, [(held.channel_id, id) for id in found], tx.now()) if found else {}
    free = [id for id in found if rows[held.channel_id, id].envelope_id is None]
    if free:
        write_ids(tx, held, free[:1], new_number)
        return None
    settled = verdict.after_doubt(held, is_careful(held), tx.now())
    write_settled(tx, [(held, settled)], new_number)
    return settled


def is_careful(held: Held) -> bool:
    command = _decode(held.payload)
    return isinstance(command, Send) and command.careful


def _may_be_found(held: Held, calls: Calls) -> bool:
    return held.state == DOUBT and held.echoed <= held.step and calls.finds(held.channel_id)


def _settled(held: Held, calls: Calls, now: int, unread_ms: int) -> Settled:
    if held.state == SENDING:
        return verdict.in_doubt(held, calls.capabilities(held.channel_id), now, "interrupted while it was sent")
    return verdict.after_doubt(held, is_careful(held), now, unread_ms)


def _is_behind(tx: Tx) -> bool:
    """Room 2 has yet to read what arrived a while ago: an echo may be among it."""
    oldest = intake.next_id(tx)
    return oldest is not None and (oldest >> MS_SHIFT) < tx.now() - UNREAD_MS
