"""How a server is started as a user of its own, waited for and stopped."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import TypeVar

Server = TypeVar("Server")

START_LIMIT = 60.0
"""Seconds after which a server that does not answer is given up."""

PORTS = range(20_000, 32_000)
"""Linux gives out those from 32,768 on, other systems higher ones."""
OWN_PORTS = 500
"""So many of them belong to one process, as long as it lives."""

STOP_LIMIT = 20.0
"""Seconds that a server has to stop before it is killed."""


class Unavailable(Exception):
    """This machine lacks a program; the text says which one and how to get it."""


class Failed(Exception):
    """A server was found and did not start; the text holds the end of its log."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 on which nobody listens. It is none of those that systems give out by themselves, of
    those of another process that asks here, or that were given lately: nobody else has it by chance, also while a
    program that listened on it is started once more.
    """
    ports = _own_ports()
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = next(ports)
            probe.bind(("127.0.0.1", port))
            return port


@cache
def _own_ports() -> Iterator[int]:
    """One after the other, and again. They are ours because we keep the first of them, until we end."""
    blocks = [PORTS[start : start + OWN_PORTS] for start in range(0, len(PORTS), OWN_PORTS)]
    for block in blocks:
        with socket.socket() as sign, suppress(OSError):
            sign.bind(("127.0.0.1", block[0]))
            sign.detach()  # the system closes it
            return cycle(block[1:])
    raise Failed(f"{len(blocks)} processes look for ports already")


def server_user(preferred: str) -> pwd.struct_passwd | None:
    """Whom a server runs as: None for ourselves; an unprivileged user when we are root."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("there is no user `nobody` to run a server as")


@contextmanager
def directory(name: str, user: pwd.struct_passwd | None) -> Iterator[Path]:
    """A new directory that only the server's user may enter; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"throughline-{name}-", dir=_reachable_base(user)))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def whoever(user: pwd.struct_passwd | None) -> dict[str, str]:
    """The names of the user that a server runs as, and of its group."""
    uid, gid = (os.getuid(), os.getgid()) if user is None else (user.pw_uid, user.pw_gid)
    return {"user": pwd.getpwuid(uid).pw_name, "group": grp.getgrgid(gid).gr_name}


def _reachable_base(user: pwd.struct_passwd | None) -> Path:
    """Where temporary files go, or /tmp if that lies in a folder that the server's user may not enter."""
    base = Path(tempfile.gettempdir()).resolve()
    if user is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in (base, *base.parents)):
        return base
    return Path("/tmp")


def private_file(path: Path, text: str, user: pwd.struct_passwd | None) -> Path:
    """A file that only the server's user may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def run(command: Sequence[str], folder: Path, user: pwd.struct_passwd | None) -> None:
    """Run a program to its end as the server's user; `Failed` with what it said."""
    process = _start(command, folder, user)
    if process.wait() != 0:
        raise Failed(f"{command[0]} failed:\n{_end_of_log(folder)}")


def _start(command: Sequence[str], folder: Path, user: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    """Start a program as the server's user; what it says goes to the log. Ctrl-C does not reach it."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={key: value for key, value in os.environ.items() if not key.startswith("PG")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )


def _end_of_log(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")[-2000:].strip()


@contextmanager
def running(
    command: Callable[[int], Sequence[str]],
    server: Callable[[int, int], Server],
    answers: Callable[[Server], bool],
    stop_signal: signal.Signals,
    folder: Path,
    user: pwd.struct_passwd | None,
) -> Iterator[Server]:
    """A server from its first answer to its end. If its port was taken meanwhile, it gets another one."""
    for attempts_left in (2, 1, 0):
        port = free_port()
        process = _start(command(port), folder, user)
        with _stopped(process, stop_signal, folder):
            found = server(port, process.pid)
            deadline = time.monotonic() + START_LIMIT
            while (alive := process.poll() is None) and not answers(found):
                if time.monotonic() > deadline:
                    raise Failed(f"no answer after {START_LIMIT:.0f} s:\n{_end_of_log(folder)}")
                time.sleep(0.02)
            if alive:
                yield found
                return
        if attempts_left == 0:
            raise Failed(f"it ended at once:\n{_end_of_log(folder)}")


@contextmanager
def _stopped(process: subprocess.Popen[bytes], stop_signal: signal.Signals, folder: Path) -> Iterator[None]:
    """Stop a program at the end of a block, and also if we are killed before that."""
    sentinel = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", SENTINEL, str(process.pid), str(int(stop_signal)), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(stop_signal)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        sentinel.communicate(b"stopped")


SENTINEL = """
import os, shutil, signal, sys, time
pid, stop_signal, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if sys.stdin.buffer.read() != b"stopped":
    try:
        os.kill(pid, stop_signal)
        for _ in range(100):
            time.sleep(0.1)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
"""
"""Reads until we say that the server has stopped, or until we are gone: then it stops the server itself."""
