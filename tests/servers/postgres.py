"""PostgreSQL, and databases of it for a while."""

from __future__ import annotations

import re
import secrets
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers.program import Unavailable, directory, private_file, run, running, server_user


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


@contextmanager
def postgres_server(*, durable: bool = True, settings: Sequence[str] = ()) -> Iterator[Postgres]:
    """A PostgreSQL server for the length of a block.

    `durable=False` turns fsync off: much faster, and the same for everybody who does not cut the power.
    `settings` are further ones, as in `["shared_buffers=512MB"]`.
    """
    initdb = _find_initdb()
    postgres = initdb.with_name("postgres")
    name, password = "throughline", secrets.token_hex(16)
    user = server_user("postgres")
    with directory("pg", user) as folder:
        password_file = private_file(folder / "password", password, user)
        options = {
            "--pgdata": str(folder / "data"),
            "--username": name,
            "--pwfile": str(password_file),
            "--auth": "scram-sha-256",
            "--encoding": "UTF8",
            "--locale": "C",
        }
        run([str(initdb), "--no-sync", *(f"{key}={value}" for key, value in options.items())], folder, user)

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
        with running(command, server, answers, signal.SIGINT, folder, user) as found:
            yield found


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
