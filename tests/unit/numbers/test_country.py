"""A number belongs to one country and to one calling code."""

import phonenumbers
import pytest

from chappe.numbers.country import Country, calling_code, country


def test_every_calling_code_of_the_plan_is_told_from_the_digits() -> None:
    codes = list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    assert [calling_code(f"+{code}612345678") for code in codes] == codes


@pytest.mark.parametrize(
    ("e164", "expected"),
    [
        ("+33612345678", (33, "FR")),
        ("+33100000001", (33, "FR")),
        ("+262692123456", (262, "RE")),
        ("+262639012345", (262, "YT")),
        ("+262693999999", (262, "RE")),
        ("+590690123456", (590, "GP")),
        ("+14165550123", (1, "CA")),
        ("+12125551234", (1, "US")),
        ("+77012345678", (7, "KZ")),
        ("+447911123456", (44, "GG")),
        ("+390669812345", (39, "VA")),
        ("+212666000000", (212, "MA")),
        ("+870773111632", (870, "")),
    ],
)
def test_territories_that_share_a_code_are_told_apart(e164: str, expected: Country) -> None:
    assert country(e164) == expected
