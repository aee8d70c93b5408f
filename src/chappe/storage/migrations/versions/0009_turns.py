"""Whose message an outbox row is of, so that accounts take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # 0 in rows that an older version has written: those take turns as if they were one account's.
    op.add_column("outbox", sa.Column("account_id", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index(
        "outbox_turns",
        "outbox",
        ["route", "account_id", "due_at_ms", "message_id"],
        postgresql_where=sa.text("lease_owner = ''"),
    )
    if op.get_bind().dialect.name == "postgresql":
        # What is due first, whoever's it is, outbox_due says as well. Older versions find it there, too.
        op.drop_index("outbox_free", "outbox")
