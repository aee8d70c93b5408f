"""Changes an account's rights, state and address allow-list."""

from __future__ import annotations

from chappe.accounts.account import STATES, Account, AccountRefused, clean_networks
from chappe.accounts.find import account_by_email
from chappe.storage.database import Transaction
from chappe.storage.store import Store

VOICE_RETRIES_MAX = 3


async def change_account(
    store: Store,
    email: str,
    *,
    state: str | None = None,
    is_marketing: bool | None = None,
    may_have_subaccounts: bool | None = None,
    allowed_networks: str | None = None,
    voice_retries: int | None = None,
    voice_retry_delay_s: int | None = None,
) -> Account:
    """Changes what is given, leaves the rest; gives the account as it is then. Raises `AccountRefused`."""
    changes: list[tuple[str, object]] = []
    if state is not None:
        if state not in STATES:
            raise AccountRefused(f"the state {state!r} is none of {', '.join(STATES)}")
        changes.append(("state", state))
    if is_marketing is not None:
        changes.append(("is_marketing", int(is_marketing)))
    if may_have_subaccounts is not None:
        changes.append(("may_have_subaccounts", int(may_have_subaccounts)))
    if allowed_networks is not None:
        changes.append(("allowed_networks", clean_networks(allowed_networks)))
    if voice_retries is not None:
        if not 0 <= voice_retries <= VOICE_RETRIES_MAX:
            raise AccountRefused(f"a call is tried again 0 to {VOICE_RETRIES_MAX} times")
        changes.append(("voice_retries", voice_retries))
    if voice_retry_delay_s is not None:
        if not 10 <= voice_retry_delay_s <= 86_400:
            raise AccountRefused("a call is tried again after 10 to 86400 seconds")
        changes.append(("voice_retry_delay_s", voice_retry_delay_s))

    def unit(tx: Transaction) -> Account:
        account = account_by_email(tx, email)
        for column, value in changes:
            tx.run(f"UPDATE accounts SET {column} = ? WHERE id = ?", (value, account.id))
        return account_by_email(tx, email)

    return await store.database.write(unit)
