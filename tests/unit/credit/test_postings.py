"""Any run of postings, compared with a model of three lines: balances, refusals, and what the check says."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chappe.accounts.create import create_account
from chappe.credit.check import breaches_of_the_ledger
from chappe.credit.ledger import HOUSE_SALES, BalanceTooLarge, InsufficientCredit, Posting, post
from chappe.credit.money import AMOUNT_MICRO_MAX
from chappe.storage.folder import Folder
from chappe.storage.store import open_store

T = TypeVar("T")
SMALL = st.integers(-50, 50)
ANY = st.integers(-AMOUNT_MICRO_MAX, AMOUNT_MICRO_MAX)


class Postings(RuleBasedStateMachine):
    """Accounts of a real store, and what their balances ought to be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.store = self.run(open_store(Folder(Path(self.folder.name))))
        self.balances: dict[int, int] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    async def post(self, account_id: int, amount_micro: int, twin_id: int) -> type[Exception] | None:
        number = await self.store.ids("postings").take()
        posting = Posting(number, account_id, amount_micro, twin_id, "sms", "1", 0)
        try:
            await self.store.database.write(lambda tx: post(tx, posting))
        except (InsufficientCredit, BalanceTooLarge) as refused:
            return type(refused)
        return None

    @precondition(lambda self: len(self.balances) < 4)
    @rule(credit_micro=st.integers(0, 50))
    def open_an_account(self, credit_micro: int) -> None:
        email = f"account{len(self.balances)}@example.fr"
        created = self.run(create_account(self.store, email, credit_micro=credit_micro))
        self.balances[created.account_id] = credit_micro

    @precondition(lambda self: self.balances)
    @rule(data=st.data(), amount_micro=SMALL | ANY)
    def move_to_or_from_a_house(self, data: st.DataObject, amount_micro: int) -> None:
        account_id = data.draw(st.sampled_from(sorted(self.balances)))
        refused = self.run(self.post(account_id, amount_micro, HOUSE_SALES))
        after = self.balances[account_id] + amount_micro
        if after < 0:
            assert refused is InsufficientCredit
        elif after > AMOUNT_MICRO_MAX:
            assert refused is BalanceTooLarge
        else:
            assert refused is None
            self.balances[account_id] = after

    @precondition(lambda self: len(self.balances) > 1)
    @rule(data=st.data(), amount_micro=SMALL)
    def transfer(self, data: st.DataObject, amount_micro: int) -> None:
        one, other = data.draw(st.permutations(sorted(self.balances)))[:2]
        refused = self.run(self.post(one, amount_micro, other))
        possible = min(self.balances[one] + amount_micro, self.balances[other] - amount_micro) >= 0
        if max(self.balances[one] + amount_micro, self.balances[other] - amount_micro) > AMOUNT_MICRO_MAX:
            possible = False
        assert (refused is None) == possible
        if possible:
            self.balances[one] += amount_micro
            self.balances[other] -= amount_micro

    @precondition(lambda self: self.balances)
    @rule(data=st.data(), amounts=st.lists(SMALL, min_size=2, max_size=8))
    def move_several_at_once(self, data: st.DataObject, amounts: list[int]) -> None:
        account_id = data.draw(st.sampled_from(sorted(self.balances)))

        async def together() -> list[type[Exception] | None]:
            return list(await asyncio.gather(*(self.post(account_id, each, HOUSE_SALES) for each in amounts)))

        for amount_micro, refused in zip(amounts, self.run(together()), strict=True):
            if refused is None:
                self.balances[account_id] += amount_micro
        assert self.balances[account_id] >= 0

    @rule()
    def restart(self) -> None:
        self.run(self.store.close())
        self.store = self.run(open_store(Folder(Path(self.folder.name))))

    @invariant()
    def balances_are_those_of_the_model_and_the_check_is_silent(self) -> None:
        rows = self.run(
            self.store.database.scan(lambda reader: reader.all("SELECT id, balance_micro FROM accounts"))
        )
        assert dict(rows) == self.balances
        assert self.run(self.store.database.scan(lambda reader: list(breaches_of_the_ledger(reader)))) == []


TestPostings = Postings.TestCase
TestPostings.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
