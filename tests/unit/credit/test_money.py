"""Money as text and as micro-euros."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.credit.money import (
    AMOUNT_MICRO_MAX,
    MICRO,
    NotAnAmount,
    balance_text,
    exact_text,
    half_up_text,
    micro_from_text,
)

amounts = st.integers(-AMOUNT_MICRO_MAX, AMOUNT_MICRO_MAX)


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("100", 100_000_000),
        ("12.5", 12_500_000),
        ("12,5", 12_500_000),
        (" 0.000001 ", 1),
        ("-0.5", -500_000),
        ("+3", 3_000_000),
        ("0", 0),
        ("-0", 0),
        ("007", 7_000_000),
        ("1.", 1_000_000),
        ("1.230000000000", 1_230_000),
        ("1000000000", AMOUNT_MICRO_MAX),
    ],
)
def test_amounts_are_read_exactly(text: str, micro: int) -> None:
    assert micro_from_text(text) == micro


NOT_AMOUNTS = (
    *("", " ", "-", ".", ".5", "abc", "1e3", "1_000", "1 000", "1.2.3", "1,2,3", "NaN", "Infinity", "-inf"),
    *("0x10", "١٢", "1٫5", "0.0000001", "1000000000.000001", "9" * 18, "9" * 5000, "0." + "1" * 5000),
    *("999999999.0000000000000000000000001", "1\n2", "1\0", "\ud800", "0E+999999999"),
)


@pytest.mark.parametrize("text", NOT_AMOUNTS, ids=lambda text: ascii(text[:20]))
def test_what_cannot_be_kept_exactly_is_refused_in_one_short_line(text: str) -> None:
    with pytest.raises(NotAnAmount) as refused:
        micro_from_text(text)
    assert len(str(refused.value)) < 250
    assert str(refused.value).isprintable()


@given(st.text())
def test_any_other_text_is_an_amount_or_refused(text: str) -> None:
    try:
        assert abs(micro_from_text(text)) <= AMOUNT_MICRO_MAX
    except NotAnAmount:
        pass


@given(amounts)
def test_exact_text_is_read_back_and_has_no_zeros_at_its_end(micro: int) -> None:
    text = exact_text(micro)
    assert micro_from_text(text) == micro
    assert "." not in text or not text.endswith(("0", "."))


@given(amounts)
def test_a_balance_is_truncated_to_three_decimals_and_never_minus_zero(micro: int) -> None:
    text = balance_text(micro)
    assert Decimal(text) == (Decimal(micro) / MICRO).quantize(Decimal("0.001"), ROUND_DOWN)
    assert text != "-0.000"


@given(amounts)
def test_sums_are_rounded_half_up_to_three_decimals(micro: int) -> None:
    text = half_up_text(micro)
    assert Decimal(text) == (Decimal(micro) / MICRO).quantize(Decimal("0.001"), ROUND_HALF_UP)
    assert text != "-0.000"


@pytest.mark.parametrize(
    ("micro", "exact", "balance"),
    [
        (44_100_000, "44.1", "44.100"),
        (19_000_000, "19", "19.000"),
        (12_500_000, "12.5", "12.500"),
        (999, "0.000999", "0.000"),
        (-999, "-0.000999", "0.000"),
        (-1_000, "-0.001", "-0.001"),
        (0, "0", "0.000"),
    ],
)
def test_money_is_printed_as_documented(micro: int, exact: str, balance: str) -> None:
    assert (exact_text(micro), balance_text(micro)) == (exact, balance)
