"""Accounts, keys, the ledger, prices, id blocks, remembered answers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite's own integer keys are 64-bit but must be declared INTEGER to be the row id.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sequences",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("next_id", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "accounts",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("firstname", sa.Text, nullable=False),
        sa.Column("lastname", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("is_marketing", sa.Integer, nullable=False),
        sa.Column("may_have_subaccounts", sa.Integer, nullable=False),
        sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("accounts.id")),
        sa.Column("allowed_networks", sa.Text, nullable=False),
        sa.Column("balance_micro", sa.BigInteger, nullable=False),
        sa.Column("floor_micro", sa.BigInteger, nullable=False),
        sa.Column("waiting_count", sa.BigInteger, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.CheckConstraint("balance_micro >= floor_micro", name="balance_above_floor"),
        sa.CheckConstraint("state IN ('active', 'disabled', 'blocked', 'api-denied')", name="account_state"),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_hash", sa.LargeBinary, primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("cipher", sa.LargeBinary, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("api_keys_account", "api_keys", ["account_id"])
    # Append-only. Rows come in pairs (id, id ^ 1) with opposite amounts: an entry and its twin. House
    # accounts (see credit/ledger.py) are negative numbers without a row in accounts: no hot row.
    op.create_table(
        "ledger_entries",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("cause_id", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ledger_entries_account",
        "ledger_entries",
        ["account_id", "id"],
        sqlite_where=sa.text("account_id > 0"),
        postgresql_where=sa.text("account_id > 0"),
    )
    op.create_table(
        "prices",
        sa.Column("account_id", sa.BigInteger, primary_key=True),
        sa.Column("article", sa.Text, primary_key=True),
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("unit_micro", sa.BigInteger, nullable=False),
        sa.CheckConstraint("unit_micro >= 0", name="price_not_negative"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "remembered_answers",
        sa.Column("account_id", sa.BigInteger, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("idempotency_key", sa.Text, primary_key=True),
        sa.Column("body_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("remembered_answers_age", "remembered_answers", ["created_at_ms"])
