"""Messages, recipients, the outbox, submissions, receipts, replies, opt-outs, events for customers, the simulator."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # One row a request. Money in micro-euros: cost_micro is what was debited when it was accepted.
    op.create_table(
        "messages",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("is_unicode", sa.Integer, nullable=False),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("url_dlr", sa.Text, nullable=False),
        sa.Column("url_response", sa.Text, nullable=False),
        sa.Column("is_sandbox", sa.Integer, nullable=False),
        sa.Column("is_marketing", sa.Integer, nullable=False),
        # When it is to leave: null for at once, else the date that was asked for or the end of a hold.
        sa.Column("due_at_ms", sa.BigInteger),
        sa.Column("is_date_explicit", sa.Integer, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("recipient_count", sa.Integer, nullable=False),
        sa.Column("cancelled_at_ms", sa.BigInteger),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "messages_tag",
        "messages",
        ["account_id", "tag", "id"],
        sqlite_where=sa.text("tag <> ''"),
        postgresql_where=sa.text("tag <> ''"),
    )
    op.create_index(
        "messages_sandbox",
        "messages",
        ["created_at_ms"],
        sqlite_where=sa.text("is_sandbox = 1"),
        postgresql_where=sa.text("is_sandbox = 1"),
    )
    # number: E.164 digits as an integer. The states are those of messages/states.py, which only grow.
    op.create_table(
        "recipients",
        sa.Column("message_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("refund_micro", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    # What is on its way or handed to an operator without a final word: small, so that a restart and the sweep for
    # missing receipts need no walk over everything that was ever sent.
    op.create_index(
        "recipients_open",
        "recipients",
        ["state", "changed_at_ms"],
        sqlite_where=sa.text("state IN (20, 30)"),
        postgresql_where=sa.text("state IN (20, 30)"),
    )
    # One row a request and route that still has recipients to send; the route is a prefix of the configuration, or
    # "sandbox". Leases are for several processes on one database.
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("route", sa.Text, primary_key=True),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("leased_until_ms", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["route", "due_at_ms", "message_id"])
    # One row a submit_sm that was answered or lost: the history of a recipient, and what receipts are matched with.
    # smsc says which SMSC's numbering smsc_message_id belongs to.
    op.create_table(
        "submissions",
        sa.Column("message_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("smsc", sa.Text, nullable=False),
        sa.Column("smsc_message_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("command_status", sa.Integer, nullable=False),
        sa.Column("left_at_ms", sa.BigInteger, nullable=False),
        sa.Column("answered_at_ms", sa.BigInteger, nullable=False),
        sa.Column("receipt_state", sa.Text),
        sa.Column("receipt_error", sa.Text),
        sa.Column("receipt_at_ms", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "submissions_open",
        "submissions",
        ["smsc_message_id", "smsc"],
        sqlite_where=sa.text("receipt_at_ms IS NULL AND smsc_message_id <> ''"),
        postgresql_where=sa.text("receipt_at_ms IS NULL AND smsc_message_id <> ''"),
    )
    # Receipts that came before (or without) the submission they are for; kept 48 h. A row for each spelling of the
    # message id that the answer to come may use: as it stands, or guessed. number: the phone that it names, if any.
    op.create_table(
        "unmatched_receipts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("smsc_message_id", sa.Text, primary_key=True),
        sa.Column("smsc", sa.Text, nullable=False),
        sa.Column("is_guess", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("unmatched_receipts_id", "unmatched_receipts", ["smsc_message_id", "smsc"])
    op.create_index("unmatched_receipts_age", "unmatched_receipts", ["received_at_ms"])
    # The last request that reached a number: whom its reply is for.
    op.create_table(
        "last_contacts",
        sa.Column("number", Id, primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "replies",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("account_id", sa.BigInteger),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("is_stop", sa.Integer, nullable=False),
        sa.Column("received_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "optouts",
        sa.Column("account_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("optouts_id", "optouts", ["id"], unique=True)
    # Events for a customer's URL. state: pending, delivered, exhausted.
    op.create_table(
        "events",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at_ms", sa.BigInteger, nullable=False),
        sa.Column("last_result", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'exhausted')", name="event_state"),
    )
    op.create_index(
        "events_due",
        "events",
        ["next_attempt_at_ms", "id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "events_exhausted",
        "events",
        ["id"],
        sqlite_where=sa.text("state = 'exhausted'"),
        postgresql_where=sa.text("state = 'exhausted'"),
    )
    # The built-in network's own memory. sim_messages: a row for each short message to a phone (id is the SMSC's) and for
    # each reply typed on one; octets and reference are of the parts of a longer text, which are joined when shown.
    op.create_table(
        "sim_messages",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("phone", sa.BigInteger, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("system_id", sa.Text, nullable=False),
        sa.Column("peer", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("octets", sa.LargeBinary),
        sa.Column("data_coding", sa.Integer, nullable=False),
        sa.Column("reference", sa.Integer),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("sim_messages_phone", "sim_messages", ["phone", "id"])
    # Messages that wait for their delay, with the PDU that they came in.
    op.create_table(
        "sim_pending",
        sa.Column("message_id", Id, primary_key=True, autoincrement=False),
        sa.Column("answered_id", sa.BigInteger, nullable=False),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("pdu", sa.LargeBinary, nullable=False),
    )
    op.create_index("sim_pending_due", "sim_pending", ["due_at_ms"])
    # Receipts and replies that are owed until an ESME has acknowledged them.
    op.create_table(
        "sim_deliveries",
        sa.Column("id", Id, primary_key=True, autoincrement=False),
        sa.Column("system_id", sa.Text, nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("is_reply", sa.Integer, nullable=False),
        sa.Column("pdu", sa.LargeBinary, nullable=False),
    )
    op.create_index("sim_deliveries_owed", "sim_deliveries", ["system_id", "id"])
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("url_dlr", sa.Text, nullable=False, server_default=""))
        accounts.add_column(sa.Column("url_response", sa.Text, nullable=False, server_default=""))
        accounts.add_column(sa.Column("webhook_secret", sa.LargeBinary, nullable=False, server_default=""))
