"""The processes that are measured: the real gateway and the bare handler, each pinned to one core of its own.

Rule: what is started here is stopped here. The load generator stays on the other core.
"""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.bench import wire
from tests.servers import free_port

SERVER_CORE, LOAD_CORE = 0, 1
START_S = 60
WIDGET_SECRET = "bench-widget-secret-of-some-length-0123456789"
ORIGIN = "https://shop.example"
VOICE_TOKEN = "bench-auth-token"
VOICE_URL = "https://gateway.example"


def pin(pid: int, core: int) -> None:
    """All threads that it has now; those to come inherit it from the one that starts them."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, {core})


def cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_bytes(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """(pid, port) of the handler that only reads and answers."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare"], stdout=subprocess.PIPE, text=True)
    try:
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().strip().rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def gateway(folder: Path, url: str | None, *, engine: str = "none", graph_port: int = 9, voice: bool = False,
            commit_ms: float = 0) -> Iterator[tuple[int, int]]:  # fmt: skip
    """(pid, port) of `throughline serve`, with lines at `info` into a file, as it would run.

    `voice`: it has a telephone number as well. `commit_ms`: on a disk that takes so much longer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    path = folder / "throughline.yaml"
    config = _config(folder, port, url, engine, graph_port)
    config["endpoints"] |= {"voice": _VOICE} if voice else {}
    path.write_text(yaml.safe_dump(config))
    module = ["tests.bench.disk", str(commit_ms)] if commit_ms else ["gateway"]
    with (folder / "lines.json").open("w") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", *module, "serve", "--config", str(path)], stdout=lines, stderr=lines
        )
        try:
            os.sched_setaffinity(process.pid, {SERVER_CORE})
            _wait_ready(process, port)
            pin(process.pid, SERVER_CORE)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(60)


_VOICE = {
    "type": "twilio_voice",
    "account_sid": f"AC{1:032x}",
    "auth_tokens": [VOICE_TOKEN],
    "number": "+15550100000",
    "public_url": VOICE_URL,
}


def _config(folder: Path, port: int, url: str | None, engine: str, graph_port: int) -> dict[str, Any]:
    whatsapp = {
        "type": "whatsapp",
        "phone_number_id": wire.NUMBER,
        "waba_id": "102290129340398",
        "access_token": "bench-token",
        "app_secrets": [wire.SECRET],
        "verify_token": "bench-verify",
        "graph_url": f"http://127.0.0.1:{graph_port}",
    }
    site = {"type": "webchat", "secret": WIDGET_SECRET, "allowed_origins": [ORIGIN], "sockets_per_peer": 100_000}
    store = {"data_dir": str(folder / "data")} | ({"url": url} if url else {})
    fast = {"per_second": 100_000.0, "pair_per_second": 1_000.0, "pair_burst": 1_000}
    return {
        "key": "bench-key-of-this-installation-0123456789",
        "server": {"port": port},
        "store": store,
        "ai": {"engine": engine, "first_holder": "queue" if engine == "none" else "ai"},
        "transport": {"channels": {"wa": fast}},
        "endpoints": {"wa": whatsapp, "site": site},
    }


def _wait_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError("the gateway did not start; see lines.json in its folder")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError("the gateway is not ready")
