"""Runs a flow with answers that are at hand: no network, no mock, no event loop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from adapters.base import Adapter, Call, Flow, PushCall, Reply, SendContext, SendError, Sent
from normalizer.envelope import Envelope
from tests.kit.cases import Answer

T = TypeVar("T")
STEPS_MAX = 100


@dataclass
class Driven(Generic[T]):
    """What a flow did. `unused`: answers that it did not ask for."""

    calls: list[Call] = field(default_factory=list)
    value: T | None = None
    error: SendError | None = None
    unused: int = 0


class OutOfAnswers(AssertionError):
    """A call for which the case has no answer."""


def drive(flow: Flow[T], answers: Sequence[Answer]) -> Driven[T]:
    driven: Driven[T] = Driven()
    left = iter(answers)
    try:
        driven.value = _run(flow, left, driven.calls)
    except SendError as error:
        driven.error = error
    finally:
        flow.close()
    driven.unused = len(list(left))
    return driven


def drive_steps(adapter: Adapter, message: Envelope, ctx: SendContext, answers: Sequence[Answer]) -> Driven[list[str]]:
    """All steps of a message, one after the other, as the room would do them."""
    driven: Driven[list[str]] = Driven(value=[])
    assert driven.value is not None
    left = iter(answers)
    try:
        for step in range(ctx.step, ctx.step + STEPS_MAX):
            flow = adapter.send(message, msgspec.structs.replace(ctx, step=step))
            sent: Sent = _run(flow, left, driven.calls)
            driven.value.extend(sent.external_ids)
            if not sent.more:
                break
        else:
            raise AssertionError(f"more than {STEPS_MAX} steps")
    except SendError as error:
        driven.error = error
    driven.unused = len(list(left))
    return driven


def _run(flow: Flow[T], answers: Iterator[Answer], calls: list[Call]) -> T:
    try:
        call = next(flow)
        while True:
            calls.append(call)
            call = _answered(flow, call, answers)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        flow.close()


def _answered(flow: Flow[Any], call: Call, answers: Iterator[Answer]) -> Call:
    if isinstance(call, PushCall):
        return flow.send(Reply())
    answer = next(answers, None)
    if answer is None:
        raise OutOfAnswers(f"no answer for {call.method} {call.url}")
    return flow.send(answer) if isinstance(answer, Reply) else flow.throw(answer)
