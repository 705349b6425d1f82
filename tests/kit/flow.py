"""Runs a flow with answers that are at hand: no network, no mock, no event loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from adapters.base import Adapter, Call, Flow, HttpCall, MailCall, PushCall, Reply, SendContext, SendError
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


Answers = Sequence[Answer] | Callable[[Any], Answer]
"""Replies in their order, or somebody who answers HttpCalls and MailCalls (a simulator)."""


def drive(flow: Flow[T], answers: Answers) -> Driven[T]:
    driven: Driven[T] = Driven()
    asked = _Asked(answers)
    try:
        driven.value = _run(flow, asked, driven.calls)
    except SendError as error:
        driven.error = error
    driven.unused = asked.unused()
    return driven


def drive_steps(adapter: Adapter, message: Envelope, ctx: SendContext, answers: Answers) -> Driven[list[str]]:
    """All steps of a message, one after the other, as the room would do them."""
    ids: list[str] = []
    driven: Driven[list[str]] = Driven(value=ids)
    asked = _Asked(answers)
    try:
        for step in range(ctx.step, ctx.step + STEPS_MAX):
            flow = adapter.send(message, msgspec.structs.replace(ctx, step=step))
            sent = _run(flow, asked, driven.calls)
            ids.extend(sent.external_ids)
            if not sent.more:
                break
        else:
            raise AssertionError(f"more than {STEPS_MAX} steps")
    except SendError as error:
        driven.error = error
    driven.unused = asked.unused()
    return driven


class _Asked:
    """Who answers the calls."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._used = 0

    def answer(self, call: HttpCall | MailCall) -> Answer:
        if not isinstance(self._answers, Sequence):
            return self._answers(call)
        if self._used == len(self._answers):
            raise OutOfAnswers(f"no answer for {_named(call)}")
        self._used += 1
        return self._answers[self._used - 1]

    def unused(self) -> int:
        return len(self._answers) - self._used if isinstance(self._answers, Sequence) else 0


def _named(call: HttpCall | MailCall) -> str:
    match call:
        case HttpCall(method=method, url=url):
            return f"{method} {url}"
        case MailCall(recipients=recipients):
            return f"a mail to {', '.join(recipients)}"


def _run(flow: Flow[T], asked: _Asked, calls: list[Call]) -> T:
    try:
        call = next(flow)
        while True:
            calls.append(call)
            answer = Reply() if isinstance(call, PushCall) else asked.answer(call)
            call = flow.send(answer) if isinstance(answer, Reply) else flow.throw(answer)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        flow.close()
