"""Brings a database to the schema of this program, forwards only, and says whether it is there.

Rule: a migration expands; what it makes superfluous goes with a later release, when no older program runs any more.
Rule: an upgrade is one transaction, and of several programs that start at once one runs it and the others find it done.
Rule: a database that knows a migration which this program does not is left alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0002"
"""The newest migration, so that readiness is asked without loading any."""

_ONE_AT_A_TIME = 7_461_206_351
"""The key of PostgreSQL's advisory lock; SQLite's transactions are one at a time by themselves."""


class DatabaseTooNew(Exception):
    """A newer program has migrated this database."""


def current(engine: sa.Engine) -> str | None:
    """The newest migration that the database has; None: it has none."""
    with engine.connect() as connection:
        connection.execution_options(deferred=True)
        return _current(connection)


def is_current(engine: sa.Engine) -> bool:
    return current(engine) == HEAD


def upgrade(engine: sa.Engine) -> None:
    """Runs the migrations that are missing. Raises DatabaseTooNew."""
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        found = _current(connection)
        if found is not None and found not in known:
            raise DatabaseTooNew(
                f"the database is at migration {found}, this program knows up to {HEAD}: run the newer program"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found
