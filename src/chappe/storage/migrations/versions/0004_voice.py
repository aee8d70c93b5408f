"""Stored audio files."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # A file that was uploaded. state: waiting (for the operator of the server), valid, refused. A deleted one stays as
    # long as the history names it, without its sound.
    op.create_table(
        "audio_files",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("token", sa.Text, nullable=False, unique=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger),
        sa.CheckConstraint("state IN ('waiting', 'valid', 'refused')", name="audio_state"),
    )
    op.create_index(
        "audio_files_account",
        "audio_files",
        ["account_id", "id"],
        sqlite_where=sa.text("deleted_at_ms IS NULL"),
        postgresql_where=sa.text("deleted_at_ms IS NULL"),
    )
    # Apart, so that no list reads megabytes: an octet a sample, 8,000 a second.
    op.create_table(
        "audio_contents",
        sa.Column("audio_id", Id, primary_key=True, autoincrement=False),
        sa.Column("alaw", sa.LargeBinary, nullable=False),
        sa.Column("ulaw", sa.LargeBinary, nullable=False),
    )
