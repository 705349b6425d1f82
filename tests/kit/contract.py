"""What every adapter must do, whatever its cases say."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from adapters.base import (
    Call,
    HttpCall,
    MailCall,
    Malformed,
    NoAnswer,
    NotReached,
    PushCall,
    RawInbound,
    Reply,
    Request,
    SendContext,
    SendError,
    Unauthentic,
)
from normalizer import codec
from normalizer.envelope import Body, Envelope
from tests.kit.cases import FORM, Answer, InboundCase, OutboundCase, Subject
from tests.kit.flow import drive_steps
from tests.kit.pace import is_quick

PARSE_MAX_S = 0.25
"""Of this thread's own time: the machine may be busy with others."""
JUNK: Sequence[tuple[str, bytes]] = (
    ("nothing", b""),
    ("a page", b"<html><body>Bad Gateway</body></html>"),
    ("half of JSON", b'{"messages":[{"id"'),
    ("another shape", b'[{"messages":5}]'),
    ("null", b"null"),
    ("not UTF-8", b"\xff\xfe\x00"),
    ("deep nesting", b"[" * 20_000 + b"]" * 20_000),
)


def shown(envelope: Envelope) -> dict[str, Any]:
    """As JSON, without what differs from run to run."""
    fields: dict[str, Any] = json.loads(codec.seal(msgspec.structs.replace(envelope, raw=None))[1])
    return {key: value for key, value in fields.items() if key not in ("v", "id")}


def check_inbound(subject: Subject, case: InboundCase) -> list[Envelope]:
    raw = subject.raw(case.body, **case.facts())
    adapter = subject.adapter
    arrives = raw.origin in ("webhook", "live")
    if arrives:
        assert adapter.verify(raw) is None, f"{case.label}: not accepted"
    envelopes = list(adapter.parse(raw))
    assert [shown(envelope) for envelope in envelopes] == list(case.want), case.label
    assert list(adapter.parse(raw)) == envelopes, f"{case.label}: a second parse differs"
    _check_redelivery(subject, raw, envelopes)
    for envelope in envelopes:
        _check_envelope(subject, raw, envelope)
    if not arrives:
        return envelopes
    reply = adapter.respond(raw, None)
    assert 200 <= reply.status < 300, f"{case.label}: answered {reply.status}"
    assert_no_secret(subject, reply.body + repr(dict(reply.headers)).encode())
    return envelopes


def _check_redelivery(subject: Subject, raw: RawInbound, envelopes: Sequence[Envelope]) -> None:
    """What bears the provider's id is the same event in another delivery; what has none is an event of its own."""
    later = msgspec.structs.replace(raw, id="raw-2", received_at=raw.received_at + timedelta(hours=7))
    for first, second in zip(envelopes, subject.adapter.parse(later), strict=True):
        assert (first.id == second.id) == bool(first.dedupe_keys), "the id of a redelivery"
        assert first.dedupe_keys == second.dedupe_keys, "the dedupe keys of a redelivery"


def _check_envelope(subject: Subject, raw: RawInbound, envelope: Envelope) -> None:
    assert envelope.endpoint_id == raw.endpoint_id
    assert envelope.channel_type == subject.registration.type
    assert envelope.received_at == raw.received_at
    sealed, data = codec.seal(msgspec.structs.replace(envelope, raw=None))
    assert codec.decode(data) == sealed, "it does not survive the codec"
    assert_no_secret(subject, data)
    if envelope.raw is not None:
        json.loads(bytes(envelope.raw), parse_int=str)  # JSON, or this raises


def as_raw(subject: Subject, request: Request) -> RawInbound:
    """A simulator's request as the gateway hands it on."""
    parts = urlsplit(request.url)
    path = parts.path.removeprefix(urlsplit(subject.hook_url).path)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return subject.raw(
        request.body,
        headers=headers,
        method=request.method,
        path=path,
        query=parts.query,
        public_url=request.url.partition("#")[0],
    )


def check_round_trip(subject: Subject, request: Request, want: Sequence[Body]) -> list[Envelope]:
    """What the simulator told is what the adapter reads: the bodies of the request's envelopes."""
    raw = as_raw(subject, request)
    assert subject.adapter.verify(raw) is None, "the simulator's signature does not fit"
    envelopes = list(subject.adapter.parse(raw))
    assert [envelope.body for envelope in envelopes] == list(want)
    for envelope in envelopes:
        _check_envelope(subject, raw, envelope)
    return envelopes


def check_refused(subject: Subject, raw: RawInbound) -> None:
    """The request is not from the provider."""
    error = _refusal(subject, raw)
    assert error is not None, "accepted"
    assert 400 <= error.status < 500
    assert_no_secret(subject, str(error).encode())


def _refusal(subject: Subject, raw: RawInbound) -> Unauthentic | None:
    try:
        subject.adapter.verify(raw)
    except Unauthentic as error:
        return error
    return None


def check_survives(subject: Subject, body: bytes, *, max_s: float = PARSE_MAX_S, **facts: Any) -> list[Envelope] | None:
    """The envelopes; None when it is Malformed. Anything else that it raises is a fault. `facts`: see `Subject.raw`."""
    raw = subject.raw(body, **facts)
    began = time.thread_time()
    try:
        envelopes = list(subject.adapter.parse(raw))
    except Malformed as error:
        assert_no_secret(subject, str(error).encode())
        return None
    finally:
        took = time.thread_time() - began
        assert took < max_s or is_quick(lambda: subject.adapter.parse(raw), max_s), "too slow"
    for envelope in envelopes:
        _check_envelope(subject, raw, envelope)
    assert list(subject.adapter.parse(raw)) == envelopes, "another parse differs"
    return envelopes


# --- outbound -----------------------------------------------------------------------------------------------------


def check_outbound(subject: Subject, case: OutboundCase) -> None:
    driven = drive_steps(subject.adapter, case.message, case.context, case.replies)
    assert [_like(call, want) for call, want in zip(driven.calls, case.calls, strict=False)] == list(case.calls), case
    assert len(driven.calls) == len(case.calls), f"{case.label}: {len(driven.calls)} calls"
    assert driven.unused == 0, f"{case.label}: {driven.unused} replies are left over"
    assert _facts(driven.error, case.error) == case.error, case.label
    assert driven.value == list(case.ids), case.label
    for call in driven.calls:
        assert_no_secret(subject, repr(call).encode())
    again = drive_steps(subject.adapter, case.message, case.context, case.replies)
    assert again.calls == driven.calls, f"{case.label}: a second run calls otherwise"
    assert_no_secret(subject, f"{driven.error!r} {getattr(driven.error, 'text', '')}".encode())


MUST = frozenset({"method", "url", "json", "form", "upload", "push", "sender", "recipients"})
"""What a case says of every call that has it."""


def _like(call: Call, want: Mapping[str, Any]) -> dict[str, Any]:
    """The call, reduced to what `want` names."""
    facts = _call_facts(call)
    return {key: value for key, value in facts.items() if key in want or (key in MUST and value is not None)}


def _call_facts(call: Call) -> dict[str, Any]:
    match call:
        case PushCall(frame=frame):
            return {"push": frame.decode()}
        case MailCall(message=message):
            facts: dict[str, Any] = json.loads(msgspec.json.encode(call))
            return {**facts, "message": message.decode("utf-8", "replace")}
        case HttpCall():
            facts = msgspec.to_builtins(call)
            facts["auth"] = call.auth.credential if call.auth else None
            facts["upload"] = msgspec.to_builtins(call.upload) if call.upload else None
            return {**facts, "body": call.body.decode("utf-8", "replace"), **_body_facts(call)}


def _body_facts(call: HttpCall) -> dict[str, Any]:
    """A form's fields have one value, or a list of several."""
    type_ = next((value for name, value in call.headers.items() if name.lower() == "content-type"), "")
    if type_.partition(";")[0].strip() == FORM:
        fields = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=bool(call.body))
        return {"form": {name: values[0] if len(values) == 1 else values for name, values in fields.items()}}
    return {"json": json.loads(call.body) if call.body else None}


def _facts(error: SendError | None, want: Mapping[str, Any]) -> dict[str, Any]:
    """The error, reduced to what `want` names; its class always."""
    if error is None:
        return {}
    return {"class": type(error).__name__} | {key: getattr(error, key, None) for key in want if key != "class"}


FAILURES: Sequence[tuple[str, int, Mapping[str, Any]]] = (
    ("throttled", 429, {"class": {"Throttled"}, "retryable": True}),
    ("their fault", 500, {"class": {"Unavailable", "NoAnswer"}, "retryable": True, "certain": False}),
    ("a gateway's fault", 502, {"class": {"Unavailable", "NoAnswer"}, "retryable": True, "certain": False}),
    ("overloaded", 503, {"class": {"Unavailable"}, "retryable": True}),
    ("a gateway gave up", 504, {"class": {"Unavailable", "NoAnswer"}, "retryable": True, "certain": False}),
    ("the credential", 401, {"class": {"CredentialsRefused"}, "retryable": False, "certain": True}),
    ("the message", 400, {"class": None, "retryable": False, "certain": True}),
    ("gone", 404, {"class": None, "retryable": False, "certain": True}),
    ("taken, unreadable", 200, {"class": {"NoAnswer"}, "retryable": True, "certain": False}),
)


def check_failures(subject: Subject, message: Envelope, ctx: SendContext) -> None:
    """For a message that takes one call. The provider's own error codes are the adapter's own cases."""
    for label, status, want in FAILURES:
        for what, body in JUNK:
            _check_failure(subject, message, ctx, Reply(status, {}, body), want, f"{label} with {what}")
    silent = {"class": {"NoAnswer"}, "retryable": True, "certain": False}
    _check_failure(subject, message, ctx, NoAnswer(), silent, "silence")
    unreached = {"class": {"NotReached"}, "retryable": True, "certain": True}
    _check_failure(subject, message, ctx, NotReached(), unreached, "no connection")


def _check_failure(
    subject: Subject, message: Envelope, ctx: SendContext, answer: Answer, want: Mapping[str, Any], label: str
) -> None:
    driven = drive_steps(subject.adapter, message, ctx, [answer])
    assert driven.error is not None, f"{label}: taken for success"
    assert want["class"] is None or type(driven.error).__name__ in want["class"], f"{label}: {driven.error!r}"
    for fact in ("retryable", "certain"):
        assert fact not in want or getattr(driven.error, fact) == want[fact], f"{label}: {fact}"
    assert_no_secret(subject, f"{driven.error!r} {driven.error.text}".encode())


def assert_no_secret(subject: Subject, seen: bytes) -> None:
    for secret in subject.secrets:
        assert secret.encode() not in seen, "a secret can be seen"
