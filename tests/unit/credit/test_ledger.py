"""The ledger: what it never lets happen to a balance."""

from __future__ import annotations

import asyncio

import pytest

from chappe.accounts.create import create_account
from chappe.accounts.top_up import top_up
from chappe.credit.check import breaches_of_the_ledger
from chappe.credit.ledger import (
    HOUSE_SALES,
    HOUSE_TOP_UPS,
    BalanceTooLarge,
    InsufficientCredit,
    Posting,
    post,
)
from chappe.credit.money import AMOUNT_MICRO_MAX, MICRO
from chappe.storage.database import Transaction
from chappe.storage.store import Store
from tests.support.stores import RefusedByDatabase


async def account(store: Store, credit_micro: int, email: str = "ana@example.fr") -> int:
    return (await create_account(store, email, credit_micro=credit_micro)).account_id


async def move(store: Store, account_id: int, amount_micro: int, twin_id: int = HOUSE_SALES) -> int:
    posting = Posting(
        await store.ids("postings").take(), account_id, amount_micro, twin_id, "sms", "412", 1_700_000_000_000
    )
    return await store.database.write(lambda tx: post(tx, posting))


async def balance(store: Store, account_id: int) -> int:
    row = await store.database.read(
        lambda reader: reader.one("SELECT balance_micro FROM accounts WHERE id = ?", (account_id,))
    )
    assert row is not None
    return row[0]


async def entries(store: Store) -> list[tuple[int, int, str, str]]:
    return await store.database.read(
        lambda reader: reader.all(
            "SELECT account_id, amount_micro, cause, cause_id FROM ledger_entries ORDER BY id"
        )
    )


async def assert_sound(store: Store) -> None:
    assert await store.database.scan(lambda reader: list(breaches_of_the_ledger(reader))) == []


async def test_an_entry_has_its_twin_and_both_name_their_cause(store: Store) -> None:
    ana = await account(store, 10 * MICRO)
    assert await move(store, ana, -3 * MICRO) == 7 * MICRO
    assert await entries(store) == [
        (ana, 10 * MICRO, "opening", "ana@example.fr"),
        (HOUSE_TOP_UPS, -10 * MICRO, "opening", "ana@example.fr"),
        (ana, -3 * MICRO, "sms", "412"),
        (HOUSE_SALES, 3 * MICRO, "sms", "412"),
    ]
    await assert_sound(store)


async def test_a_debit_that_is_not_covered_writes_nothing(store: Store) -> None:
    ana = await account(store, 2 * MICRO)
    before = await entries(store)
    with pytest.raises(InsufficientCredit):
        await move(store, ana, -2 * MICRO - 1)
    assert (await balance(store, ana), await entries(store)) == (2 * MICRO, before)
    assert await move(store, ana, -2 * MICRO) == 0
    await assert_sound(store)


async def test_a_thousand_debits_at_once_against_a_balance_for_ten_take_exactly_ten(store: Store) -> None:
    ana = await account(store, 10)
    answers = await asyncio.gather(*(move(store, ana, -1) for _ in range(1000)), return_exceptions=True)
    taken = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert sorted(taken) == list(range(10))
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {type(answer) for answer in refused} == {InsufficientCredit}
    assert await balance(store, ana) == 0
    assert len(await entries(store)) == 2 * (1 + 10)
    await assert_sound(store)


async def test_a_transfer_moves_what_there_is_or_nothing(store: Store) -> None:
    parent, child = await account(store, 5), await account(store, 0, "child@example.fr")
    answers = await asyncio.gather(*(move(store, child, 2, parent) for _ in range(5)), return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [2, 4]
    assert (await balance(store, parent), await balance(store, child)) == (1, 4)
    await assert_sound(store)


async def test_a_balance_never_goes_over_what_an_account_may_hold(store: Store) -> None:
    ana = await account(store, AMOUNT_MICRO_MAX)
    with pytest.raises(BalanceTooLarge):
        await move(store, ana, 1)
    assert await balance(store, ana) == AMOUNT_MICRO_MAX
    await assert_sound(store)


async def test_the_database_itself_refuses_a_balance_below_its_floor(store: Store) -> None:
    ana = await account(store, 5)

    def unit(tx: Transaction) -> None:
        tx.run("UPDATE accounts SET balance_micro = -1 WHERE id = ?", (ana,))

    with pytest.raises(RefusedByDatabase):
        await store.database.write(unit)


async def test_a_posting_cannot_be_written_twice(store: Store) -> None:
    ana = await account(store, 5)
    posting = Posting(await store.ids("postings").take(), ana, -1, HOUSE_SALES, "sms", "1", 0)
    await store.database.write(lambda tx: post(tx, posting))
    with pytest.raises(RefusedByDatabase):
        await store.database.write(lambda tx: post(tx, posting))
    assert await balance(store, ana) == 4
    await assert_sound(store)


async def test_a_failure_after_the_posting_takes_the_posting_back(store: Store) -> None:
    ana = await account(store, 5)
    posting = Posting(await store.ids("postings").take(), ana, -1, HOUSE_SALES, "sms", "1", 0)

    def unit(tx: Transaction) -> None:
        post(tx, posting)
        raise LookupError("the message was refused after all")

    with pytest.raises(LookupError):
        await store.database.write(unit)
    assert await balance(store, ana) == 5
    await assert_sound(store)


async def test_top_ups_and_withdrawals_name_their_reason(store: Store) -> None:
    ana = await account(store, 0)
    assert await top_up(store, "ANA@example.fr ", 5, "invoice 12") == 5
    assert await top_up(store, "ana@example.fr", -2, "a mistake") == 3
    assert [entry for entry in await entries(store) if entry[0] == ana] == [
        (ana, 5, "top-up", "invoice 12"),
        (ana, -2, "withdrawal", "a mistake"),
    ]
    await assert_sound(store)
