"""Requests in, verdicts and envelopes out. For `throughline parse`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta, Raw, Struct

from adapters.base import Adapter, LegRead, LegUpload, Malformed, Outcome, Placed, RawInbound, Reply, Unauthentic
from gateway.clock import Clock
from gateway.workbench.lines import BadLine, Settings, body_of, converted, filled, headers_of, made, object_of, out
from normalizer import codec
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId


def parse_lines(type: str, settings: Settings, lines: Iterable[bytes], clock: Clock | None = None) -> Iterator[bytes]:
    """Raises ConfigError at once for settings or a type that can not be used."""
    adapter, _ = made(type, settings)
    now = (clock or Clock()).now
    return (_parsed(adapter, type, line, number, now()) for number, line in enumerate(filled(lines), 1))


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    verdict: Literal["accepted", "unauthentic", "malformed"]
    status: int
    reply: Annotated[dict[str, Any], Meta(description="`headers` and `body` of the answer.")]
    envelopes: list[Raw]
    error: str | None = None


_NOTHING: dict[str, Any] = {"headers": {}, "body": ""}


def _parsed(adapter: Adapter, type: str, line: bytes, number: int, now: datetime) -> bytes:
    try:
        raw = _raw(object_of(line), type, number, now)
    except BadLine as error:
        return out(Verdict(verdict="malformed", status=400, reply=_NOTHING, envelopes=[], error=str(error)))
    return out(_verdict(adapter, raw))


def _verdict(adapter: Adapter, raw: RawInbound) -> Verdict:
    try:
        handshake = adapter.verify(raw) if raw.origin == "webhook" else None
    except Unauthentic as error:
        return Verdict(
            verdict="unauthentic", status=error.status, reply=_NOTHING, envelopes=[], error=str(error) or "unauthentic"
        )
    except Exception as error:  # noqa: BLE001  the gateway answers 401 to it as well
        text = f"a mistake of the adapter: {error.__class__.__name__}"
        return Verdict(verdict="unauthentic", status=401, reply=_NOTHING, envelopes=[], error=text)
    if handshake is not None:
        return _answered(_handshake(adapter, raw, handshake), [])
    return _kept(adapter, raw)


def _handshake(adapter: Any, raw: RawInbound, answer: Reply | LegRead | LegUpload) -> Reply:
    """What an empty store, or an upload of nothing, makes of it."""
    match answer:
        case Reply():
            return answer
        case LegRead():
            page: Reply = adapter.page(raw, answer, [], False, 0)
            return page
        case LegUpload():
            uploaded: Reply = adapter.uploaded(raw, None, "empty")
            return uploaded


def _kept(adapter: Adapter, raw: RawInbound) -> Verdict:
    try:
        envelopes = adapter.parse(raw)
    except Malformed as error:
        reply = adapter.respond(raw, _outcome(adapter, raw, (), "malformed"))
        return _answered(reply, [], str(error) or "malformed")
    except Exception as error:  # noqa: BLE001  the gateway keeps it, and lists it as dead
        reply = adapter.respond(raw, _outcome(adapter, raw, (), "malformed"))
        return _answered(reply, [], f"a mistake of the adapter: {error.__class__.__name__}")
    return _answered(adapter.respond(raw, _outcome(adapter, raw, envelopes, None)), [*map(_shown, envelopes)])


def _outcome(adapter: Adapter, raw: RawInbound, envelopes: Sequence[Envelope], error: str | None) -> Outcome | None:
    """As if room 2 had placed each of them, for channels that answer with it."""
    if adapter.capabilities.answers != "processed":
        return None
    placed = [Placed(e.id, seq, seq, raw.received_at) for seq, e in enumerate(envelopes, 1)]
    return Outcome(tuple(placed), error)


def _answered(reply: Reply, envelopes: list[Raw], error: str | None = None) -> Verdict:
    shown = {"headers": dict(reply.headers), "body": reply.body.decode("utf-8", "replace")}
    verdict: Literal["accepted", "malformed"] = "malformed" if error else "accepted"
    return Verdict(verdict=verdict, status=reply.status, reply=shown, envelopes=envelopes, error=error)


def _shown(envelope: Envelope) -> Raw:
    _, data = codec.seal(msgspec.structs.replace(envelope, raw=None))
    if envelope.raw is None:
        return Raw(data)
    return Raw(data[:-1] + b',"raw":' + _compact(bytes(envelope.raw)) + b"}")


def _compact(slice_: bytes) -> bytes:
    """On one line, and JSON whatever it was."""
    try:
        return msgspec.json.format(slice_, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.dumps(json.loads(slice_)).encode()
    except (ValueError, RecursionError):
        return json.dumps(slice_.decode("utf-8", "replace")).encode()


class _Line(Struct, frozen=True, kw_only=True):
    """A request as the command reads it."""

    method: str = "POST"
    path: str | None = None
    query: str | dict[str, str | list[str]] | None = None
    headers: dict[str, str | list[str]] | None = None
    body: str | None = None
    body_b64: str | None = None
    id: str | None = None
    origin: Literal["webhook", "live", "dialled", "pulled"] | None = None
    session: str | None = None
    public_url: str = ""
    received_at: Annotated[datetime, Meta(tz=True)] | None = None


def _raw(fields: dict[str, Any], type: str, number: int, now: datetime) -> RawInbound:
    line = converted(fields, _Line)
    path, _, in_path = (line.path or "").partition("?")
    query = urlencode(line.query, doseq=True) if isinstance(line.query, dict) else line.query or in_path
    return RawInbound(
        id=line.id or f"line-{number}",
        endpoint_id=EndpointId(type),
        # Nobody POSTs a mail as it is: it is what a mailbox of ours held.
        origin=line.origin or ("dialled" if line.method == "MAIL" else "webhook"),
        received_at=line.received_at or now,
        method=line.method.upper(),
        path=path,
        query=query.removeprefix("?"),
        headers=headers_of(line.headers),
        body=body_of(line.body, line.body_b64),
        session=line.session,
        public_url=line.public_url,
    )
