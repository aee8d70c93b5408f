"""A receipt finds its message, and never its neighbour's, whatever the message id looks like."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chappe.messages.port import Receipt
from chappe.messages.receipts import find_submission, keep_unmatched, take_waiting
from chappe.storage.schema import bring_up_to_date
from chappe.storage.sqlite_connection import SqliteTransaction, open_writer

SMSC = "smsc"
PHONE, OTHER_PHONE = 33600000001, 33600000002


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[SqliteTransaction]:
    bring_up_to_date(tmp_path / "chappe.db")
    with closing(open_writer(tmp_path / "chappe.db")) as connection:
        yield SqliteTransaction(connection)


def submitted(tx: SqliteTransaction, message_id: int, smsc_message_id: str, number: int) -> None:
    tx.run(
        "INSERT INTO submissions (message_id, number, attempt, part, operator, smsc, smsc_message_id, outcome,"
        " command_status, left_at_ms, answered_at_ms) VALUES (?, ?, 1, 0, 'op', ?, ?, 'accepted', 0, ?, ?)",
        (message_id, number, SMSC, smsc_message_id, message_id, message_id),
    )


def found(tx: SqliteTransaction, receipt: Receipt) -> int | None:
    submission = find_submission(tx, SMSC, receipt)
    return None if submission is None else submission.message_id


def test_an_id_in_another_base_is_found_for_the_phone_that_the_receipt_names(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "57", PHONE)
    assert found(tx, Receipt(("87", "57", "135"), "delivered", "", PHONE)) == 1


def test_an_id_in_another_base_is_not_found_for_another_phone(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "57", OTHER_PHONE)
    submitted(tx, 2, "135", OTHER_PHONE)
    assert found(tx, Receipt(("87", "57", "135"), "delivered", "", PHONE)) is None


def test_the_phone_decides_between_two_spellings(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "87", OTHER_PHONE)
    submitted(tx, 2, "135", PHONE)
    assert found(tx, Receipt(("87", "57", "135"), "delivered", "", PHONE)) == 2


def test_the_phone_decides_between_two_messages_with_one_id(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "7", PHONE)
    submitted(tx, 2, "7", OTHER_PHONE)
    assert found(tx, Receipt(("7",), "delivered", "", PHONE)) == 1


def test_an_id_as_it_stands_is_found_whatever_phone_the_operator_prints(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "87", PHONE)
    assert found(tx, Receipt(("87", "57"), "delivered", "", 99_999_999)) == 1


def test_a_phone_without_its_country_code_is_the_same(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "57", PHONE)
    assert found(tx, Receipt(("87", "57"), "delivered", "", 600000001)) == 1


def test_a_receipt_that_names_no_phone_is_found_by_any_spelling(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "135", PHONE)
    assert found(tx, Receipt(("87", "57", "135"), "delivered", "")) == 1


def test_a_second_receipt_is_not_given_to_a_neighbour(tx: SqliteTransaction) -> None:
    submitted(tx, 1, "57", PHONE)
    submitted(tx, 2, "87", OTHER_PHONE)
    tx.run("UPDATE submissions SET receipt_at_ms = 1 WHERE message_id = 1")
    assert found(tx, Receipt(("57", "39", "87"), "delivered", "", PHONE)) is None


def test_a_waiting_receipt_is_taken_once_by_its_own_phone_only(tx: SqliteTransaction) -> None:
    keep_unmatched(tx, SMSC, Receipt(("87", "57", "135"), "expired", "9", PHONE), 1, 100)
    assert take_waiting(tx, SMSC, "135", OTHER_PHONE, 0) is None
    assert take_waiting(tx, "another", "135", PHONE, 0) is None
    assert take_waiting(tx, SMSC, "135", PHONE, 101) is None
    assert take_waiting(tx, SMSC, "135", PHONE, 0) == (1, "expired", "9")
    assert tx.one("SELECT COUNT(*) FROM unmatched_receipts") == (0,)


def test_a_waiting_receipt_with_the_id_as_it_stands_is_taken_whatever_phone_it_names(
    tx: SqliteTransaction,
) -> None:
    keep_unmatched(tx, SMSC, Receipt(("87", "57"), "delivered", "", 99_999_999), 1, 100)
    keep_unmatched(tx, SMSC, Receipt(("135", "87"), "expired", "", PHONE), 2, 100)
    assert take_waiting(tx, SMSC, "87", PHONE, 0) == (2, "expired", "")
    assert take_waiting(tx, SMSC, "87", PHONE, 0) == (1, "delivered", "")


def test_what_cannot_be_known_is_a_row_for_each_spelling(tx: SqliteTransaction) -> None:
    keep_unmatched(tx, SMSC, Receipt(("87", "57", "87"), "delivered", "000"), 1, 100)
    with pytest.raises(sqlite3.IntegrityError):
        keep_unmatched(tx, SMSC, Receipt(("87",), "delivered", "000"), 1, 100)
    assert tx.all("SELECT smsc_message_id, is_guess, number FROM unmatched_receipts ORDER BY 1") == [
        ("57", 1, None),
        ("87", 0, None),
    ]
