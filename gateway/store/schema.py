"""The tables. One schema for SQLite and PostgreSQL; migrations are in `migrations/`, expand first, contract later.

Rule: times are milliseconds since 1970 (BIGINT); content is encoded JSON in bytes, so that no database looks into it.
Rule: rows that rooms queue for (`intake`, `command`) are named by 64-bit numbers that grow with the time they are due.
Rule: an index is paid for by every message; each one says here which statement needs it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy import text as sql

WAITING, ANSWERED = 0, 1
"""States of an intake row: to be processed; processed and kept for whoever waits for its outcome."""

DUE, SENDING, DOUBT = 0, 2, 3
DONE, SUPERSEDED, FAILED, PARKED, DEAD = 10, 11, 12, 13, 14
"""States of a command. Below FINAL it has a due time and somebody will come for it."""
FINAL = 10

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit primary key. SQLite keeps a table in the order of its INTEGER key, without an index beside it."""

metadata = MetaData()

intake = Table(
    "intake",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("endpoint_id", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default=sql("0")),
    Column("attempts", Integer, nullable=False, server_default=sql("0")),
    Column("owner", Text),
    Column("leased_until", BigInteger, nullable=False, server_default=sql("0")),
    Column("epoch", Integer, nullable=False, server_default=sql("0")),
    Column("next_index", Integer, nullable=False, server_default=sql("0")),
    Column("outcome", LargeBinary),
    Column("wants_outcome", Boolean, nullable=False, server_default=sql("false")),
    # Lanes that other nodes are working on; holds leased rows only.
    Index(
        "intake_leased", "leased_until", sqlite_where=sql("leased_until > 0"), postgresql_where=sql("leased_until > 0")
    ),
)

dead = Table(
    "dead",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("intake_id", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("endpoint_id", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("replayed_at", BigInteger),
)

dedupe = Table(
    "dedupe",
    metadata,
    Column("key", Text, primary_key=True),
    Column("envelope_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("intake_id", BigInteger, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""`key` is a keyed digest of channel and event: provider ids contain phone numbers, and these rows outlive erasure."""

contact = Table(
    "contact",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("parent_id", Text, index=True),  # children of a contact, for its one view
    Column("link_evidence", SmallInteger),
    Column("link_reason", Text),
    Column("linked_at", BigInteger),
)

address = Table(
    "address",
    metadata,
    Column("key", Text, primary_key=True),
    Column("contact_id", Text, nullable=False, index=True),  # the addresses of a contact
    Column("address", Text, nullable=False),
    Column("evidence", SmallInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("released_at", BigInteger),  # given up by its owner: whoever writes from it later is somebody else
)

conversation = Table(
    "conversation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("contact_id", Text, nullable=False, unique=True),
    Column("holder", String(10), nullable=False),
    Column("holder_name", Text),
    Column("epoch", Integer, nullable=False),
    Column("head", Integer, nullable=False),
    Column("asked", Integer),
    Column("last_in", Integer, nullable=False),
    Column("answered", Integer, nullable=False),
    Column("reply_leg", Text),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("due_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # The list of the API and of queues, newest first; small rows, so it stays out of the way of the text.
    Index("conversation_created", "created_at", "id"),
)

leg = Table(
    "leg",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("conversation_id", Text, nullable=False, index=True),  # the legs of a conversation
    Column("address", Text, nullable=False),
    Column("native_thread", Text),
    Column("window_until", BigInteger),
    Column("wire_head", Integer, nullable=False),
    Column("last_inbound", Text),
    Column("valid_from", BigInteger, nullable=False),
    Column("read_up_to", Integer, nullable=False, server_default=sql("0")),
    Column("subject", Text),
)

envelope = Table(
    "envelope",
    metadata,
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text),
    Column("seq", Integer),
    Column("leg_id", Text),
    Column("wire_seq", Integer),
    Column("channel_id", Text),
    Column("kind", Text, nullable=False),
    Column("direction", String(3), nullable=False),
    Column("observed", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("intake_id", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("raw", LargeBinary),
    # A conversation from any seq on, and the transcript.
    Index("envelope_seq", "conversation_id", "seq", sqlite_where=sql("seq IS NOT NULL"),
          postgresql_where=sql("seq IS NOT NULL")),
    # What a live leg may see, from any of its own numbers on.
    Index("envelope_wire", "leg_id", "wire_seq", sqlite_where=sql("wire_seq IS NOT NULL"),
          postgresql_where=sql("wire_seq IS NOT NULL")),
)  # fmt: skip

external = Table(
    "external",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("envelope_id", Text, index=True),  # the parts of an envelope and their states
    Column("rank", SmallInteger, nullable=False, server_default=sql("0")),
    Column("failure", Text),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

parked = Table(
    "parked",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=False),
    Column("channel_id", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("envelope_id", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
    # What waits for a message that has just come.
    Index("parked_target", "channel_id", "external_id"),
)

command = Table(
    "command",
    metadata,
    Column("n", Number, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("leg_id", Text),
    Column("channel_id", Text),
    Column("envelope_id", Text),
    Column("payload", LargeBinary, nullable=False),
    Column("fence", Integer),
    Column("state", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("doubts", Integer, nullable=False, server_default=sql("0")),
    Column("echoed", Integer, nullable=False, server_default=sql("0")),
    Column("owner", Text),
    Column("leased_until", BigInteger, nullable=False, server_default=sql("0")),
    Column("epoch", Integer, nullable=False, server_default=sql("0")),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    # What room 3 takes next.
    Index("command_active", "n", sqlite_where=sql("state < 10"), postgresql_where=sql("state < 10")),
    # Whether an earlier send of the same leg is still under way.
    Index("command_leg", "leg_id", "n", sqlite_where=sql("state < 10 AND kind = 'send'"),
          postgresql_where=sql("state < 10 AND kind = 'send'")),
    # What became of an envelope, for its status and for `trace`.
    Index("command_envelope", "envelope_id", sqlite_where=sql("envelope_id IS NOT NULL"),
          postgresql_where=sql("envelope_id IS NOT NULL")),
)  # fmt: skip

engine = Table(
    "engine",
    metadata,
    Column("name", Text, primary_key=True),
    Column("up", Boolean, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

media = Table(
    "media",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mime", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

media_use = Table(
    "media_use",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("envelope_id", Text, primary_key=True),
    Column("place", Integer, primary_key=True),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

source = Table(
    "source",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("cursor", Text),
    Column("owner", Text),
    Column("leased_until", BigInteger, nullable=False, server_default=sql("0")),
    Column("epoch", Integer, nullable=False, server_default=sql("0")),
    Column("heard_at", BigInteger),  # the last sign of life
    Column("trouble", Text),  # why nobody hears it now, as a code
)
"""What we dial or ask ourselves: who listens to it, and how far it is read."""

credential = Table(
    "credential",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("grant_digest", Text, nullable=False),  # of the grant as it is configured: another one begins anew
    Column("key_id", Text),  # of the key that sealed it
    Column("sealed", LargeBinary),
    Column("leased_until", BigInteger, nullable=False, server_default=sql("0")),
    Column("epoch", Integer, nullable=False, server_default=sql("0")),
    Column("updated_at", BigInteger, nullable=False),
)
"""OAuth 2.0 tokens, encrypted, and who renews them."""

claimant = Table(
    "claimant",
    metadata,
    Column("queue", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)
"""One row a queue: touching it puts the claims of several nodes one after the other."""
