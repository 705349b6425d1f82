"""`python -m tests.bench.voice`: how long a caller waits for the gateway's own part, with webhooks beside the calls.

From the last frame of what the caller said, written to the socket, to the first sentence of the answer, read from it.
The engine answers at once, and everything is the real process over real sockets.

Rule: the messages beside the calls are those of conversations that people hold, so that their number is the load: an
answer of the AI to each is three messages' work. `--ai-beside` has them answered.
Rule: each caller speaks again when the answer before is over, at his own pace; nothing is left out of the figures.
Rule: ends by itself. Absolute times say something about this machine and this disk only.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import uvloop
from msgspec import Struct
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection, connect

from tests.bench import wire
from tests.bench.__main__ import drained
from tests.bench.database import Database
from tests.bench.disk import fsync_ms
from tests.bench.graph import Graph
from tests.bench.host import Neighbours
from tests.bench.load import Connection, Load, closed_loop, open_loop, percentile
from tests.bench.load import connect as dial
from tests.bench.servers import LOAD_CORE, VOICE_TOKEN, VOICE_URL, gateway

PATIENCE_S = 30.0
CUSTOMERS = 400
"""Who write beside the calls."""
_signed = RequestValidator(VOICE_TOKEN).compute_signature
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


class Waits(Struct, frozen=True):
    """Of all turns, in milliseconds: to the first sentence, and to the end of the answer."""

    first: tuple[float, ...]
    whole: tuple[float, ...]
    beside: Load | None
    stolen: float | None
    """The share of this machine's time that its host gave to others."""


class Call:
    """One call: rings, is sent to a socket, and speaks there."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._number = port, number
        self.first: list[float] = []
        self.whole: list[float] = []
        self._fields = {
            "CallSid": f"CA{number:032x}", "AccountSid": f"AC{1:032x}", "CallStatus": "ringing", "Direction": "inbound",
            "From": f"+1555020{number:04d}", "To": "+15550100000", "StirVerstat": "TN-Validation-Passed-A",
        }  # fmt: skip

    async def ring(self, http: Connection) -> None:
        status = await http.exchange(_posted(self._fields))
        found = _TICKET.search(http.answer.decode())
        assert status == 200, status
        assert found, http.answer
        await self._open(found[1])

    async def _open(self, ticket: str) -> None:
        signed = _signed(VOICE_URL.replace("https", "wss") + "/live/voice", {})
        self._socket: ClientConnection = await connect(
            f"ws://127.0.0.1:{self._port}/live/voice", additional_headers={"X-Twilio-Signature": signed},
            compression=None,
        )  # fmt: skip
        setup = {"type": "setup", "sessionId": f"VX{self._number:032x}", "callSid": self._fields["CallSid"],
                 "from": self._fields["From"], "to": self._fields["To"],
                 "customParameters": {"ticket": ticket}}  # fmt: skip
        await self._socket.send(json.dumps(setup))

    async def talk(self, turns: int, every_s: float, begin_s: float) -> None:
        await asyncio.sleep(begin_s)
        for turn in range(turns):
            began = time.perf_counter()
            async with asyncio.timeout(PATIENCE_S):
                await self._turn(f"Turn {turn} of call {self._number}: where is my order?")
            await asyncio.sleep(max(0.0, began + every_s - time.perf_counter()))

    async def _turn(self, text: str) -> None:
        began = time.perf_counter()
        await self._socket.send(json.dumps({"type": "prompt", "voicePrompt": text, "lang": "en-US", "last": True}))
        said = json.loads(await self._socket.recv())
        self.first.append((time.perf_counter() - began) * 1000)
        assert said["type"] == "text", said
        assert said["token"].startswith(text[:20]), said
        while not said["last"]:
            said = json.loads(await self._socket.recv())
        self.whole.append((time.perf_counter() - began) * 1000)

    async def hang_up(self) -> None:
        await self._socket.close()


def _posted(fields: dict[str, str]) -> bytes:
    body, signature = urlencode(fields), _signed(f"{VOICE_URL}/hooks/voice", fields)
    head = (
        f"POST /hooks/voice HTTP/1.1\r\nHost: gateway.example\r\nX-Twilio-Signature: {signature}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


async def _to_people(port: int, database: Database, customers: int) -> None:
    """Says nothing to the AI, which hands over: from now on people hold these conversations."""
    requests = [
        wire.request("/hooks/wa", wire.delivery(f"P{os.getpid()}x", number, " ")) for number in range(customers)
    ]
    await closed_loop(port, requests, 8)
    await drained(database, customers)
    database.close()


async def measure(
    folder: Path, *, calls: int, turns: int, every_s: float, beside_per_s: float, commit_ms: float = 0,
    ai_beside: bool = False,
) -> Waits:  # fmt: skip
    server, graph_port = await Graph(lambda recipient, text: None).start()
    try:
        with gateway(folder, None, engine="echo", graph_port=graph_port, voice=True, commit_ms=commit_ms) as (_, port):
            callers = [Call(port, number) for number in range(1, calls + 1)]
            (http,) = await dial(port, 1)
            for caller in callers:
                await caller.ring(http)
            count = int(beside_per_s * turns * every_s)
            customers = min(count, CUSTOMERS)
            if customers and not ai_beside:
                await _to_people(port, Database(folder, None), customers)
            requests = [
                wire.request("/hooks/wa", wire.delivery(f"V{os.getpid()}x{number}x", number % customers))
                for number in range(count)
            ]
            neighbours = Neighbours()
            talks = [one.talk(turns, every_s, every_s * place / calls) for place, one in enumerate(callers)]
            if requests:
                beside, *_ = await asyncio.gather(open_loop(port, requests, beside_per_s, 64), *talks)
            else:
                beside, _ = None, await asyncio.gather(*talks)
            stolen = neighbours.share
            for caller in callers:
                await caller.hang_up()
    finally:
        server.close()
    return Waits(
        tuple(one for caller in callers for one in caller.first),
        tuple(one for caller in callers for one in caller.whole),
        beside,
        stolen,
    )


def shown(name: str, found: Waits) -> str:
    first, whole = (f"p50 {percentile(of, 0.5):.1f}, p99 {percentile(of, 0.99):.1f}, most {max(of):.1f} ms"
                    for of in (found.first, found.whole))  # fmt: skip
    lines = [f"{name}: {len(found.first)} turns", f"  first sentence: {first}", f"  end of the answer: {whole}"]
    if found.beside is not None:
        took = found.beside.latencies_ms
        lines.append(f"  beside: {found.beside.rate:.0f} webhooks/s, {found.beside.refused} refused, "
                     f"p50 {percentile(took, 0.5):.1f}, p99 {percentile(took, 0.99):.1f} ms")  # fmt: skip
    if found.stolen is not None:
        lines.append(f"  taken by the host: {found.stolen:.1%} of the time")
    return "\n".join(lines)


async def run(options: argparse.Namespace, folder: Path) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    half, most = fsync_ms(folder)
    sys.stdout.write(f"fsync of this disk: p50 {half:.2f}, p99 {most:.2f} ms\n")
    for name, rate, commit_ms in (
        ("calls alone", 0.0, 0.0),
        (f"with {options.beside:.0f} webhooks/s beside", options.beside, 0.0),
        (f"the same, {options.commit_ms:g} ms longer for each commit", options.beside, options.commit_ms),
    ):
        found = await measure(
            folder / f"run-{rate}-{commit_ms}", calls=options.calls, turns=options.turns, every_s=options.every_s,
            beside_per_s=rate, commit_ms=commit_ms, ai_beside=options.ai_beside,
        )  # fmt: skip
        sys.stdout.write(shown(name, found) + "\n")
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.voice", description=__doc__)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--turns", type=int, default=30, help="of each call")
    parser.add_argument("--every-s", type=float, default=1.0, help="between two turns of a call")
    parser.add_argument("--beside", type=float, default=500, help="webhooks a second beside the calls")
    parser.add_argument("--commit-ms", type=float, default=5, help="added to each commit in the last run")
    parser.add_argument("--ai-beside", action="store_true", help="the AI answers the messages beside, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughline-voice-") as folder:
        uvloop.run(run(options, Path(folder)))


if __name__ == "__main__":
    main()
