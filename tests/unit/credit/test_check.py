"""Invariant 1 on a stored database: each breach, made by hand, is named."""

from __future__ import annotations

import pytest

from chappe.accounts.create import create_account
from chappe.accounts.top_up import top_up
from chappe.credit.check import breaches_of_the_ledger
from chappe.storage.database import Transaction
from chappe.storage.store import Store
from tests.support.stores import drop_constraints

# Account 1 (ana) has an opening of 10 (entries 2 and 3) and a top-up of 5 (entries 6 and 7); account 2 (bob)
# an opening of 20 (entries 4 and 5).
BREACHES = {
    "a balance changed": (
        "UPDATE accounts SET balance_micro = 14999999 WHERE id = 1",
        ["account 1 (ana@example.fr) has balance 14.999999 but its ledger entries add up to 15"],
    ),
    "an entry lost with its twin": (
        "DELETE FROM ledger_entries WHERE id IN (6, 7)",
        ["account 1 (ana@example.fr) has balance 15 but its ledger entries add up to 10"],
    ),
    "every entry lost": (
        "DELETE FROM ledger_entries",
        ["account 1 (ana@example.fr) has balance 15 but", "account 2 (bob@example.fr) has balance 20 but"],
    ),
    "an entry without its twin": (
        "DELETE FROM ledger_entries WHERE id = 3",
        ["ledger entry 2 of account 1 (10) does not match its twin (none)"],
    ),
    "a twin without its entry": (
        "DELETE FROM ledger_entries WHERE id = 2",
        [
            "account 1 (ana@example.fr) has balance 15 but its ledger entries add up to 5",
            "ledger entry 3 of account -1 (-10) does not match its twin (none)",
        ],
    ),
    "a twin of another amount": (
        "UPDATE ledger_entries SET amount_micro = -9000000 WHERE id = 3",
        ["ledger entry 2 of account 1 (10) does not match its twin (-9)"],
    ),
    "a twin of another cause": (
        "UPDATE ledger_entries SET cause = 'sms' WHERE id = 3",
        ["ledger entry 2 of account 1 (10) does not match its twin (-10)"],
    ),
    "a twin of another thing": (
        "UPDATE ledger_entries SET cause_id = 'other' WHERE id = 3",
        ["ledger entry 2 of account 1 (10) does not match its twin (-10)"],
    ),
    "a balance below its floor": (
        "UPDATE accounts SET floor_micro = 15000001 WHERE id = 1",
        ["account 1 (ana@example.fr) has balance 15 below its floor 15.000001"],
    ),
    "an entry of an account that is none": (
        "UPDATE ledger_entries SET account_id = 99 WHERE id = 3",
        ["ledger entries name account 99, which does not exist"],
    ),
    "an entry of a house that is none": (
        "UPDATE ledger_entries SET account_id = -99 WHERE id = 3",
        ["ledger entries name house account -99, which does not exist"],
    ),
    "an entry given to another account": (
        "UPDATE ledger_entries SET account_id = 2 WHERE id = 6",
        ["account 1 (ana@example.fr) has balance 15 but", "account 2 (bob@example.fr) has balance 20 but"],
    ),
}


@pytest.fixture
async def filled(store: Store) -> Store:
    await create_account(store, "ana@example.fr", credit_micro=10_000_000)
    await create_account(store, "bob@example.fr", credit_micro=20_000_000)
    await top_up(store, "ana@example.fr", 5_000_000)
    return store


async def breaches(store: Store) -> list[str]:
    return await store.database.scan(lambda reader: list(breaches_of_the_ledger(reader)))


async def test_a_sound_ledger_has_no_breach(filled: Store) -> None:
    assert await breaches(filled) == []


@pytest.mark.parametrize("breach", BREACHES, ids=str)
async def test_the_check_names(filled: Store, breach: str) -> None:
    statement, expected = BREACHES[breach]

    def corrupt(tx: Transaction) -> None:
        tx.run(statement)

    await drop_constraints(filled)
    await filled.database.write(corrupt)
    found = await breaches(filled)
    for line in expected:
        assert any(each.startswith(f"invariant 1: {line}") for each in found), found
    assert all("\n" not in each for each in found)
