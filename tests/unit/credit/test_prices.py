"""Prices: defaults, what was set over them, and which one counts."""

from __future__ import annotations

import pytest

from chappe.credit.prices import (
    ARTICLES,
    EVERY_ACCOUNT,
    PriceBook,
    PriceRefused,
    default_prices,
    set_price,
    stored_prices,
)
from chappe.storage.store import Store


def test_the_default_prices_are_the_documented_ones() -> None:
    defaults = default_prices()
    assert {
        "sms": 38_000,
        "sms-lowcost": 23_000,
        "rcs": 120_000,
        "voicemail": 150_000,
        "tts-mobile": 900,
        "tts-landline": 1_400,
    }.items() <= {article: micro for (article, prefix), micro in defaults.items() if prefix == "33"}.items()
    assert (defaults["hlr", ""], defaults["mail", ""]) == (5_000, 2_000)
    assert {article for article, _ in defaults} == set(ARTICLES)


def test_the_longest_prefix_decides() -> None:
    book = PriceBook()
    book.load([(EVERY_ACCOUNT, "sms", "336", 1), (EVERY_ACCOUNT, "sms", "336000", 2)])
    assert book.unit_micro(7, "sms", "33600000001") == 2
    assert book.unit_micro(7, "sms", "33611111111") == 1
    assert book.unit_micro(7, "sms", "33700000001") == 38_000
    assert book.unit_micro(7, "sms", "999") is None
    assert book.unit_micro(7, "nothing", "33") is None


def test_an_account_s_own_price_goes_before_everyone_s() -> None:
    book = PriceBook()
    book.load([(7, "sms", "", 5), (EVERY_ACCOUNT, "sms", "336", 9)])
    assert book.unit_micro(7, "sms", "33600000001") == 5
    assert book.unit_micro(8, "sms", "33600000001") == 9


def test_a_balance_buys_whole_units_only() -> None:
    book = PriceBook()
    assert book.how_many(44_100_000, 7, "sms") == 1160
    assert book.how_many(37_999, 7, "sms") == 0
    assert book.how_many(-1, 7, "sms") == 0
    book.load([(7, "sms", "33", 0)])
    assert book.how_many(1_000_000, 7, "sms") == 0  # free: there is no number of units that it buys


async def test_a_price_that_is_set_is_stored_once(store: Store) -> None:
    await set_price(store, EVERY_ACCOUNT, "sms", "+33", 40_000)
    await set_price(store, EVERY_ACCOUNT, "sms", "33", 41_000)
    assert await store.database.read(stored_prices) == [(EVERY_ACCOUNT, "sms", "33", 41_000)]


@pytest.mark.parametrize(
    ("article", "prefix", "micro"),
    [("fax", "", 1), ("sms", "33x", 1), ("sms", "٣٣", 1), ("sms", "1" * 16, 1), ("sms", "", -1)],
)
async def test_a_price_that_makes_no_sense_is_refused(
    store: Store, article: str, prefix: str, micro: int
) -> None:
    with pytest.raises(PriceRefused):
        await set_price(store, EVERY_ACCOUNT, article, prefix, micro)
