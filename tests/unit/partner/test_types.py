"""Parameters have the types that real clients give them."""

import pytest

from chappe.partner.errors import ParameterInvalid
from tests.unit.partner.reading import reading


@pytest.mark.parametrize(
    ("json", "text"),
    [
        ('"Bonjour"', "Bonjour"),
        ('" Bonjour\\n"', " Bonjour\n"),
        ('""', None),
        ('"  \\t\\n"', None),
        ('"\\u00a0"', None),
        ("null", None),
        ("33600000001", "33600000001"),
        ("33600000001.0", "33600000001"),
        ("3.36e10", "33600000000"),
        ("-0.5", "-0.5"),
        ("1e300", "1e+300"),
        ("9" * 400, "9" * 400),
        ("true", "true"),
        ("false", "false"),
        ("0", "0"),
        ("[]", None),
        ('["a"]', None),
        ('{"a": 1}', None),
    ],
)
def test_text_takes_numbers_and_booleans_and_blank_texts_are_absent(json: str, text: str | None) -> None:
    assert reading(b'{"x": ' + json.encode() + b"}").text("x") == text


@pytest.mark.parametrize(
    ("json", "value"),
    [
        ("412", 412),
        ('"412"', 412),
        ('" 412 "', 412),
        ('"00412"', 412),
        ('"+412"', 412),
        ("-5", -5),
        ('"-5"', -5),
        ("412.0", 412),
        ('"412.0"', 412),
        ("4.12e2", 412),
        ("true", 1),
        ("0", 0),
        ('"00"', 0),
        ('"000000000000000000000000000000000000007"', 7),
        ("9223372036854775807", 2**63 - 1),
        ('""', None),
        ('" "', None),
        ("null", None),
    ],
)
def test_integers_may_be_strings(json: str, value: int | None) -> None:
    found = reading(b'{"x": ' + json.encode() + b"}").integer("x")
    assert found == value
    assert not isinstance(found, bool)


@pytest.mark.parametrize(
    "json",
    [
        '"abc"',
        "4.5",
        '"4.5"',
        "1e300",
        "9" * 400,
        '"' + "9" * 400 + '"',
        "9223372036854775808",
        '"9223372036854775808"',
        "[]",
        "{}",
        '"0x10"',
        '"1e3"',
        '"٤"',
        '"²"',
        '"--1"',
        '"1 2"',
        '"1_0"',
    ],
)
def test_what_is_no_integer_of_64_bits_is_invalid(json: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        reading(b'{"x": ' + json.encode() + b"}").integer("x")
    assert refused.value.name == "x"
    assert (refused.value.code, refused.value.http_status) == (400, 400)


@pytest.mark.parametrize(
    ("json", "micro"),
    [
        ('"100"', 100_000_000),
        ("100", 100_000_000),
        ("12.5", 12_500_000),
        ('"12.50"', 12_500_000),
        ('"12,5"', 12_500_000),
        ('" 12.5 "', 12_500_000),
        ('"+12.5"', 12_500_000),
        ("0.1", 100_000),
        ("0.30000000000000004", 300_000),
        ("0.0000005", 1),
        ("0.0000004", 0),
        ('".5"', 500_000),
        ('"5."', 5_000_000),
        ("0", 0),
        ("1e3", 1_000_000_000),
        ("1000000000", 10**15),
        ('""', None),
        ("null", None),
    ],
)
def test_money_is_read_exactly_from_numbers_and_strings(json: str, micro: int | None) -> None:
    assert reading(b'{"x": ' + json.encode() + b"}").decimal_micro("x") == micro


@pytest.mark.parametrize(
    "json",
    [
        "-1",
        "-0.000001",
        '"-1"',
        "1000000000.01",
        "1e300",
        "9" * 400,
        '"' + "9" * 400 + '"',
        '"NaN"',
        '"inf"',
        '"1e3"',
        '"1_000"',
        '"1 000"',
        '"1.000,50"',
        '"٤"',
        '"."',
        '","',
        '"abc"',
        "true",
        "[]",
        "{}",
    ],
)
def test_what_is_no_amount_of_money_is_invalid(json: str) -> None:
    with pytest.raises(ParameterInvalid):
        reading(b'{"x": ' + json.encode() + b"}").decimal_micro("x")


@pytest.mark.parametrize(
    ("json", "value"),
    [
        *((json, True) for json in ("1", '"1"', "true", '"true"', '"True"', '" 1 "', "1.0")),
        *((json, False) for json in ("0", '"0"', "false", '"false"', '"FALSE"', "0.0", '""', "null")),
    ],
)
def test_booleans_are_0_1_true_false_and_their_strings(json: str, value: bool) -> None:
    assert reading(b'{"x": ' + json.encode() + b"}").flag("x") is value


def test_an_absent_or_blank_boolean_is_the_default() -> None:
    assert reading(b"{}").flag("x", default=True) is True
    assert reading(b'{"x": " "}').flag("x", default=True) is True


@pytest.mark.parametrize("json", ["2", "-1", '"2"', '"oui"', "0.5", "[]", "{}", "[true]", "9" * 400])
def test_what_is_no_boolean_is_invalid(json: str) -> None:
    with pytest.raises(ParameterInvalid):
        reading(b'{"x": ' + json.encode() + b"}").flag("x")


@pytest.mark.parametrize(
    ("json", "joined"),
    [
        ('"+33600000001, +33600000002"', "+33600000001, +33600000002"),
        ('["+33600000001", "0600000002"]', "+33600000001,0600000002"),
        ("[33600000001, 33600000002.0]", "33600000001,33600000002"),
        ("33600000001", "33600000001"),
        ('["0600000001", null, {"a": 1}, []]', "0600000001,?,?,?"),
        ("[]", None),
        ('[" "]', None),
        ('""', None),
        ('{"a": 1}', None),
        ("null", None),
    ],
)
def test_phone_numbers_are_a_comma_list_or_an_array(json: str, joined: str | None) -> None:
    assert reading(b'{"x": ' + json.encode() + b"}").joined("x") == joined


@pytest.mark.parametrize(
    ("json", "items"),
    [
        ('[{"a": 1}, 2]', [{"a": 1}, 2]),
        ('{"0": {"a": 1}, "2": {"a": 2}}', [{"a": 1}, {"a": 2}]),
        ('{"a": 1, "b": 2}', [{"a": 1, "b": 2}]),
        ('"one"', ["one"]),
        ('"[{\\"a\\": 1}]"', [{"a": 1}]),
        ("[]", []),
        ('""', None),
        ("null", None),
    ],
)
def test_lists_may_be_numbered_maps_single_values_or_json_in_a_text(json: str, items: list[object]) -> None:
    assert reading(b'{"x": ' + json.encode() + b"}").items("x") == items


def test_maps_may_be_json_in_a_text_as_forms_need_it() -> None:
    assert reading(b"contact=%7B%22phoneNumber%22%3A+1%7D").mapping("contact") == {"phoneNumber": 1}
    assert reading(b'{"contact": []}').mapping("contact") is None
    assert reading(b'{"contact": ""}').mapping("contact") is None


@pytest.mark.parametrize("value", ["{", "[1]", "word", "[" * 40, '{"a":1},"v":[', "{}}"])
def test_what_is_no_map_is_invalid(value: str) -> None:
    with pytest.raises(ParameterInvalid):
        reading(b"contact=" + value.encode()).mapping("contact")


def test_items_of_a_list_are_read_with_the_same_types() -> None:
    parameters = reading(b'{"SMSList": [{"PhoneNumber": 33600000001, "message": " "}, "word"]}')
    first, second = [parameters.within(item) for item in parameters.items("SMSList") or ()]
    assert first is not None
    assert first.text("phoneNumber") == "33600000001"
    assert first.text("message") is None
    assert second is None
