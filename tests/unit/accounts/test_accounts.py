"""Accounts and keys in a store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chappe.accounts.account import Account, AccountRefused
from chappe.accounts.change import change_account
from chappe.accounts.check import breaches_of_ownership
from chappe.accounts.create import create_account
from chappe.accounts.find import account_by_email, account_by_key_hash, all_accounts
from chappe.accounts.keys import current_key, key_hash, rotate_key
from chappe.accounts.top_up import top_up
from chappe.credit.ledger import InsufficientCredit
from chappe.storage.database import Transaction
from chappe.storage.store import Store
from tests.support.stores import Place, drop_constraints

ANA = "ana@example.fr"


async def by_key(store: Store, key: str) -> Account | None:
    return await store.database.read(lambda reader: account_by_key_hash(reader, key_hash(store.vault, key)))


async def breaches(store: Store) -> list[str]:
    return await store.database.scan(lambda reader: list(breaches_of_ownership(reader)))


async def test_a_new_account_is_active_transactional_and_without_subaccounts(store: Store) -> None:
    created = await create_account(store, ANA, firstname=" Ana ", lastname="Bel", credit_micro=5)
    account = await by_key(store, created.api_key)
    assert account is not None
    assert (account.email, account.firstname, account.lastname) == (ANA, "Ana", "Bel")
    assert (account.state, account.is_marketing, account.may_have_subaccounts) == ("active", 0, 0)
    assert (account.balance_micro, account.floor_micro, account.allowed_networks) == (5, 0, "")
    assert await breaches(store) == []


async def test_one_address_has_one_account_even_when_two_ask_at_once(store: Store) -> None:
    answers = await asyncio.gather(
        create_account(store, ANA), create_account(store, "ANA@example.fr "), return_exceptions=True
    )
    assert sorted(isinstance(answer, AccountRefused) for answer in answers) == [False, True]
    assert len(await store.database.scan(all_accounts)) == 1


async def test_what_is_refused_leaves_nothing(store: Store) -> None:
    for wrong in (
        {"email": "no"},
        {"email": ANA, "credit_micro": -1},
        {"email": ANA, "firstname": "x" * 101},
    ):
        with pytest.raises(AccountRefused):
            await create_account(store, **wrong)  # type: ignore[arg-type]
    assert await store.database.scan(all_accounts) == []


async def test_keys_are_random_and_a_rotated_one_stops_at_once(store: Store) -> None:
    created = await create_account(store, ANA)
    keys = [created.api_key]
    for _ in range(3):
        keys.append(await rotate_key(store, created.account_id))
        assert [await by_key(store, key) is not None for key in keys] == [False] * (len(keys) - 1) + [True]
        assert (
            await store.database.read(lambda reader: current_key(reader, store.vault, created.account_id))
            == keys[-1]
        )
    assert len(set(keys)) == 4
    assert all(len(key) == 40 for key in keys)


async def test_no_key_stands_in_the_files_of_the_database(tmp_path: Path) -> None:
    store = await Place(tmp_path, None).open()
    created = await create_account(store, ANA)
    rotated = await rotate_key(store, created.account_id)
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    await store.close()
    assert ANA.encode() in files  # they were read where the rows are
    for key in (created.api_key, rotated):
        assert key.encode() not in files
        assert bytes.fromhex(key) not in files


async def test_a_key_sealed_for_another_row_is_not_shown(store: Store) -> None:
    ana, bob = await create_account(store, ANA), await create_account(store, "bob@example.fr")

    def swap(tx: Transaction) -> None:
        tx.run(
            "UPDATE api_keys SET cipher = (SELECT cipher FROM api_keys WHERE account_id = ?) WHERE account_id = ?",
            (bob.account_id, ana.account_id),
        )

    await store.database.write(swap)
    with pytest.raises(Exception) as refused:
        await store.database.read(lambda reader: current_key(reader, store.vault, ana.account_id))
    assert bob.api_key not in repr(refused.value)


async def test_changes_touch_what_is_given_and_leave_the_rest(store: Store) -> None:
    await create_account(store, ANA)
    await change_account(store, ANA, state="blocked", allowed_networks="192.0.2.1")
    account = await change_account(store, ANA, is_marketing=True)
    assert (account.state, account.is_marketing, account.allowed_networks) == ("blocked", 1, "192.0.2.1/32")
    account = await change_account(store, ANA, state="active", allowed_networks="", may_have_subaccounts=True)
    assert (account.state, account.is_marketing, account.allowed_networks) == ("active", 1, "")
    for wrong in ({"state": "asleep"}, {"allowed_networks": "everywhere"}):
        with pytest.raises(AccountRefused):
            await change_account(store, ANA, is_marketing=False, **wrong)  # type: ignore[arg-type]
    assert await store.database.read(lambda reader: account_by_email(reader, ANA)) == account
    with pytest.raises(AccountRefused, match="there is no account"):
        await change_account(store, "bob@example.fr", state="active")


async def test_credit_is_moved_only_where_there_is_an_account_and_enough(store: Store) -> None:
    await create_account(store, ANA, credit_micro=5)
    with pytest.raises(InsufficientCredit):
        await top_up(store, ANA, -6)
    for email, amount in (("bob@example.fr", 1), (ANA, 0)):
        with pytest.raises(AccountRefused):
            await top_up(store, email, amount)
    assert await top_up(store, ANA, -5) == 0


BREACHES = {
    "a key of nobody": ("UPDATE api_keys SET account_id = 99", "an API key belongs to account 99"),
    "a price of nobody": (
        "INSERT INTO prices (account_id, article, prefix, unit_micro) VALUES (99, 'sms', '33', 1)",
        "a price belongs to account 99",
    ),
    "an answer of nobody": (
        "INSERT INTO remembered_answers (account_id, path, idempotency_key, body_hash, status, content_type,"
        " answer, created_at_ms) VALUES (99, '/', 'k', '00', 200, 'application/json', '00', 0)",
        "a remembered answer belongs to account 99",
    ),
    "a parent that is none": (
        "UPDATE accounts SET parent_id = 99 WHERE id = 1",
        "account 1 (ana@example.fr) has parent 99",
    ),
    "a parent of itself": (
        "UPDATE accounts SET parent_id = 1 WHERE id = 1",
        "account 1 (ana@example.fr) has parent 1",
    ),
    "a parent that has a parent": (
        "UPDATE accounts SET parent_id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 3 END WHERE id IN (1, 2)",
        "account 1 (ana@example.fr) has parent 2",
    ),
}


@pytest.mark.parametrize("breach", BREACHES, ids=str)
async def test_the_check_names(store: Store, breach: str) -> None:
    for email in (ANA, "bob@example.fr", "eve@example.fr"):
        await create_account(store, email)
    assert await breaches(store) == []
    statement, expected = BREACHES[breach]
    await drop_constraints(store)
    await store.database.write(lambda tx: tx.run(statement))
    found = await breaches(store)
    assert any(line.startswith(f"invariant 6: {expected}") for line in found), found
