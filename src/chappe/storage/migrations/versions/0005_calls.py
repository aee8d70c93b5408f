"""Campaigns, callees, calls, the numbers that accounts may show."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # One row a request. token: the public campaignId. quoted_s: started seconds that a callee may cost at the most.
    # open_count: callees without a final state; with the last of them ended_at_ms is set.
    op.create_table(
        "campaigns",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("token", sa.Text, nullable=False, unique=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("rate_percent", sa.Integer, nullable=False),
        sa.Column("audio_id", sa.BigInteger),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("notify_url", sa.Text, nullable=False),
        # Who is to be told by e-mail that it has ended.
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("is_marketing", sa.Integer, nullable=False),
        # When the first callee may be called: null for at once, else the date that was asked for or the end of a hold.
        sa.Column("due_at_ms", sa.BigInteger),
        sa.Column("quoted_s", sa.Integer, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("retry_delay_s", sa.Integer, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("callee_count", sa.Integer, nullable=False),
        sa.Column("open_count", sa.Integer, nullable=False),
        sa.Column("cancelled_at_ms", sa.BigInteger),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.CheckConstraint("kind IN ('speech', 'deposit')", name="campaign_kind"),
    )
    op.create_index(
        "campaigns_audio",
        "campaigns",
        ["audio_id"],
        sqlite_where=sa.text("ended_at_ms IS NULL AND audio_id IS NOT NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL AND audio_id IS NOT NULL"),
    )
    # The outbox of calls itself: who waits is due at due_at_ms. The states are those of calls/states.py.
    op.create_table(
        "callees",
        sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("refund_micro", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        # The process that calls, while it does; 0 where there is one process only.
        sa.Column("owner", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
        sa.Column("duration_s", sa.Integer, nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "callees_due",
        "callees",
        ["due_at_ms", "campaign_id", "number"],
        sqlite_where=sa.text("state = 10"),
        postgresql_where=sa.text("state = 10"),
    )
    op.create_index(
        "callees_on_their_way",
        "callees",
        ["campaign_id", "number"],
        sqlite_where=sa.text("state IN (20, 30)"),
        postgresql_where=sa.text("state IN (20, 30)"),
    )
    # One row a call: written before the INVITE leaves, completed when it has ended.
    op.create_table(
        "call_attempts",
        sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("left_at_ms", sa.BigInteger, nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("cause", sa.Integer, nullable=False),
        sa.Column("party", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("played_ms", sa.BigInteger, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    # Marketing: attempts for a number in the last thirty days.
    op.create_index("call_attempts_number", "call_attempts", ["account_id", "number", "left_at_ms"])
    op.create_table(
        "caller_numbers",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # The built-in telephones' own memory. heard: A-law, what came out of the receiver, of the newest calls.
    op.create_table(
        "sim_calls",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("phone", sa.BigInteger, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("behaviour", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("began_at_ms", sa.BigInteger, nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("heard_ms", sa.BigInteger, nullable=False),
        sa.Column("heard", sa.LargeBinary, nullable=False),
    )
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("voice_retries", sa.Integer, nullable=False, server_default="0"))
        accounts.add_column(
            sa.Column("voice_retry_delay_s", sa.Integer, nullable=False, server_default="300")
        )
