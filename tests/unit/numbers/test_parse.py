"""Whatever spelling a customer uses, the number is the same; whatever is no number is said to be none."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.numbers.parse import Recipients, Refusal, Refused, TooManyNumbers, read, read_list, split

NATIONAL = st.integers(600_000_000, 799_999_999).map(str)


def sms(value: object) -> Recipients:
    return read_list(value, mobile_only=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "written",
    [
        "0612345678",
        "+33612345678",
        "33612345678",
        "0033612345678",
        " 33612345678",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "06-12-34-56-78",
        "+33 6 12 34 56 78",
        "+33 (0)6 12 34 56 78",
        "+330612345678",
        "00 33 6 12 34 56 78",
        "06\u00a012\u202f34\u00a056\u00a078",
        "06\u201112\u201034\u201356\u201178",
        "\u202a+33612345678\u202c",
        "\t06 12345678\r\n",
        33612345678,
    ],
)
def test_one_french_mobile_has_many_spellings(written: object) -> None:
    expected = Recipients(["+33612345678"], [])
    assert sms(written) == expected
    assert sms([written]) == expected
    assert sms([written, "0700000001"]).e164 == ["+33612345678", "+33700000001"]
    assert sms([written, "not a number"]).e164 == ["+33612345678"]


@pytest.mark.parametrize(
    "value",
    [
        "+33600000001,0600000002,+212666000000",
        "+33600000001, 0600000002, 212666000000",
        "+33600000001,0600000002,00212666000000,",
        ["+33600000001", "0600000002", "+212 666-000000"],
        ["+33600000001,0600000002", " 212666000000"],
        [33600000001, "0600000002", None, "", 212666000000],
    ],
)
def test_a_list_is_a_comma_list_or_an_array(value: object) -> None:
    assert sms(value) == Recipients(["+33600000001", "+33600000002", "+212666000000"], [])


@given(
    st.lists(
        st.tuples(st.sampled_from(["0", "33", "+33", "0033", " 33", "+33 (0)"]), NATIONAL),
        min_size=1,
        max_size=30,
    )
)
def test_the_order_is_kept_and_the_first_of_equals_wins(numbers: list[tuple[str, str]]) -> None:
    raw = [prefix + number for prefix, number in numbers]
    result = sms(",".join(raw))
    assert result.e164 == list(dict.fromkeys("+33" + number for _, number in numbers))
    assert len(result.refused) == len(numbers) - len(result.e164)
    assert {refused.why for refused in result.refused} <= {Refusal.DUPLICATE}


@given(st.lists(st.text(st.sampled_from(string.digits + "+ .-()x,")) | st.text(), max_size=20), st.booleans())
def test_a_list_says_of_every_number_what_the_number_alone_says(items: list[str], mobile_only: bool) -> None:
    try:
        result = read_list(items, mobile_only=mobile_only)
    except TooManyNumbers:
        return
    tokens = [token for token in ",".join(items).split(",") if token.strip()]
    alone = [read(token, mobile_only=mobile_only) for token in tokens]
    assert result.e164 == list(dict.fromkeys(number for number in alone if isinstance(number, str)))
    assert len(result.e164) + len(result.refused) == len(tokens)
    assert all(e164[0] == "+" and e164[1:].isdecimal() and len(e164) <= 16 for e164 in result.e164)


def test_the_numbers_of_the_simulator_are_valid() -> None:
    for last in range(100):
        assert read(f"+336000000{last:02d}", mobile_only=True) == f"+336000000{last:02d}"
        assert read(f"+331000000{last:02d}", mobile_only=False) == f"+331000000{last:02d}"


@pytest.mark.parametrize(
    "landline",
    ["0123456789", "+33 1 00 00 00 00", "0987654321", "0800123456", "+262262161234", "+596596301234"],
)
def test_a_french_number_that_is_no_mobile_is_refused_on_sms_only(landline: str) -> None:
    assert read(landline, mobile_only=True) is Refusal.NOT_MOBILE
    assert isinstance(read(landline, mobile_only=False), str)


@pytest.mark.parametrize(
    "mobile",
    ["+262692123456", "+262693000000", "+262639123456", "+590690123456", "+590691000001", "+594694123456",
     "+596696123456", "+508551234", "+687751234", "+68987123456"],
)  # fmt: skip
def test_overseas_mobiles_are_mobiles(mobile: str) -> None:
    assert read(mobile, mobile_only=True) == mobile
    assert read("00" + mobile[1:], mobile_only=True) == mobile


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("+49 1512 3456789", "+4915123456789"),
        ("+44 (0)7911 123456", "+447911123456"),
        ("12125551234", "+12125551234"),
        ("+39 06 6982", "+39066982"),
        ("+39 312 345 6789", "+393123456789"),
        (" 261320000000", "+261320000000"),
        ("+3212345678", "+3212345678"),
    ],
)
def test_a_foreign_number_is_taken_when_it_is_valid_whatever_its_type(written: str, e164: str) -> None:
    assert read(written, mobile_only=True) == e164


@pytest.mark.parametrize(
    "written",
    ["", " ", "x", "+", "0", "00", "36180", "06123456", "061234567890", "+3361234567", "+336123456789", "0800FLOWERS",
     "٠٦١٢٣٤٥٦٧٨", "０６１２３４５６７８", "+999123456789", "+1555", "++33612345678", "33+612345678", "06;12345678",
     "\0" * 10, "\ud800", "1" * 15, "1" * 64, "1" * 1_000_000, " " * 100_000, "0612345678;0612345679"],
)  # fmt: skip
def test_what_is_no_number_is_invalid(written: str) -> None:
    assert read(written, mobile_only=True) is Refusal.INVALID
    assert read(written, mobile_only=False) is Refusal.INVALID
    assert sms(written).e164 == []


def test_refused_numbers_are_repeated_as_they_came_and_cut() -> None:
    assert sms("0600000001, 01 23 45 67 89 ,abc,+33 6 00 00 00 01," + "9" * 1000).refused == [
        Refused("01 23 45 67 89", Refusal.NOT_MOBILE),
        Refused("abc", Refusal.INVALID),
        Refused("+33 6 00 00 00 01", Refusal.DUPLICATE),
        Refused("9" * 64, Refusal.INVALID),
    ]


@pytest.mark.parametrize("item", [True, -33612345678, 10**20, 3.5, {}, ["0612345678"]])
def test_other_json_values_are_invalid_numbers(item: object) -> None:
    result = sms([item, "0600000001"])
    assert result.e164 == ["+33600000001"]
    assert [refused.why for refused in result.refused] == [Refusal.INVALID]


def test_an_integer_too_long_to_print_is_an_invalid_number() -> None:
    assert sms([10**5000]).refused == [Refused("integer", Refusal.INVALID)]
    assert sms(10**5000).refused == [Refused("integer", Refusal.INVALID)]


def test_500_numbers_are_taken_and_501_are_not() -> None:
    numbers = [f"06{i:08d}" for i in range(501)]
    assert len(sms(numbers[:500]).e164) == 500
    assert len(sms(",".join(numbers[:500]) + ",").e164) == 500
    for value in (
        numbers,
        ",".join(numbers),
        ["x"] * 501,
        numbers[:1] * 501,
        "," * 8_000_000,
        [""] * 1_000_000,
    ):
        with pytest.raises(TooManyNumbers):
            sms(value)
    assert sms(numbers[:1] * 500) == Recipients(
        ["+33600000000"], [Refused("0600000000", Refusal.DUPLICATE)] * 499
    )
    assert sms("," * 500) == Recipients([], [])


def test_blank_items_are_no_numbers() -> None:
    assert sms("") == sms([]) == sms(" , ,") == sms([None, "", " "]) == Recipients([], [])


def test_items_can_be_read_as_they_were_written() -> None:
    assert split("33600000001, 212666000000,") == ["33600000001", " 212666000000", ""]
    assert split([33600000001, " x"]) == ["33600000001", " x"]
    with pytest.raises(TooManyNumbers):
        split("1," * 500)
