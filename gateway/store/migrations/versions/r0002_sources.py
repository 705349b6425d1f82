"""Sources that we dial, tokens that we renew, and the subject of the last mail of a leg."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("endpoint_id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("cursor", sa.Text()),
        sa.Column("owner", sa.Text()),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("heard_at", sa.BigInteger()),
        sa.Column("trouble", sa.Text()),
    )
    op.create_table(
        "credential",
        sa.Column("endpoint_id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("grant_digest", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("leased_until", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.add_column("leg", sa.Column("subject", sa.Text()))
