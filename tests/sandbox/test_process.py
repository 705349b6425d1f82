"""The real program: `throughline demo`, started in an empty folder and stopped by SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests import servers
from tests.house import ROOT
from tests.sandbox.demo import Demo, texts

READY = "Ready: "
PROGRAM = """
import sys
sys.path.insert(0, "{root}")
from gateway.cli import main
from gateway.sandbox import demo
ports = iter({ports})
demo.free_port = lambda host, wished: wished or next(ports)
main(prog_name="throughline")
"""
"""Its ports are looked for before they are listened on: meanwhile another test must not get them."""


@asynccontextmanager
async def program(folder: Path, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process and the address that it printed."""
    code = PROGRAM.format(root=ROOT, ports=[servers.free_port() for _ in range(3)])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            first = (await process.stdout.readline()).decode().strip()
        assert first.startswith(READY), first + (await process.communicate())[1].decode()
        yield process, first.removeprefix(READY).removesuffix("/sandbox")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def stopped(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Its exit code, and what it had to complain about."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        _, complaints = await process.communicate()
    assert process.returncode is not None
    return process.returncode, complaints.decode()


async def test_it_starts_answers_and_stops(tmp_path: Path) -> None:
    port = servers.free_port()
    async with program(tmp_path, "demo", "--port", str(port)) as (process, url), aiohttp.ClientSession() as session:
        running = Demo(session, url)
        assert await running.get("/readyz") == {"status": "ready"}
        await running.say({"type": "text", "text": "How long do I have to return something?"})
        screen = await running.until(texts)
        assert "60 days" in texts(screen)[0]
        listening = asyncio.create_task(running.ask("GET", f"/sandbox/api/changes?after={screen['version']}&wait_s=25"))
        assert await stopped(process) == (0, "")
        await asyncio.wait([listening])
        listening.exception()
    assert (tmp_path / "demo-data" / "throughline.db").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo-data"]


async def test_a_second_one_in_the_same_folder_is_told_why_not(tmp_path: Path) -> None:
    async with program(tmp_path, "demo", "--port", "0") as (process, _):
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gateway.cli import main; main()"
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, "demo", "--port", "0", cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, complaints = await second.communicate()
        assert (second.returncode, out) == (1, b"")
        assert b"is served by another process" in complaints
        assert b"Traceback" not in complaints
        assert (await stopped(process))[0] == 0
