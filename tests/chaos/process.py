"""The processes of a run: the gateway under test, which is killed and started, and the simulators, which are not.

Rule: whatever happens to us, none of them outlives us.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.chaos.plan import (
    ACCESS_TOKEN,
    APP_SECRET,
    ENDPOINT,
    KEY,
    NUMBERS,
    SITE,
    VERIFY_TOKEN,
    WEB,
    WIDGET,
    Plan,
)

HOUSE = Path(__file__).resolve().parents[2]
START_LIMIT_S = 90.0
STOP_LIMIT_S = 40.0
TIED = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Becomes the program, after it has asked the kernel to end it when we end."""


class Process:
    """One program in a process group of its own."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", TIED, sys.executable, *arguments],
                cwd=HOUSE,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(HOUSE)},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    @property
    def ended(self) -> int | None:
        """Its exit code, if it ended by itself."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL for the whole group; returns when it is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def wait(self, limit_s: float) -> int | None:
        """The exit code; None: it does not end."""
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def serve(folder: Path) -> Process:
    """The gateway as the `gateway.yaml` in this folder says."""
    return Process(folder / "gateway.log", "-m", "gateway", "serve", "--config", str(folder / "gateway.yaml"))


def gateway(plan: Plan) -> Process:
    return serve(plan.path)


def meta(plan: Plan) -> Process:
    return Process(plan.path / "meta.log", "-m", "tests.chaos.meta", str(plan.path / "plan.json"))


def widgets(plan: Plan) -> Process:
    return Process(plan.path / "widgets.log", "-m", "tests.chaos.widgets", str(plan.path / "plan.json"))


def configure(plan: Plan) -> None:
    """JSON is YAML, too. Whatever differs from the defaults is a documented setting."""
    quick = {"per_second": 2000, "pair_per_second": 200, "pair_burst": 200}
    tree: dict[str, Any] = {
        "key": KEY,
        "server": {"port": plan.gateway_port},
        "store": {"data_dir": str(plan.path / "data"), "url": plan.url},
        "rooms": {"max_attempts": 10, "retry_max_ms": 4_000},
        "ai": {"engine": "echo"},
        "media": {"min_free_bytes": 0, "media_min_free_bytes": 0},
        "transport": {"channels": dict.fromkeys(NUMBERS.values(), quick)},
        "log": {"level": "warning", "format": "json"},
        "endpoints": {
            ENDPOINT: {
                "type": "whatsapp",
                "numbers": [{"channel": channel, "phone_number_id": number} for number, channel in NUMBERS.items()],
                "access_token": ACCESS_TOKEN,
                "app_secrets": [APP_SECRET],
                "verify_token": VERIFY_TOKEN,
                "graph_url": f"{plan.meta_url}/v24.0",
            },
            WEB: {
                "type": "webchat",
                "secret": "s" * 40,
                "widget_key": WIDGET,
                "allowed_origins": [SITE],
                "messages_per_s": 20,
                "messages_burst": 50,
                "sockets_per_peer": 1_000,
            },
        },
    }
    if plan.database == "postgresql":
        # The claims of a node that was killed lapse by time alone: shorter than the time between two kills.
        tree["rooms"] |= {"lease_ms": 2_000}
        tree["transport"] |= {"timeout_ms": 1_200, "connect_timeout_ms": 1_000}
        tree["ai"] |= {"deadline_ms": 1_500}
    (plan.path / "gateway.yaml").write_text(json.dumps(tree, indent=1))


def ask(url: str, method: str = "GET", limit_s: float = 10.0) -> bytes | None:
    """None: nobody answers, or not with 200."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=limit_s) as answer:
            data: bytes = answer.read()
            return data
    except (OSError, urllib.error.URLError):
        return None


def until_ready(process: Process, url: str) -> float | None:
    """Seconds until it answered; None: it ended, or never did."""
    started = time.monotonic()
    while process.ended is None and time.monotonic() - started < START_LIMIT_S:
        if ask(url, limit_s=1.0) is not None:
            return time.monotonic() - started
        time.sleep(0.02)
    return None
