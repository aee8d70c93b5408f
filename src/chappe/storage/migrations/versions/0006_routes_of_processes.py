"""What processes on one database send by: routes, and whether their configurations agree."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # A row a route that some process sends by, or did until lately; seen_at_ms is of the database's clock.
    op.create_table(
        "served_routes",
        sa.Column("product", sa.Text, primary_key=True),
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # A fingerprint of routes and operators; '' where a process does not say.
    op.add_column("processes", sa.Column("configuration", sa.Text, nullable=False, server_default=""))
