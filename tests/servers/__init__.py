"""Real servers for tests, the chaos run and the benchmark: found here, started on loopback, stopped.

Each has a data directory of its own, a free port, and a password that nobody else knows. Started by root it
runs as another user (PostgreSQL refuses to be root). It ends with the process that started it, even if that
is killed.
"""

from tests.servers.chromium import chromium_arguments, find_chromium
from tests.servers.dovecot import Dovecot, dovecot_server
from tests.servers.postgres import Postgres, postgres_server
from tests.servers.program import Failed, Unavailable, free_port
from tests.servers.redis import Redis, redis_server

__all__ = [
    "Dovecot", "Failed", "Postgres", "Redis", "Unavailable", "chromium_arguments", "dovecot_server", "find_chromium",
    "free_port", "postgres_server", "redis_server",
]  # fmt: skip
