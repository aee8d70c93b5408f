"""Prices: data with defaults, changed for everyone or for one account; the longest prefix decides."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from chappe.credit.money import AMOUNT_MICRO_MAX, micro_from_text
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store

# What can be bought, and the unit its price is for.
ARTICLES = {
    "sms": "segment",
    "sms-lowcost": "segment",
    "hlr": "number",
    "rcs": "message",
    "voicemail": "deposit",
    "tts-mobile": "started second",
    "tts-landline": "started second",
    "mail": "mail",
}
PRICES_CHANGED = "prices"
"""What other processes are told by."""
EVERY_ACCOUNT = 0
PREFIX_CHARS_MAX = 15
FRANCE = "33"
KNOWN_MAX = 4096


class PriceRefused(Exception):
    """A price that cannot be set; the text is for the person who asked."""


@cache
def default_prices() -> dict[tuple[str, str], int]:
    """(article, prefix) -> micro-euros a unit, as shipped."""
    text = resources.files("chappe.credit").joinpath("default_prices.toml").read_text("utf-8")
    tables: dict[str, dict[str, str]] = tomllib.loads(text)
    return {
        (article, prefix): micro_from_text(price)
        for article, prices in tables.items()
        for prefix, price in prices.items()
    }


class PriceBook:
    """All prices in memory: a price is asked for every recipient of every request.

    `load` puts what is stored over the defaults; call it again after a change.
    """

    def __init__(self) -> None:
        self._prices: dict[tuple[int, str], dict[str, int]] = {}
        self._known: dict[tuple[int, str], dict[str, int | None]] = {}
        """What `units_micro` found, by whose prices they are: the beginning of a number -> its price."""
        self._in_france: dict[int, dict[str, int | None]] = {}
        """By account that has a price of its own, and by `EVERY_ACCOUNT`: the credits pages ask three at each call."""
        self.load([])

    def load(self, stored: list[tuple[int, str, str, int]]) -> None:
        """Takes rows of (account id or 0, article, prefix, micro-euros)."""
        prices: dict[tuple[int, str], dict[str, int]] = {}
        for (article, prefix), unit_micro in default_prices().items():
            prices.setdefault((EVERY_ACCOUNT, article), {})[prefix] = unit_micro
        for account_id, article, prefix, unit_micro in stored:
            prices.setdefault((account_id, article), {})[prefix] = unit_micro
        self._prices = prices
        self._known.clear()
        self._longest = {key: max(map(len, by_prefix)) for key, by_prefix in prices.items()}
        self._in_france = {
            owner: {article: self.unit_micro(owner, article, FRANCE) for article in ARTICLES}
            for owner in {EVERY_ACCOUNT, *(account_id for account_id, _ in prices)}
        }

    def unit_micro(self, account_id: int, article: str, digits: str) -> int | None:
        """Micro-euros a unit to the number `digits` (E.164 without +), or None when there is no price.

        An account's own price goes before everyone's; within each, the longest prefix.
        """
        for owner in (account_id, EVERY_ACCOUNT):
            by_prefix = self._prices.get((owner, article))
            if by_prefix is None:
                continue
            for length in range(min(len(digits), PREFIX_CHARS_MAX), -1, -1):
                unit_micro = by_prefix.get(digits[:length])
                if unit_micro is not None:
                    return unit_micro
        return None

    def units_micro(self, account_id: int, article: str, numbers: Sequence[str]) -> list[int | None]:
        """`unit_micro` of many numbers: those that begin alike, as far as any price looks, are asked once."""
        longest = self._longest
        own = longest.get((account_id, article))
        length = max(own or 0, longest.get((EVERY_ACCOUNT, article), 0))
        known = self._known.setdefault((EVERY_ACCOUNT if own is None else account_id, article), {})
        if len(known) > KNOWN_MAX:
            known.clear()
        units: list[int | None] = []
        for digits in numbers:
            beginning = digits[:length]
            if beginning not in known:
                known[beginning] = self.unit_micro(account_id, article, beginning)
            units.append(known[beginning])
        return units

    def how_many(self, balance_micro: int, account_id: int, article: str) -> int:
        """How many units of `article`, in France, a balance buys; 0 where it buys none or has no price."""
        prices = self._in_france.get(account_id)
        unit_micro = (self._in_france[EVERY_ACCOUNT] if prices is None else prices)[article]
        return balance_micro // unit_micro if unit_micro and balance_micro > 0 else 0


def stored_prices(reader: Reader) -> list[tuple[int, str, str, int]]:
    """Every price that was set: (account id or 0, article, prefix, micro-euros)."""
    rows = reader.all(
        "SELECT account_id, article, prefix, unit_micro FROM prices ORDER BY article, prefix, account_id"
    )
    return [(account_id, article, prefix, unit_micro) for account_id, article, prefix, unit_micro in rows]


async def set_price(store: Store, account_id: int, article: str, prefix: str, unit_micro: int) -> None:
    """Sets a price for one account, or for `EVERY_ACCOUNT`; raises `PriceRefused`."""
    if article not in ARTICLES:
        raise PriceRefused(f"the article {article!r} is none of {', '.join(ARTICLES)}")
    prefix = prefix.removeprefix("+")
    if not (prefix == "" or (prefix.isascii() and prefix.isdigit() and len(prefix) <= PREFIX_CHARS_MAX)):
        raise PriceRefused("a prefix is E.164 digits, or empty for every number")
    if not 0 <= unit_micro <= AMOUNT_MICRO_MAX:
        raise PriceRefused("a price cannot be negative")

    def unit(tx: Transaction) -> None:
        tx.run(
            "INSERT INTO prices (account_id, article, prefix, unit_micro) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account_id, article, prefix) DO UPDATE SET unit_micro = excluded.unit_micro",
            (account_id, article, prefix, unit_micro),
        )
        tx.notify(PRICES_CHANGED)

    await store.database.write(unit)
