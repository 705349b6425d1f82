"""Envelopes and a provider's answers in, calls and their outcome out. For `throughline render`.

Rule: credentials stand in `calls` where they would go out, and nowhere else.
Rule: a push is shown as what its peer gets: its own frame, or the one that sockets make of the message in the store.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from adapters.base import (
    Adapter,
    Call,
    HttpCall,
    LegView,
    Lives,
    MailCall,
    MailReply,
    NoAnswer,
    PushCall,
    Reply,
    SendContext,
    SendError,
    Sent,
    Wire,
)
from gateway.clock import Clock
from gateway.workbench.lines import (
    BadLine,
    Settings,
    body_of,
    converted,
    filled,
    headers_of,
    made,
    object_of,
    out,
    words,
)
from normalizer import codec
from normalizer.address import Address, parse_address
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId

STEPS_MAX = 100
"""Steps of one message; more is an adapter that never comes to an end."""


def render_lines(type: str, settings: Settings, lines: Iterable[bytes], clock: Clock | None = None) -> Iterator[bytes]:
    """Raises ConfigError at once for settings or a type that can not be used."""
    adapter, credentials = made(type, settings)
    now = (clock or Clock()).now
    bench = _Bench(adapter, type, credentials)
    return (bench.rendered(line, number, now()) for number, line in enumerate(filled(lines), 1))


class _Leg(Struct, frozen=True, kw_only=True):
    address: str | Address | None = None
    native_thread: str | None = None
    window_until: Annotated[datetime, Meta(tz=True)] | None = None
    last_inbound: str | None = None
    subject: str | None = None
    before: tuple[str, ...] = ()


class _Context(Struct, frozen=True, kw_only=True):
    """Facts about the send; each may be left out."""

    now: Annotated[datetime, Meta(tz=True)] | None = None
    account: str | None = None
    hook_url: str = ""
    leg: _Leg = _Leg()
    echo_key: str | None = None
    attempt: int = 1
    step: int = 0
    reply_to: str | None = None
    media_urls: dict[str, str] = {}


def _nested(context: Any) -> Any:
    """What belongs to the leg may also stand beside it."""
    if not isinstance(context, dict):
        return context
    leg = context.get("leg") or {}
    beside = {key: context[key] for key in _Leg.__struct_fields__ if key in context}
    return {**context, "leg": {**beside, **leg} if isinstance(leg, dict) else leg}


class _Given(Struct, frozen=True, kw_only=True):
    """A reply as the command reads it; status 0: none came."""

    status: int
    headers: dict[str, str | list[str]] | None = None
    body: str | None = None
    body_b64: str | None = None


class _OutOfReplies(Exception):
    """The adapter made a call that the line has no reply for."""


class _Bench:
    """Sends the envelopes of `render`, each as if it were the only one."""

    def __init__(self, adapter: Adapter, type: str, credentials: Mapping[str, str]) -> None:
        self._adapter = adapter
        self._type = type
        self._credentials = credentials

    def rendered(self, line: bytes, number: int, now: datetime) -> bytes:
        calls: list[dict[str, Any]] = []
        try:
            message, context, replies = self._read(object_of(line), number, now)
            sent = self._steps(message, context, iter(replies), calls)
        except Exception as error:  # noqa: BLE001  every line gives one
            return out({"calls": calls, "outcome": {"error": _error(error, len(calls))}})
        return out({"calls": calls, "outcome": {"sent": sent}})

    def _read(self, fields: dict[str, Any], number: int, now: datetime) -> tuple[Envelope, SendContext, list[_Given]]:
        given = fields.get("envelope")
        if not isinstance(given, dict):
            raise BadLine("envelope: an object is expected")
        message = self._envelope(given, number, now)
        context = converted(_nested(fields.get("context") or {}), _Context)
        replies = converted({"replies": fields.get("replies") or []}, _Replies).replies
        return message, _send_context(context, message, now), replies

    def _envelope(self, given: dict[str, Any], number: int, now: datetime) -> Envelope:
        """A partial one is filled up; one that `parse` printed goes back to where it came from."""
        fields = {key: value for key, value in given.items() if key not in ("raw", "to")}
        defaults: dict[str, Any] = {"v": codec.VERSION, "id": f"line-{number}", "endpoint_id": self._type}
        defaults |= {"channel_type": self._type, "author": "system", "occurred_at": now.isoformat()}
        fields = {**defaults, **fields, "direction": "out"}
        if isinstance(fields.get("body"), dict):
            fields["body"] = {"kind": "message", **fields["body"]}
        if "to" in given:
            fields["party"] = {"claims": [{"address": _address_fields(given["to"]), "evidence": 2}]}
        try:
            return codec.decode(json.dumps(codec.clean(fields), separators=(",", ":")).encode())
        except (ValueError, RecursionError) as error:
            raise BadLine(f"envelope: {words(error)}") from None

    def _steps(
        self, message: Envelope, context: SendContext, replies: Iterator[_Given], calls: list[dict[str, Any]]
    ) -> list[str]:
        sent: list[str] = []
        for step in range(context.step, context.step + STEPS_MAX):
            done = self._step(message, msgspec.structs.replace(context, step=step), replies, calls)
            sent.extend(done.external_ids)
            if not done.more:
                return sent
        raise BadLine(f"more than {STEPS_MAX} steps")

    def _step(
        self, message: Envelope, context: SendContext, replies: Iterator[_Given], calls: list[dict[str, Any]]
    ) -> Sent:
        flow = self._adapter.send(message, context)
        try:
            call = next(flow)
            while True:
                calls.append(_shown_call(self._filled(call, message, context), self._credentials))
                reply = _next_reply(call, replies)
                call = flow.throw(NoAnswer("no answer came in time")) if reply is None else flow.send(reply)
        except StopIteration as done:
            sent: Sent = done.value
            return sent
        finally:
            flow.close()

    def _filled(self, call: Call, message: Envelope, context: SendContext) -> Call:
        """As the first line of its leg, which the message is not when it is sent."""
        if not isinstance(call, PushCall) or call.frame:
            return call
        adapter: Any = self._adapter
        lives: Lives = adapter
        line = Wire(seq=1, envelope=message, at=context.now, media_urls=context.media_urls)
        return PushCall(frame=lives.show(line) or b"")


class _Replies(Struct, frozen=True):
    replies: list[_Given]


def _send_context(given: _Context, message: Envelope, now: datetime) -> SendContext:
    address = _address(given.leg.address) or message.group or message.party.address
    if address is None:
        raise BadLine("the envelope says nobody to write to: give it `to`, or the context leg.address")
    last = given.leg.last_inbound
    return SendContext(
        now=given.now or now,
        account=given.account or message.account,
        hook_url=given.hook_url,
        leg=LegView(
            address=address,
            native_thread=given.leg.native_thread or message.native_thread,
            window_until=given.leg.window_until,
            last_inbound=ExternalId(last) if last else None,
            subject=given.leg.subject,
            before=tuple(map(ExternalId, given.leg.before)),
        ),
        echo_key=given.echo_key or message.id,
        attempt=given.attempt,
        step=given.step,
        reply_to=ExternalId(given.reply_to) if given.reply_to else None,
        media_urls=given.media_urls,
    )


def _address(given: str | Address | None) -> Address | None:
    try:
        return parse_address(given) if isinstance(given, str) else given
    except ValueError as error:
        raise BadLine(f"leg.address: {error}") from None


def _address_fields(to: Any) -> Any:
    """`scheme:value`, or the object that an envelope has."""
    if not isinstance(to, str):
        return to
    scheme, _, value = to.partition(":")
    return {"scheme": scheme, "value": value}


def _next_reply(call: Call, replies: Iterator[_Given]) -> Reply | None:
    """None: no answer came. A push wakes sockets and asks nobody."""
    if isinstance(call, PushCall):
        return Reply()
    given = next(replies, None)
    if given is None:
        raise _OutOfReplies
    if given.status == 0:
        return None
    if isinstance(call, MailCall):
        return Reply(given.status, {}, _mail_body(body_of(given.body, given.body_b64)))
    return Reply(given.status, headers_of(given.headers), body_of(given.body, given.body_b64))


def _mail_body(given: bytes) -> bytes:
    """A MailReply, or the bare text of a mail server."""
    try:
        return msgspec.json.encode(msgspec.json.decode(given, type=MailReply))
    except (ValueError, RecursionError):
        return msgspec.json.encode(MailReply(text=given.decode("utf-8", "replace")))


def _shown_call(call: Call, credentials: Mapping[str, str]) -> dict[str, Any]:
    match call:
        case PushCall(frame=frame):
            return {"kind": "push", **_shown_body(frame)}
        case MailCall():
            return _shown_mail(call, credentials)
        case HttpCall():
            from gateway.transport.wire import outgoing_headers

            shown: dict[str, Any] = {"kind": "http", "method": call.method, "url": call.url}
            headers = dict(outgoing_headers(call, credentials))
            if call.upload is not None:
                headers["Content-Type"] = "multipart/form-data"
                return {**shown, "headers": headers, "upload": call.upload}
            return {**shown, "headers": headers, **_shown_body(call.body)}


def _shown_mail(call: MailCall, credentials: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": "mail", "server": msgspec.to_builtins(call.server)}
    if call.login is not None:
        login = msgspec.to_builtins(call.login)
        shown["login"] = login | {"secret": credentials.get(call.login.credential)}
    shown |= {"sender": call.sender, "recipients": list(call.recipients)}
    if call.attachments:
        shown["attachments"] = msgspec.to_builtins(call.attachments)
    return {**shown, **_shown_body(call.message)}


def _shown_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_b64": b64encode(body).decode("ascii")}


def _error(error: Exception, calls: int) -> dict[str, Any]:
    match error:
        case SendError():
            shown = {"class": error.__class__.__name__, "code": error.code, "retryable": error.retryable}
            shown |= {"certain": error.certain, "text": error.text}
            extra = {"provider_code": error.provider_code, "retry_after_s": error.retry_after_s}
            return shown | {key: value for key, value in extra.items() if value is not None}
        case _OutOfReplies():
            text = f"the line has no reply for call {calls}"
            return {"class": "NoReply", "code": "no_reply", "retryable": False, "certain": False, "text": text}
        case BadLine():
            return {"class": "BadLine", "code": "bad_line", "retryable": False, "certain": True, "text": str(error)}
        case _:
            text = f"a mistake of the adapter: {error.__class__.__name__}"
            return {"class": "Mistake", "code": "mistake", "retryable": False, "certain": False, "text": text}
