"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _queues()
    _people()
    _threads()
    _effects()
    _rest()


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _queues() -> None:
    op.create_table(
        "intake",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("owner", sa.Text()),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("next_index", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("outcome", sa.LargeBinary()),
        sa.Column("wants_outcome", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    _create_partial_index("intake_leased", "intake", ["leased_until"], "leased_until > 0")
    op.create_table(
        "dead",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("intake_id", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("replayed_at", sa.BigInteger()),
    )
    op.create_table(
        "command",
        sa.Column("n", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("leg_id", sa.Text()),
        sa.Column("channel_id", sa.Text()),
        sa.Column("envelope_id", sa.Text()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("fence", sa.Integer()),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("echoed", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("owner", sa.Text()),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
    )
    _create_partial_index("command_active", "command", ["n"], "state < 10")
    _create_partial_index("command_envelope", "command", ["envelope_id"], "envelope_id IS NOT NULL")
    _create_partial_index("command_leg", "command", ["leg_id", "n"], "state < 10 AND kind = 'send'")
    op.create_table(
        "claimant",
        sa.Column("queue", sa.Text(), primary_key=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
    )


def _people() -> None:
    op.create_table(
        "contact",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.Text()),
        sa.Column("link_evidence", sa.SmallInteger()),
        sa.Column("link_reason", sa.Text()),
        sa.Column("linked_at", sa.BigInteger()),
    )
    op.create_index("ix_contact_parent_id", "contact", ["parent_id"])
    op.create_table(
        "address",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("evidence", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("released_at", sa.BigInteger()),
    )
    op.create_index("ix_address_contact_id", "address", ["contact_id"])


def _threads() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("contact_id", sa.Text(), nullable=False, unique=True),
        sa.Column("holder", sa.String(10), nullable=False),
        sa.Column("holder_name", sa.Text()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer()),
        sa.Column("last_in", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("reply_leg", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("conversation_created", "conversation", ["created_at", "id"])
    op.create_table(
        "leg",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("native_thread", sa.Text()),
        sa.Column("window_until", sa.BigInteger()),
        sa.Column("wire_head", sa.Integer(), nullable=False),
        sa.Column("last_inbound", sa.Text()),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("read_up_to", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index("ix_leg_conversation_id", "leg", ["conversation_id"])
    op.create_table(
        "envelope",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("conversation_id", sa.Text()),
        sa.Column("seq", sa.Integer()),
        sa.Column("leg_id", sa.Text()),
        sa.Column("wire_seq", sa.Integer()),
        sa.Column("channel_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("observed", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("intake_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary()),
    )
    _create_partial_index("envelope_seq", "envelope", ["conversation_id", "seq"], "seq IS NOT NULL")
    _create_partial_index("envelope_wire", "envelope", ["leg_id", "wire_seq"], "wire_seq IS NOT NULL")


def _effects() -> None:
    op.create_table(
        "dedupe",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("envelope_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("intake_id", sa.BigInteger(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "external",
        sa.Column("channel_id", sa.Text(), primary_key=True),
        sa.Column("external_id", sa.Text(), primary_key=True),
        sa.Column("envelope_id", sa.Text()),
        sa.Column("rank", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("failure", sa.Text()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_external_envelope_id", "external", ["envelope_id"])
    op.create_table(
        "parked",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("envelope_id", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("parked_target", "parked", ["channel_id", "external_id"])


def _rest() -> None:
    op.create_table(
        "engine",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "media",
        sa.Column("sha256", sa.Text(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "media_use",
        sa.Column("sha256", sa.Text(), primary_key=True),
        sa.Column("envelope_id", sa.Text(), primary_key=True),
        sa.Column("place", sa.Integer(), primary_key=True),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
    )
