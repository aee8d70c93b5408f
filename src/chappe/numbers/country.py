"""Which country a number belongs to: its calling code, and its territory where several share one code.

The calling code follows from the digits alone (ITU-T E.164: codes are prefix-free, one to three digits). The
territory of the shared codes (+1, +7, +44, +262, +590, ...) is asked of libphonenumber and remembered.
"""

from functools import lru_cache
from typing import Final, NamedTuple

FRENCH_CODES: Final = frozenset({33, 262, 508, 590, 594, 596, 681, 687, 689})
"""France and its overseas territories; the rule that an SMS goes to a mobile is theirs."""

_TWO_DIGITS: Final = frozenset(
    first + second
    for first, seconds in {
        "2": "07",
        "3": "0123469",
        "4": "013456789",
        "5": "12345678",
        "6": "0123456",
        "8": "1246",
        "9": "0123458",
    }.items()
    for second in seconds
)


class Country(NamedTuple):
    """`code`: the calling code, 33 for France. `iso2`: ISO 3166-1 alpha-2, "FR"; "" for codes that no
    country has (satellites, international services).
    """

    code: int
    iso2: str


FRANCE: Final = Country(33, "FR")


def calling_code(e164: str) -> int:
    """33 for "+33612345678". The argument is a valid E.164 number with its `+`."""
    return int(e164[1 : 1 + _code_length(e164[1:3])])


def country(e164: str) -> Country:
    """Calling code and territory of a valid E.164 number with its `+`."""
    return FRANCE if e164.startswith("+33") else _look_up(e164)


@lru_cache(maxsize=16_384)
def _look_up(e164: str) -> Country:
    from phonenumbers import PhoneNumber, region_code_for_country_code, region_code_for_number

    length = _code_length(e164[1:3])
    code, rest = int(e164[1 : 1 + length]), e164[1 + length :]
    number = PhoneNumber(country_code=code, national_number=int(rest), italian_leading_zero=rest[0] == "0")
    region = region_code_for_number(number)
    if region is None:
        # Valid when it was accepted, unknown to the tables of today: the main territory of its code.
        region = region_code_for_country_code(code)
    # "001" stands for codes without a country, "ZZ" for codes that nobody has.
    return Country(code, region if len(region) == 2 and region.isalpha() and region != "ZZ" else "")


def _code_length(first_two: str) -> int:
    if first_two[:1] in ("1", "7"):
        return 1
    return 2 if first_two in _TWO_DIGITS else 3
