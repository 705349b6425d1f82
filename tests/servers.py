"""Real servers for tests, the chaos run and the benchmark: found here, started on loopback, stopped.

Each has a data directory of its own, a free port, and a password that nobody else knows. Started by root it
runs as another user (PostgreSQL refuses to be root). It ends with the process that started it, even if that
is killed.
"""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import re
import secrets
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
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
import redis
from psycopg import sql

Server = TypeVar("Server")

START_LIMIT = 60.0
"""Seconds after which a server that does not answer is given up."""

STOP_LIMIT = 20.0
"""Seconds that a server has to stop before it is killed."""


class Unavailable(Exception):
    """This machine lacks a program; the text says which one and how to get it."""


class Failed(Exception):
    """A server was found and did not start; the text holds the end of its log."""


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL server of our own."""

    host: str
    port: int
    user: str
    password: str
    socket_dir: Path
    pid: int
    """The server's main process: its children are the sessions, so that its CPU time can be added up."""

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database that always exists."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases, over TCP."""
        return f"postgresql+psycopg://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database, dropped after the block with whoever is still connected to it."""
        name = f"t_{secrets.token_hex(6)}"
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url_of(name)
        finally:
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(statement)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of its administrator, for statements about the server."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )


@dataclass(frozen=True)
class Redis:
    """A running Redis server of our own, which keeps nothing on disk."""

    host: str
    port: int
    password: str
    pid: int

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    def clear(self) -> None:
        """Forget everything, in all its databases."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@contextmanager
def postgres_server(*, durable: bool = True, settings: Sequence[str] = ()) -> Iterator[Postgres]:
    """A PostgreSQL server for the length of a block.

    `durable=False` turns fsync off: much faster, and the same for everybody who does not cut the power.
    `settings` are further ones, as in `["shared_buffers=512MB"]`.
    """
    initdb = _find_initdb()
    postgres = initdb.with_name("postgres")
    name, password = "throughline", secrets.token_hex(16)
    user = _server_user("postgres")
    with _directory("pg", user) as folder:
        password_file = _private_file(folder / "password", password, user)
        options = {
            "--pgdata": str(folder / "data"),
            "--username": name,
            "--pwfile": str(password_file),
            "--auth": "scram-sha-256",
            "--encoding": "UTF8",
            "--locale": "C",
        }
        _run([str(initdb), "--no-sync", *(f"{key}={value}" for key, value in options.items())], folder, user)

        def command(port: int) -> list[str]:
            chosen = [
                "listen_addresses=127.0.0.1",
                f"port={port}",
                f"unix_socket_directories={folder}",
                "max_connections=200",
                *([] if durable else ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]),
                *settings,
            ]
            return [str(postgres), "-D", str(folder / "data"), *(f"--{setting}" for setting in chosen)]

        def server(port: int, pid: int) -> Postgres:
            return Postgres("127.0.0.1", port, name, password, folder, pid)

        def answers(found: Postgres) -> bool:
            try:
                found.connect().close()
            except psycopg.OperationalError:
                return False
            return True

        # SIGINT is PostgreSQL's "fast" shutdown: sessions are cut off, nothing is lost.
        with _running(command, server, answers, signal.SIGINT, folder, user) as found:
            yield found


@contextmanager
def redis_server() -> Iterator[Redis]:
    """A Redis server for the length of a block; it keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise Unavailable("redis-server is not installed (Debian: apt-get install redis-server)")
    password = secrets.token_hex(16)
    user = _server_user("redis")
    with _directory("redis", user) as folder:
        text = f'bind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\ndir {folder}\n'
        config = _private_file(folder / "redis.conf", text, user)

        def command(port: int) -> list[str]:
            return [program, str(config), "--port", str(port)]

        def server(port: int, pid: int) -> Redis:
            return Redis("127.0.0.1", port, password, pid)

        def answers(found: Redis) -> bool:
            try:
                with redis.Redis.from_url(found.url) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        with _running(command, server, answers, signal.SIGTERM, folder, user) as found:
            yield found


@dataclass(frozen=True)
class Dovecot:
    """A running IMAP server of our own, with one account whose mails lie in `maildir`."""

    host: str
    port: int
    """Plain, and with STARTTLS."""
    tls_port: int
    user: str
    password: str
    maildir: Path
    pid: int


@contextmanager
def dovecot_server(certificate: Path) -> Iterator[Dovecot]:
    """A Dovecot for the length of a block. `certificate`: PEM, with its key, for 127.0.0.1."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Unavailable("dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    user = _server_user("dovecot")
    name, password = "box@shop.example", secrets.token_hex(16)
    with _directory("dovecot", user) as folder:
        pem = _private_file(folder / "server.pem", certificate.read_text(), user)
        users = _private_file(folder / "users", f"{name}:{{PLAIN}}{password}\n", user)
        tls_port = free_port()

        def command(port: int) -> list[str]:
            text = DOVECOT.format(folder=folder, pem=pem, users=users, port=port, tls_port=tls_port, **_whoever(user))
            config = _private_file(folder / "dovecot.conf", text, user)
            return [program, "-F", "-c", str(config)]

        def server(port: int, pid: int) -> Dovecot:
            return Dovecot("127.0.0.1", port, tls_port, name, password, folder / "mail" / name / "Maildir", pid)

        def answers(found: Dovecot) -> bool:
            try:
                with imaplib.IMAP4(found.host, found.port, timeout=5) as client:
                    client.login(found.user, found.password)
            except (OSError, imaplib.IMAP4.error):
                return False
            return True

        with _running(command, server, answers, signal.SIGTERM, folder, user) as found:
            yield found


DOVECOT = """
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 0
first_valid_gid = 0
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{pem}
ssl_key = <{pem}
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
"""
"""Without root: every service runs as the one user, and none changes its root directory."""


def find_chromium() -> Path:
    """The path of a Chromium (or Chrome) that playwright can drive."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    places = (
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    )
    for found in (*(shutil.which(name) for name in names), *places):
        if found is not None and Path(found).is_file():
            return Path(found)
    raise Unavailable("Chromium is not installed (Debian: apt-get install chromium)")


def chromium_arguments() -> list[str]:
    """What Chromium must be told: root has no sandbox, and a container's /dev/shm is too small for it."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- how a server is found, started and stopped --------------------------------------------------------------


def _find_initdb() -> Path:
    """PostgreSQL's `initdb`, which lies beside `postgres`: from PATH, else the newest that there is."""
    in_path = shutil.which("initdb")
    if in_path is not None:
        return Path(in_path).resolve()
    patterns = (
        "usr/lib/postgresql/*/bin/initdb",
        "usr/pgsql-*/bin/initdb",
        "opt/homebrew/opt/postgresql@*/bin/initdb",
    )
    found = [path for pattern in patterns for path in Path("/").glob(pattern)]
    if not found:
        raise Unavailable("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    return max(found, key=lambda path: [int(digits) for digits in re.findall(r"\d+", str(path))])


def _server_user(preferred: str) -> pwd.struct_passwd | None:
    """Whom a server runs as: None for ourselves; an unprivileged user when we are root."""
    if os.geteuid() != 0:
        return None
    for name in (preferred, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("there is no user `nobody` to run a server as")


@contextmanager
def _directory(name: str, user: pwd.struct_passwd | None) -> Iterator[Path]:
    """A new directory that only the server's user may enter; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"throughline-{name}-", dir=_reachable_base(user)))
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _whoever(user: pwd.struct_passwd | None) -> dict[str, str]:
    """The names of the user that a server runs as, and of its group."""
    uid, gid = (os.getuid(), os.getgid()) if user is None else (user.pw_uid, user.pw_gid)
    return {"user": pwd.getpwuid(uid).pw_name, "group": grp.getgrgid(gid).gr_name}


def _reachable_base(user: pwd.struct_passwd | None) -> Path:
    """Where temporary files go, or /tmp if that lies in a folder that the server's user may not enter."""
    base = Path(tempfile.gettempdir()).resolve()
    if user is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in (base, *base.parents)):
        return base
    return Path("/tmp")


def _private_file(path: Path, text: str, user: pwd.struct_passwd | None) -> Path:
    """A file that only the server's user may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def _run(command: Sequence[str], folder: Path, user: pwd.struct_passwd | None) -> None:
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
def _running(
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
