"""Calls that come in, and what was recorded of them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # One row a call, written before it is answered; result is '' while it is under way. account_id: whose number it
    # is, null for one of chappe.toml. caller: E.164 digits, '' where they are withheld. onward: the trunk that it was
    # passed on by, target the number. status: what its caller was answered.
    op.create_table(
        "incoming_calls",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id")),
        sa.Column("trunk", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.BigInteger, nullable=False),
        sa.Column("onward", sa.Text, nullable=False),
        # The process that has the call, while it is under way; 0 where there is one process only.
        sa.Column("owner", sa.BigInteger, nullable=False),
        sa.Column("began_at_ms", sa.BigInteger, nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("cause", sa.Integer, nullable=False),
    )
    op.create_index(
        "incoming_calls_under_way",
        "incoming_calls",
        ["id"],
        sqlite_where=sa.text("result = ''"),
        postgresql_where=sa.text("result = ''"),
    )
    op.create_index("incoming_calls_began", "incoming_calls", ["began_at_ms"])
    # At most one of a call, under its id. octets: of all its pieces, an octet a sample, 8,000 a second.
    op.create_table(
        "recordings",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("began_at_ms", sa.BigInteger, nullable=False),
        sa.Column("octets", sa.BigInteger, nullable=False),
        sa.CheckConstraint("state IN ('open', 'complete', 'cut')", name="recording_state"),
    )
    # As they were heard and committed: what a call has left when the server dies is its first pieces.
    op.create_table(
        "recording_pieces",
        sa.Column("recording_id", Id, primary_key=True, autoincrement=False),
        sa.Column("piece", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("law", sa.Text, nullable=False),
        sa.Column("octets", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("law IN ('alaw', 'ulaw')", name="recording_law"),
    )
