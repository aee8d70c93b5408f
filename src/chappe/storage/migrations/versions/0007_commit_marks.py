"""What each writer has committed last: how the truth is found out about a commit whose answer was cut off."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # A row a connection that writes; number counts its transactions, and is written by each of them.
    op.create_table(
        "commit_marks",
        sa.Column("writer", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("marked_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE commit_marks SET (fillfactor = 10)")
