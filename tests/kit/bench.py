"""The cases once more through `throughline parse` and `throughline render`: what an operator sees is what is tested.

Rule: only for adapters that are registered; settings are those of the subject.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.base import HttpCall, MailCall, PushCall, Reply
from gateway.clock import FrozenClock
from gateway.workbench import parse_lines, render_lines
from normalizer import codec
from tests.kit.cases import NOW, Answer, InboundCase, OutboundCase, Subject
from tests.kit.flow import drive_steps


def check_parsed(subject: Subject, case: InboundCase) -> None:
    """`throughline parse` accepts it and prints these envelopes."""
    raw = subject.raw(case.body, **case.facts())
    line = msgspec.to_builtins(raw) | {"body_b64": b64encode(raw.body).decode()}
    line = {key: value for key, value in line.items() if key not in ("body", "endpoint_id", "peer")}
    (shown,) = parse_lines(subject.registration.type, settings(subject), [encoded(line)], FrozenClock(NOW))
    out = json.loads(shown)
    assert out["verdict"] == "accepted", f"{case.label}: {out.get('error')}"
    assert [_without(envelope) for envelope in out["envelopes"]] == [_without(want) for want in case.want], case.label


def check_rendered(subject: Subject, case: OutboundCase) -> None:
    """`throughline render` prints as many calls, to the same places, and the same outcome."""
    line = {
        "envelope": json.loads(codec.encode(case.message)),
        "context": json.loads(msgspec.json.encode(case.context)),
        "replies": [_reply(answer) for answer in case.replies],
    }
    (shown,) = render_lines(subject.registration.type, settings(subject), [encoded(line)], FrozenClock(NOW))
    out = json.loads(shown)
    driven = drive_steps(subject.adapter, case.message, case.context, case.replies)
    assert [_place(call) for call in driven.calls] == [_shown_place(call) for call in out["calls"]], case.label
    if driven.error is None:
        assert out["outcome"] == {"sent": list(case.ids)}, case.label
    else:
        error = out["outcome"]["error"]
        assert (error["class"], error["text"]) == (type(driven.error).__name__, driven.error.text), case.label


def settings(subject: Subject) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(msgspec.json.encode(subject.config))
    return {name: value for name, value in given.items() if value is not None}


def encoded(line: Any) -> bytes:
    return json.dumps(line).encode()


def _without(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """`throughline parse` calls the endpoint by its type."""
    return {key: value for key, value in envelope.items() if key not in ("v", "id", "raw", "endpoint_id")}


def _reply(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer, Reply):
        return {"status": 0}
    body = b64encode(answer.body).decode()
    return {"status": answer.status, "headers": dict(answer.headers), "body_b64": body}


def _place(call: HttpCall | MailCall | PushCall) -> tuple[Any, ...]:
    match call:
        case HttpCall(method=method, url=url):
            return ("http", method, url)
        case MailCall(sender=sender, recipients=recipients):
            return ("mail", sender, list(recipients))
        case PushCall():
            return ("push",)


def _shown_place(call: Mapping[str, Any]) -> tuple[Any, ...]:
    names = {"http": ("method", "url"), "mail": ("sender", "recipients"), "push": ()}
    return (call["kind"], *(call[name] for name in names[call["kind"]]))
