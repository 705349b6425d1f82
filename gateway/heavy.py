"""Reads heavy formats in a process of their own: a mail may take as long as its sender wanted it to.

    the gateway --[length, pickle of (endpoint, raw)]--> the reader
    the reader --[length, pickle of Read or Failed]--> the gateway

Rule: what takes longer than its time limit is killed with its process, and a new one is started for what comes next.
Rule: the reader holds no state and touches nothing; it ends when the gateway's side of the pipe does, however that was.
"""

import asyncio
import pickle
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from msgspec.structs import replace

from adapters import REGISTRY
from adapters.base import Adapter, Carried, Malformed, RawInbound
from normalizer.envelope import Envelope, media_parts
from normalizer.ids import EndpointId

START_S = 30.0
"""How long a new reader may take to import what it needs."""
LENGTH_BYTES = 8
STREAM_BYTES = 1_048_576
"""Read ahead from the pipe."""
PROGRAM = "from gateway.heavy import main; main()"

Plans = Mapping[EndpointId, tuple[str, Any]]
"""The type and settings of each endpoint that is read here."""


class Read(NamedTuple):
    envelopes: tuple[tuple[Envelope, bytes | None], ...]
    """Each with its own slice of the raw, which can not be sent inside of it."""
    files: tuple[Carried, ...]


class Failed(NamedTuple):
    malformed: bool
    detail: str


class Unreadable(Exception):
    """`reason` is for the list of the dead: `too_slow`, `adapter_error`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class NotRunning(Exception):
    """No reader could be started; nothing is said about the row."""


class HeavyReader:
    """One process, started when it is first needed; one row at a time."""

    def __init__(self, plans: Plans, timeout_ms: int) -> None:
        self._plans, self._timeout_s = plans, timeout_ms / 1000
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    def reads(self, endpoint: EndpointId) -> bool:
        return endpoint in self._plans

    async def read(self, raw: RawInbound) -> Read:
        """Raises Malformed, Unreadable, NotRunning."""
        async with self._turn:
            process = await self._running()
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await _ask(process, (raw.endpoint_id, raw))
            except (TimeoutError, asyncio.CancelledError) as error:
                await self._end()
                if isinstance(error, TimeoutError):
                    raise Unreadable("too_slow", f"more than {self._timeout_s:g} s") from None
                raise
            except (EOFError, OSError, asyncio.IncompleteReadError):
                await self._end()
                raise Unreadable("adapter_error", "its reader died") from None
        if isinstance(answer, Read):
            return answer
        raise Malformed(answer.detail) if answer.malformed else Unreadable("adapter_error", answer.detail)

    async def _running(self) -> asyncio.subprocess.Process:
        """Started and ready: the time limit of a row is its own."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROGRAM, stdin=PIPE, stdout=PIPE, limit=STREAM_BYTES
            )
            try:
                async with asyncio.timeout(START_S):
                    await _ask(self._process, dict(self._plans))
            except (TimeoutError, OSError, EOFError, asyncio.IncompleteReadError) as error:
                await self._end()
                raise NotRunning(type(error).__name__) from None
            except BaseException:
                await self._end()
                raise
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        async with self._turn:
            await self._end()


async def _ask(process: asyncio.subprocess.Process, what: object) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    said = pickle.dumps(what)
    process.stdin.write(len(said).to_bytes(LENGTH_BYTES, "big") + said)
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
    return pickle.loads(await process.stdout.readexactly(length))  # noqa: S301  because our own child wrote it


# --- in the other process -----------------------------------------------------------------------------------------


def read_one(adapter: Adapter, raw: RawInbound) -> Read | Failed:
    try:
        envelopes = tuple(adapter.parse(raw))
        files = _carried(adapter, raw, envelopes)
    except Malformed as error:
        return Failed(True, str(error))
    except Exception as error:  # noqa: BLE001  because an adapter's bug must not cost the reader
        return Failed(False, type(error).__name__)
    return Read(tuple(map(_apart, envelopes)), files)


def _carried(adapter: object, raw: RawInbound, envelopes: tuple[Envelope, ...]) -> tuple[Carried, ...]:
    wanted = any(part.media.stored is None for one in envelopes for _, part in media_parts(one.body))
    return tuple(adapter.carried(raw)) if wanted and hasattr(adapter, "carried") else ()


def _apart(envelope: Envelope) -> tuple[Envelope, bytes | None]:
    if envelope.raw is None:
        return envelope, None
    return replace(envelope, raw=None), bytes(envelope.raw)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Until the other side is gone."""
    plans = _next(requests)
    if plans is None:
        return
    adapters = {id: REGISTRY[type].build(id, settings) for id, (type, settings) in plans.items()}
    _say(answers, len(adapters))
    while (asked := _next(requests)) is not None:
        endpoint, raw = asked
        _say(answers, read_one(adapters[endpoint], raw))


def _next(requests: BinaryIO) -> Any:
    head = requests.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    body = requests.read(int.from_bytes(head, "big"))
    return pickle.loads(body)  # noqa: S301  because our own parent wrote it


def _say(answers: BinaryIO, what: object) -> None:
    said = pickle.dumps(what)
    answers.write(len(said).to_bytes(LENGTH_BYTES, "big") + said)
    answers.flush()


def main() -> None:
    # Whoever stops the gateway from a terminal sends this to us, too; we end when our parent does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
