"""What becomes of a command after a call, after an error, and after a doubt. Pure.

Rule: before the call: due again. The call said no: recorded, and repeated if the catalogue says so. In doubt: never
called again on its own; wait for the echo, then once more (conversation) or a person decides (templates, codes).
"""

from msgspec.structs import replace

from adapters.base import Capabilities, ChannelBlocked, CredentialsRefused, SendError, Unavailable, Unreachable
from gateway.directory import from_ms, to_ms
from gateway.store.outbox import Held, Settled
from gateway.store.schema import DONE, DOUBT, DUE, FAILED, PARKED, SUPERSEDED
from gateway.transport.limits import RetryPolicy, next_attempt

STOPS = (CredentialsRefused, ChannelBlocked)
"""The whole channel stands still until somebody does something about it."""
STOPPED_MS = 60_000
"""How often a channel that stands still is tried."""
ASKED_MAX = 10
"""Calls of a send in doubt and questions after it, in all; then it is as if nobody could be asked. With the waits in
between that is some minutes, and so long its leg waits."""


def done(held: Held, now: int) -> Settled:
    return _settled(held, DONE, now, done_at=now)


def next_step(held: Held, now: int, wait_ms: int) -> Settled:
    """This step is out and another one follows; a receipt may shorten the wait."""
    return _settled(held, DUE, now + wait_ms, step=held.step + 1, attempts=0)


def superseded(held: Held, now: int, why: str) -> Settled:
    return _settled(held, SUPERSEDED, now, error=why, done_at=now)


def failed(held: Held, now: int, why: str) -> Settled:
    return _settled(held, FAILED, now, error=why, done_at=now)


def after_error(held: Held, error: SendError, capabilities: Capabilities, policy: RetryPolicy, now: int,
                jitter: float) -> Settled:  # fmt: skip
    """`held.attempts` counts the call that failed."""
    code = f"{error.code} {error.provider_code or ''}".strip()
    if isinstance(error, STOPS):
        return _stopped(held, code, policy, now)
    if not error.certain and not capabilities.live:
        return in_doubt(held, capabilities, now, code)
    due = next_attempt(error, held.attempts, from_ms(now), policy, jitter, since=from_ms(held.created_at))
    if due is None:
        return failed(held, now, code)
    return _settled(held, DUE, to_ms(due), error=code)


def has_left(error: SendError, capabilities: Capabilities) -> bool:
    """Nobody is on the line any more. Who hangs up waits for nothing there: what he has heard is recorded, the rest is
    said to nobody, and who calls again asks again. But whom a provider could not reach was called, and does wait."""
    return capabilities.streams and isinstance(error, Unreachable) and error.provider_code is None


def _stopped(held: Held, code: str, policy: RetryPolicy, now: int) -> Settled:
    """Nothing is wrong with the message: it waits until the operator has mended the channel, while anybody wants it."""
    if now + STOPPED_MS - held.created_at > policy.max_age_s * 1000:
        return failed(held, now, code)
    return _settled(held, DUE, now + STOPPED_MS, error=code)


def in_doubt(held: Held, capabilities: Capabilities, now: int, code: str) -> Settled:
    """It may be out. Where the provider names our key in its receipts, they will tell."""
    if capabilities.live:
        return _settled(held, DUE, now, error=code)
    if held.echoed > held.step:
        return _told(held, now)
    wait = capabilities.echo_wait_ms if capabilities.echo else 0
    return _settled(held, DOUBT, now + wait, error=code)


def after_doubt(held: Held, careful: bool, now: int, unread_ms: int = 0) -> Settled:
    """The wait is over. `unread_ms`: what arrived meanwhile is not read yet, and may have told; come back then."""
    if held.echoed > held.step:
        return _told(held, now)
    if unread_ms:
        return _settled(held, DOUBT, now + unread_ms, error="in doubt: the intake is behind")
    if careful or held.doubts > 0:
        return _settled(held, PARKED, now, error="in doubt: it may have been sent", done_at=now)
    return _settled(held, DUE, now, doubts=held.doubts + 1, attempts=0)


def found(held: Held, now: int) -> Settled:
    """The provider has this step: it is out, and the next one follows, if there is one."""
    return _settled(held, DUE, now, step=held.step + 1, attempts=0)


def unanswered(held: Held, error: SendError, careful: bool, policy: RetryPolicy, now: int,
               jitter: float) -> Settled:  # fmt: skip
    """The provider could not be asked for it. Asking harms nobody, so it is done again; in the end nobody knows."""
    asked = held.attempts + 1
    passing = Unavailable() if isinstance(error, STOPS) else error
    patient = replace(policy, max_attempts=ASKED_MAX, repeat_uncertain=True)
    due = next_attempt(passing, asked, from_ms(now), patient, jitter, since=from_ms(held.created_at))
    if due is None:
        return after_doubt(held, careful, now)
    return _settled(held, DOUBT, to_ms(due), attempts=asked, error=f"in doubt: {error.code} when asked for it")


def _told(held: Held, now: int) -> Settled:
    """Receipts have named this step: it is out, and the next one follows, if there is one."""
    return _settled(held, DUE, now, step=held.echoed, attempts=0)


def _settled(held: Held, state: int, due_at: int, *, attempts: int | None = None, step: int | None = None,
             doubts: int | None = None, error: str | None = None, done_at: int | None = None) -> Settled:  # fmt: skip
    return Settled(
        state=state,
        due_at=due_at,
        attempts=held.attempts if attempts is None else attempts,
        step=held.step if step is None else step,
        doubts=held.doubts if doubts is None else doubts,
        error=error,
        done_at=done_at,
        n=held.n,
        epoch=held.epoch,
    )
