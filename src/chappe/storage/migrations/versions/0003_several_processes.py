"""Several processes on one database: who they are, what each of them holds, limits that they share."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Rows that are updated often keep room on their page, so that an update touches no index.
_STORAGE = (
    "ALTER TABLE accounts SET (fillfactor = 50)",
    "ALTER TABLE recipients SET (fillfactor = 80)",
    "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE rate_windows SET (fillfactor = 50)",
    # What they hold is of the last minute, and may be gone after a crash of the server.
    "ALTER TABLE rate_windows SET UNLOGGED",
)


def upgrade() -> None:
    # A row a running process. seen_at_ms is of the database's clock; who is not seen any more has died.
    op.create_table(
        "processes",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # How many binds to each operator a process has up: the operator's throughput is shared by them.
    op.create_table(
        "process_binds",
        sa.Column("process_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("binds", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # The requests of the last period that an account made to a page: milliseconds, with commas.
    op.create_table(
        "rate_windows",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("page", sa.Text, primary_key=True),
        sa.Column("times_ms", sa.Text, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # The process that a recipient leaves by, while it is leaving; 0 where there is one process only.
    op.add_column("recipients", sa.Column("owner", sa.BigInteger, nullable=False, server_default="0"))
    # What a process has taken from the outbox, and what nobody has.
    op.create_index(
        "outbox_leased",
        "outbox",
        ["lease_owner"],
        sqlite_where=sa.text("lease_owner <> ''"),
        postgresql_where=sa.text("lease_owner <> ''"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "outbox_free",
            "outbox",
            ["route", "due_at_ms", "message_id"],
            postgresql_where=sa.text("lease_owner = ''"),
        )
        for statement in _STORAGE:
            op.execute(statement)
