"""The facts of the lookup call."""

import phonenumbers

from chappe.numbers import names
from chappe.numbers.describe import Description, describe


def test_the_documented_sample() -> None:
    assert describe("33600000001") == Description(
        e164="+33600000001",
        country="France",
        iso2="FR",
        prefix_code=33,
        type="Mobile",
        international="+33 6 00 00 00 01",
        national="06 00 00 00 01",
        rfc3966="tel:+33-6-00-00-00-01",
    )


def test_names_and_types_are_french_or_english() -> None:
    morocco = describe(" 212522000000")
    assert morocco is not None
    assert (morocco.country, morocco.prefix_code, morocco.type) == ("Maroc", 212, "Fixe")
    english = describe(" 212522000000", english=True)
    assert english is not None
    assert (english.country, english.type) == ("Morocco", "Fixed line")


def test_french_shapes_have_their_type_even_where_the_library_knows_no_such_range() -> None:
    for raw, kind in (
        ("0700000001", "Mobile"),
        ("0100000001", "Fixe"),
        ("0970000000", "VoIP"),
        ("0892683208", "Numéro surtaxé"),
    ):
        description = describe(raw)
        assert description is not None
        assert description.type == kind


def test_what_is_no_number_has_no_description() -> None:
    assert [describe(raw) for raw in ("", " ", "x", "36180", "+999123456789", "\ud800")] == [None] * 6


def test_every_region_of_the_numbering_plans_has_a_name_in_both_languages() -> None:
    assert set(names.FRENCH) == set(names.ENGLISH) == set(phonenumbers.SUPPORTED_REGIONS)
    assert all(names.FRENCH.values())
    assert all(names.ENGLISH.values())
