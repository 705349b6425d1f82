"""What the gateway says about itself: wide lines on standard output, and metrics.

One line for each item and room, with everything that is known about it: ids, numbers and codes. Words of customers,
their addresses and providers' ids (which hold phone numbers) never reach a line, whoever writes it: the keys that may
are listed here with the shape of their values, and everything else is left out before it is rendered.

Rule: a key that is not in `FIELDS`, or a value of another shape, is dropped and named in `dropped`.
Rule: of an exception only its class and place are shown; its message may quote what it stumbled over.
Rule: nothing here is global but structlog's own configuration, which `configure` sets once, from `app.py`.
Rule: a metric's labels hold names from the configuration and codes, so that their number is bounded.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, TextIO, cast

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Shape = Literal["id", "code", "number", "flag", "place", "words"]

FIELDS: Mapping[str, Shape] = {
    # who and what
    "agent_id": "id", "channel_id": "id", "command_id": "id", "contact_id": "id", "conversation_id": "id",
    "endpoint_id": "id", "engine": "code", "envelope_id": "id", "intake_id": "id", "lane_id": "id", "leg_id": "id",
    "node_id": "id", "request_id": "id", "session_id": "id", "token_id": "id", "key_id": "id",
    # what happened
    "code": "code", "command": "code", "error": "code", "event": "words", "holder": "code", "kind": "code",
    "level": "code", "logger": "code", "method": "code", "outcome": "code", "provider_code": "code",
    "reason": "code", "room": "code", "route": "place", "setting": "code", "signal": "code", "source": "place",
    "state": "code", "status": "number", "task": "code", "timestamp": "place", "verdict": "code", "version": "code",
    "where": "place",
    # how much, how often, how long
    "attempt": "number", "batch": "number", "bytes": "number", "calls": "number", "count": "number",
    "depth": "number", "due_ms": "number", "duration_ms": "number", "duplicates": "number", "epoch": "number",
    "failures": "number", "free_bytes": "number", "idx": "number", "port": "number", "retry_after_ms": "number",
    "seq": "number", "sockets": "number", "step": "number", "wait_ms": "number", "wire_seq": "number",
    # yes or no
    "certain": "flag", "observed": "flag", "retryable": "flag", "sandbox": "flag",
}  # fmt: skip
"""The only keys of a line."""

_ID = re.compile(r"(?!\+?\d{6,15}$)[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}|\d{1,6}")
_PLACE = re.compile(r"[A-Za-z0-9_./:{}<>() ,-]{1,400}")
_WORDS = re.compile(r"(?!.*\d{5})[A-Za-z][A-Za-z0-9 _.,:#'()-]{0,119}")
_LONG_NUMBER = re.compile(r"\+?\d[\d ]{4,}")
_ADDRESS = re.compile(r"\S+@\S+|\w+://\S+")
_FRAMES = 4
QUOTING = ("aioimaplib",)
"""Libraries that put what they read and write into their lines: mails, passwords."""

TALKATIVE = ("alembic",)
"""Libraries whose lines say nothing without the values that are left out of them."""

Line = MutableMapping[str, Any]


def configure(level: str, form: str, stream: TextIO = sys.stdout) -> None:
    """Lines of ours and of every library go to `stream`, as JSON or, `console`, for people; `auto` asks the stream."""
    pretty = form == "console" or (form == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_json)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *shared, exception_place, only_listed, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[library_line, exception_place, only_listed, render],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in QUOTING:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def lines(room: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a room or another part; every line of it says so."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(room=room))


# --- processors ---------------------------------------------------------------------------------------------------


def only_listed(_logger: object, _method: str, line: Line) -> Line:
    """Leaves what is listed and has the listed shape."""
    kept: Line = {}
    dropped: list[str] = []
    for key, value in line.items():
        fits = _CHECKS.get(key)
        if fits is not None and fits(value):
            kept[key] = value
        elif value is not None:
            dropped.append(key if fits or _is_code(key) else "?")
    if dropped:
        kept["dropped"] = dropped
    kept.setdefault("event", "line")
    return kept


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_id(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and _ID.fullmatch(value) is not None)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and _known_code(value)


@lru_cache(maxsize=1024)
def _known_code(value: str) -> bool:
    return _CODE.fullmatch(value) is not None


def _is_place(value: object) -> bool:
    return isinstance(value, str) and _PLACE.fullmatch(value) is not None


def _is_words(value: object) -> bool:
    return isinstance(value, str) and _known_words(value)


@lru_cache(maxsize=1024)
def _known_words(value: str) -> bool:
    return _WORDS.fullmatch(value) is not None


_SHAPES: Mapping[Shape, Callable[[object], bool]] = {
    "id": _is_id, "code": _is_code, "number": _is_number, "flag": _is_flag, "place": _is_place, "words": _is_words,
}  # fmt: skip
_CHECKS: Mapping[str, Callable[[object], bool]] = {key: _SHAPES[shape] for key, shape in FIELDS.items()}


def exception_place(_logger: object, _method: str, line: Line) -> Line:
    """`exc_info` becomes `error`, the class, and `where`, the innermost frames."""
    info = line.pop("exc_info", None)
    line.pop("stack_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        line.setdefault("error", type(error).__name__)
        line["where"] = where(error.__traceback__)
    return line


def where(trace: TracebackType | None) -> str:
    frames: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{PurePath(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return ", ".join(frames[-_FRAMES:]) or "unknown"


def library_line(_logger: object, _method: str, line: Line) -> Line:
    """A library's line without its arguments: the first line of its template, numbers and addresses struck out."""
    record: logging.LogRecord = line.pop("_record")
    line.pop("_from_structlog", None)
    template = str(record.msg).partition("\n")[0]
    struck = _LONG_NUMBER.sub("#", _ADDRESS.sub("(address)", template))
    line["event"] = re.sub(r"[^A-Za-z0-9 _.,:#'()-]", "", struck).strip()[:120] or "line"
    if record.exc_info:
        line["exc_info"] = record.exc_info
    return line


def _json(line: Line, **_: object) -> str:
    return msgspec.json.encode(line).decode()


# --- metrics ------------------------------------------------------------------------------------------------------

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class MetricRow(msgspec.Struct, frozen=True):
    """One metric, for the documents."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """All that is counted, made once by the composition root and handed to whoever counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows: list[MetricRow] = []
        # room 1
        self.received = self._counter("received", "Requests and frames, by what became of them", "endpoint", "verdict")
        self.receive_seconds = self._histogram("receive_seconds", "From a request's head to its answer", _SECONDS)
        self.intake_depth = self._gauge("intake_depth", "Kept inbound that is not processed yet")
        self.intake_age_seconds = self._gauge("intake_age_seconds", "How long the oldest of these is due")
        self.unknown_accounts = self._counter(
            "unknown_accounts", "Inbound for an account that no channel has: somebody must look", "endpoint"
        )
        self.source_heard_seconds = self._gauge(
            "source_heard_seconds", "How long nothing was heard of a source that we dial or ask", "endpoint", "source"
        )
        self.channel_up = self._gauge(
            "channel_up", "0 while a channel stands still: its provider says no, or its account has ended", "channel"
        )
        self.notices = self._counter(
            "notices", "What providers told of an account that is in trouble: somebody must look", "channel", "code"
        )
        # room 2
        self.processed = self._counter("processed", "Envelopes that room 2 stored", "channel", "kind")
        self.duplicates = self._counter("duplicates", "Envelopes that were known already", "channel")
        self.parked = self._gauge("parked", "Receipts, reactions and edits that wait for their message")
        self.orphans = self._gauge("orphans", "Those of them that are older than `rooms.park_orphan_days`")
        self.handoffs = self._counter("handoffs", "Conversations that went from the AI to people", "reason")
        # room 3
        self.outbox_depth = self._gauge("outbox_depth", "Commands that are not performed yet")
        self.outbox_age_seconds = self._gauge(
            "outbox_age_seconds", "How long the oldest of these is due that nobody works on"
        )
        self.sends = self._counter("sends", "Sends, by what became of them", "channel", "outcome")
        self.send_seconds = self._histogram("send_seconds", "The calls of one step of a send", _SECONDS, "channel")
        self.media = self._counter("media", "Files fetched from providers", "channel", "outcome")
        # all rooms
        self.commit_seconds = self._histogram("commit_seconds", "One transaction, its fsync included", _SECONDS, "room")
        self.batch_size = self._histogram("batch_size", "Items in one transaction", _SIZES, "room")
        self.dead = self._counter("dead", "Items given up, listed as dead", "room", "reason")
        self.retries = self._counter("retries", "Items put back for another attempt", "room")
        self.fenced = self._counter("fenced", "Batches dropped because their claim was lost", "room")
        self.adapter_errors = self._counter(
            "adapter_errors", "Exceptions that an adapter should not have raised", "endpoint", "method"
        )
        # engine, sockets, house
        self.engine_up = self._gauge("engine_up", "0 while the AI engine's breaker is open, else 1")
        self.answers = self._counter("answers", "Questions put to the AI engine, by what became of them", "outcome")
        self.answer_seconds = self._histogram("answer_seconds", "The AI engine's time for an answer", _SECONDS)
        self.late_answers = self._counter("late_answers", "AI answers dropped because somebody had taken over")
        self.live_sockets = self._gauge("live_sockets", "Open live sockets", "endpoint")
        self.live_closed = self._counter("live_closed", "Live sockets that we closed, by close code", "code")
        self.disk_free_bytes = self._gauge("disk_free_bytes", "Room left where the data lie")
        self.ready = self._gauge("ready", "1 while the node takes requests, 0 while it starts, drains or lacks room")

    def render(self) -> bytes:
        """The text of `/metrics` (`METRICS_TYPE`)."""
        return generate_latest(self.registry)

    def _row(self, name: str, kind: str, meaning: str, labels: tuple[str, ...]) -> None:
        shown = f"throughline_{name}{'_total' if kind == 'counter' else ''}"
        self.rows.append(MetricRow(shown, kind, labels, meaning))

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self._row(name, "counter", meaning, labels)
        return Counter(f"throughline_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self._row(name, "gauge", meaning, labels)
        return Gauge(f"throughline_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._row(name, "histogram", meaning, labels)
        return Histogram(f"throughline_{name}", meaning, labels, buckets=buckets, registry=self.registry)
