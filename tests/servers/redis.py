"""Redis, which keeps nothing on disk."""

from __future__ import annotations

import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from tests.servers.program import Unavailable, directory, private_file, running, server_user


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
def redis_server() -> Iterator[Redis]:
    """A Redis server for the length of a block; it keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise Unavailable("redis-server is not installed (Debian: apt-get install redis-server)")
    password = secrets.token_hex(16)
    user = server_user("redis")
    with directory("redis", user) as folder:
        text = f'bind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\ndir {folder}\n'
        config = private_file(folder / "redis.conf", text, user)

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

        with running(command, server, answers, signal.SIGTERM, folder, user) as found:
            yield found
