"""Receipts as the vendors write them: every row is a shape that is met on real binds."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from chappe.operators import smpp
from chappe.operators.smpp import MessageState as S
from chappe.operators.smpp import TlvTag, match_key, match_keys, read_receipt
from chappe.operators.smpp.receipt import parse_date


def utc_ms(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1000


def deliver(text, esm_class=4, data_coding=0, tlvs=()):
    octets = text.encode("latin-1") if isinstance(text, str) else text
    return smpp.DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tlvs)


NOON = utc_ms(2024, 1, 31, 12, 0)
CORPUS = [
    # Appendix B to the letter.
    (
        "id:0123456789 sub:001 dlvrd:001 submit date:2401311159 done date:2401311200 stat:DELIVRD err:000 text:Bonjour",
        ("0123456789", S.DELIVERED, "000", NOON),
    ),
    # `Text` with a capital, seconds in the dates.
    (
        "id:ab0r82 sub:001 dlvrd:000 submit date:240131115900 done date:240131120001 stat:UNDELIV err:045 Text:Salut",
        ("ab0r82", S.UNDELIVERABLE, "045", NOON + 1000),
    ),
    # No text; counts of one digit.
    (
        "id:7220bb6bd0be98fa628de66590f80070 sub:1 dlvrd:1 submit date:2401311159 done date:2401311200 "
        "stat:DELIVRD err:0",
        ("7220bb6bd0be98fa628de66590f80070", S.DELIVERED, "0", NOON),
    ),
    # Ends with `text:` and nothing, with or without a blank, with a NUL.
    (
        "id:1 sub:001 dlvrd:001 submit date:2401311159 done date:2401311200 stat:DELIVRD err:000 text:",
        ("1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:1 sub:001 dlvrd:001 submit date:2401311159 done date:2401311200 stat:DELIVRD err:000 text: ",
        ("1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:1 sub:001 dlvrd:001 submit date:2401311159 done date:2401311200 stat:EXPIRED err:000\0",
        ("1", S.EXPIRED, "000", NOON),
    ),
    # Neither sub nor dlvrd.
    (
        "id:6fe3-41 submit date:2401311159 done date:2401311200 stat:REJECTD err:ABC text:",
        ("6fe3-41", S.REJECTED, "ABC", NOON),
    ),
    # No dates at all, no error.
    ("id:42 sub:001 dlvrd:001 stat:DELIVRD", ("42", S.DELIVERED, "", None)),
    ("id:42 stat:EXPIRED err:27", ("42", S.EXPIRED, "27", None)),
    # Blanks after the colons.
    (
        "id: 0010102012 sub: 001 dlvrd: 001 submit date: 2401311159 done date: 2401311200 "
        "stat: DELIVRD err: 000 text: x",
        ("0010102012", S.DELIVERED, "000", NOON),
    ),
    # Blanks before the colons, and equals signs.
    (
        "id : 77 sub : 001 dlvrd : 001 submit date : 2401311159 done date : 2401311200 stat : DELIVRD err : 000",
        ("77", S.DELIVERED, "000", NOON),
    ),
    ("id=77 sub=001 dlvrd=001 done date=2401311200 stat=DELIVRD err=000", ("77", S.DELIVERED, "000", NOON)),
    # Commas, semicolons, quotes, line ends.
    (
        "id:77, sub:001, dlvrd:001, submit date:2401311159, done date:2401311200, stat:DELIVRD, err:000, text:a",
        ("77", S.DELIVERED, "000", NOON),
    ),
    (
        'id:"77"; sub:001; dlvrd:001; done date:2401311200; stat:UNKNOWN; err:"5"',
        ("77", S.UNKNOWN, "5", NOON),
    ),
    (
        "id:77\r\nsub:001\r\ndlvrd:001\r\nsubmit date:2401311159\r\ndone date:2401311200\r\n"
        "stat:DELIVRD\r\nerr:000\r\n",
        ("77", S.DELIVERED, "000", NOON),
    ),
    # Capitals, everything or the first letter.
    (
        "ID:A1B2 SUB:001 DLVRD:001 SUBMIT DATE:2401311159 DONE DATE:2401311200 STAT:DELIVRD ERR:000 TEXT:HELLO",
        ("A1B2", S.DELIVERED, "000", NOON),
    ),
    (
        "Id:A1 Sub:001 Dlvrd:001 Submit Date:2401311159 Done Date:2401311200 Stat:Delivered Err:000 Text:hello",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    ("id:A1 sub:001 dlvrd:000 done date:2401311200 stat:undeliv err:1", ("A1", S.UNDELIVERABLE, "1", NOON)),
    # Underscores, one word, other names.
    (
        "id:A1 sub:001 dlvrd:001 submit_date:2401311159 done_date:2401311200 stat:DELIVRD err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:A1 sub:001 dlvrd:001 submitdate:2401311159 donedate:2401311200 stat:DELIVRD err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "message_id:A1 done date:2401311200 status:FAILED error_code:17",
        ("A1", S.UNDELIVERABLE, "17", NOON),
    ),
    # Another order.
    (
        "stat:DELIVRD err:000 id:A1 done date:2401311200 sub:001 dlvrd:001 submit date:2401311159 text:x",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:A1 sub:001 dlvrd:001 done date:2401311200 submit date:2401311159 err:000 stat:DELIVRD",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    # Values that are empty.
    (
        "id:A1 sub: dlvrd: submit date: done date: stat:ENROUTE err: text:",
        ("A1", S.ENROUTE, "", None),
    ),
    ("id: sub:001 dlvrd:001 done date:2401311200 stat:DELIVRD err:000 text:", ("", S.DELIVERED, "000", NOON)),
    # Blanks forgotten.
    (
        "id:A1 sub:001dlvrd:001submit date:2401311159done date:2401311200stat:DELIVRD err:000text:",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:A1  sub:001  dlvrd:001   done date:2401311200  stat:DELIVRD  err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    # Dates written out, with a century, with seconds, as SMPP absolute time, impossible.
    (
        "id:A1 sub:001 dlvrd:001 submit date:2024-01-31 11:59:00 done date:2024-01-31 12:00:00 stat:DELIVRD err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    ("id:A1 sub:001 dlvrd:001 done date:202401311200 stat:DELIVRD err:000", ("A1", S.DELIVERED, "000", NOON)),
    (
        "id:A1 sub:001 dlvrd:001 done date:20240131120000 stat:DELIVRD err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:A1 sub:001 dlvrd:001 done date:240131130000004+ stat:DELIVRD err:000",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    ("id:A1 sub:001 dlvrd:001 done date:0000000000 stat:DELIVRD err:000", ("A1", S.DELIVERED, "000", None)),
    ("id:A1 sub:001 dlvrd:001 done date:2402311200 stat:DELIVRD err:000", ("A1", S.DELIVERED, "000", None)),
    ("id:A1 sub:001 dlvrd:001 done date:never stat:DELIVRD err:000", ("A1", S.DELIVERED, "000", None)),
    # The vendor's own fields, before and after the text.
    (
        "id:A1 sub:001 dlvrd:001 submit date:2401311159 done date:2401311200 stat:DELIVRD err:000 nnc:20801 text:x",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    (
        "id:A1 mccmnc:20801 sub:001 dlvrd:001 done date:2401311200 stat:DELIVRD err:0x21 price:0.03",
        ("A1", S.DELIVERED, "0x21", NOON),
    ),
    # The customer's text imitates a receipt.
    (
        "id:A1 sub:001 dlvrd:001 done date:2401311200 stat:DELIVRD err:000 text:id:B2 stat:REJECTD err:999",
        ("A1", S.DELIVERED, "000", NOON),
    ),
    # Long ids, decimal or with dots and slashes; alphanumeric errors.
    (
        "id:1234567890.1234/5 sub:001 dlvrd:001 done date:2401311200 stat:ACCEPTD err:R-01",
        ("1234567890.1234/5", S.ACCEPTED, "R-01", NOON),
    ),
    (
        "id:18446744073709551615 sub:001 dlvrd:000 stat:DELETED err:99",
        ("18446744073709551615", S.DELETED, "99", None),
    ),
    # States as numbers, and words of the vendor's own.
    ("id:A1 sub:001 dlvrd:001 done date:2401311200 stat:2 err:000", ("A1", S.DELIVERED, "000", NOON)),
    ("id:A1 sub:001 dlvrd:001 done date:2401311200 stat:BUFFRED err:000", ("A1", S.ENROUTE, "000", NOON)),
    ("id:A1 sub:001 dlvrd:001 done date:2401311200 stat:ZORGLUB err:000", ("A1", S.UNKNOWN, "000", NOON)),
    # Nothing to be read.
    ("", ("", S.UNKNOWN, "", None)),
    ("votre message a ete remis", ("", S.UNKNOWN, "", None)),
]


@pytest.mark.parametrize(("text", "expected"), CORPUS, ids=[text[:90] for text, _ in CORPUS])
def test_every_vendors_receipt_is_read(text, expected):
    receipt = read_receipt(deliver(text))
    message_id, state, error_code, done_at_ms = expected
    assert receipt.given_ids == ((message_id,) if message_id else ())
    assert (receipt.state, receipt.error_code, receipt.done_at_ms) == (state, error_code, done_at_ms)


@pytest.mark.parametrize(("text", "expected"), CORPUS, ids=[text[:90] for text, _ in CORPUS])
@pytest.mark.parametrize("place", ["payload", "ucs2", "udh"])
def test_the_same_in_the_payload_in_ucs2_and_behind_a_header(text, expected, place):
    octets = text.encode("latin-1")
    if place == "payload":
        pdu = smpp.DataSm(esm_class=4, tlvs=((TlvTag.MESSAGE_PAYLOAD, octets),))
    elif place == "ucs2":
        pdu = smpp.DataSm(
            esm_class=4, data_coding=8, tlvs=((TlvTag.MESSAGE_PAYLOAD, text.encode("utf-16-be")),)
        )
    else:
        pdu = deliver(b"\x05\x00\x03\x01\x01\x01" + octets, esm_class=0x44)
    assert read_receipt(pdu) == read_receipt(deliver(text))


@pytest.mark.parametrize("text", [text for text, _ in CORPUS], ids=[text[:90] for text, _ in CORPUS])
def test_the_fast_reader_of_texts_agrees_with_the_general_one(text):
    # A word in front that means nothing sends any text the general way.
    assert read_receipt(deliver(f"vendor:x {text}")) == read_receipt(deliver(text))


STANDARD = CORPUS[0][0]


@pytest.mark.parametrize(
    ("word", "state", "is_final"),
    [
        ("DELIVRD", S.DELIVERED, True),
        ("DELIVERED", S.DELIVERED, True),
        ("EXPIRED", S.EXPIRED, True),
        ("DELETED", S.DELETED, True),
        ("UNDELIV", S.UNDELIVERABLE, True),
        ("REJECTD", S.REJECTED, True),
        ("REJECTED", S.REJECTED, True),
        ("FAILED", S.UNDELIVERABLE, True),
        ("ACCEPTD", S.ACCEPTED, False),
        ("ENROUTE", S.ENROUTE, False),
        ("BUFFRED", S.ENROUTE, False),
        ("UNKNOWN", S.UNKNOWN, False),
        ("WHATEVER", S.UNKNOWN, False),
    ],
)
def test_which_states_are_the_end(word, state, is_final):
    receipt = read_receipt(deliver(STANDARD.replace("DELIVRD", word)))
    assert (receipt.state, receipt.is_final, receipt.stat) == (state, is_final, word)


@pytest.mark.parametrize(
    ("esm_class", "text", "tlvs", "is_receipt"),
    [
        (0x04, STANDARD, (), True),
        (0x84, STANDARD, (), True),
        (0x07, STANDARD, (), True),
        (0x20, STANDARD, (), True),
        (0x00, STANDARD, (), True),
        (0x08, STANDARD, (), True),
        (0x00, "id:A1 sub:001 dlvrd:001 done date:2401311200 stat:UNDELIV err:1", (), True),
        (0x00, "stat:DELIVRD id:A1 done date:2401311200", (), True),
        (0x00, "", ((TlvTag.RECEIPTED_MESSAGE_ID, b"A1\0"),), True),
        (0x00, "", ((TlvTag.RECEIPTED_MESSAGE_ID, b"\0"),), False),
        (0x00, "Oui", (), False),
        (0x00, "STOP", (), False),
        (0x00, "", (), False),
        (0x00, "mon id: 42, stat: bien", (), False),
        (0x00, "id:A1 stat:DELIVRD", (), False),
        (0x00, "id:A1 sub:001 dlvrd:001 stat:ZORGLUB", (), False),
        (0x00, "Oui", ((TlvTag.MESSAGE_STATE, b"\x02"),), False),
    ],
)
def test_what_is_a_receipt_and_what_is_a_reply(esm_class, text, tlvs, is_receipt):
    pdu = deliver(text, esm_class, tlvs=tlvs)
    assert (read_receipt(pdu) is not None) == is_receipt
    strict = read_receipt(pdu, tolerant=False)
    assert (strict is not None) == (esm_class & 0x3C in (0x04, 0x20))


def test_an_intermediate_notification_ends_nothing_unless_it_says_delivered():
    for word, is_final in (("UNDELIV", False), ("EXPIRED", False), ("ENROUTE", False), ("DELIVRD", True)):
        assert read_receipt(deliver(STANDARD.replace("DELIVRD", word), esm_class=0x20)).is_final is is_final


@pytest.mark.parametrize(
    ("text", "tlvs", "expected"),
    [
        # Parameters alone.
        (
            "",
            ((0x1E, b"1A2B\0"), (0x427, b"\x05"), (0x423, b"\x03\x00\x0b")),
            (("1A2B",), S.UNDELIVERABLE, "3:11"),
        ),
        # Without NUL, state in two octets, error of two octets.
        ("", ((0x1E, b"1A2B"), (0x427, b"\x00\x02"), (0x423, b"\x00\x0b")), (("1A2B",), S.DELIVERED, "11")),
        # Both, the same id.
        (STANDARD, ((0x1E, b"0123456789\0"), (0x427, b"\x02")), (("0123456789",), S.DELIVERED, "000")),
        # Both, and they differ: the parameter's id first, the parameter's state, the text's error.
        (STANDARD, ((0x1E, b"75bcd15\0"), (0x427, b"\x03")), (("75bcd15", "0123456789"), S.EXPIRED, "000")),
        # A state that no table has, or none: the text's.
        (STANDARD, ((0x1E, b"A1\0"), (0x427, b"\x63")), (("A1", "0123456789"), S.DELIVERED, "000")),
        (STANDARD, ((0x1E, b"A1\0"), (0x427, b"")), (("A1", "0123456789"), S.DELIVERED, "000")),
        (STANDARD, ((0x427, b"\x08"), (0x423, b"")), (("0123456789",), S.REJECTED, "000")),
        # An id that is empty is none.
        (STANDARD, ((0x1E, b"\0"),), (("0123456789",), S.DELIVERED, "000")),
        ("", ((0x1E, b""), (0x427, b"\x02")), ((), S.DELIVERED, "")),
    ],
)
def test_parameters_and_text_together(text, tlvs, expected):
    receipt = read_receipt(deliver(text, tlvs=tlvs))
    assert (receipt.given_ids, receipt.state, receipt.error_code) == expected


def test_no_nul_within_a_text_gets_into_an_id_or_an_error():
    receipt = read_receipt(deliver("id:12\x0034 stat:DELIVRD err:0\x005 text:"))
    assert (receipt.given_ids, receipt.error_code) == (("12",), "0")


def test_a_receipt_does_not_change():
    receipt = read_receipt(deliver(STANDARD))
    with pytest.raises(AttributeError):
        receipt.state = S.EXPIRED  # type: ignore[misc]


# Submitted under one form, reported under another: the key of the first is among the keys of the second.
@pytest.mark.parametrize(
    ("submitted", "reported"),
    [
        ("0123456789", "0123456789"),
        ("123456789", "0123456789"),
        ("0000123456789", "123456789"),
        ("75BCD15", "75bcd15"),
        ("075BCD15", "75bcd15"),
        ("75bcd15", "123456789"),
        ("75BCD15", "0123456789"),
        ("0x075BCD15", "123456789"),
        ("123456789", "75BCD15"),
        ("123456789", "075bcd15"),
        ("0123456789", "0x75BCD15"),
        ("12345678", "BC614E"),
        ("10", "16"),
        ("16", "10"),
        ("0", "0000"),
        ("FFFFFFFFFFFFFFFF", "18446744073709551615"),
        ("aB-x_9", "aB-x_9"),
        (" 42 ", "42"),
        ('"42"', "42"),
        ("550E8400-E29B-41D4-A716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
        ("7220BB6BD0BE98FA628DE66590F80070", "7220bb6bd0be98fa628de66590f80070"),
    ],
)
def test_an_id_is_found_whatever_it_looks_like(submitted, reported):
    assert match_key(submitted) in match_keys([reported])


@pytest.mark.parametrize(("submitted", "reported"), [("aZ", "Az"), ("abcz", "ABCZ"), ("12", "13"), ("", "0")])
def test_ids_that_are_not_the_same_are_not_found(submitted, reported):
    assert match_key(submitted) not in match_keys([reported])


def test_the_likeliest_key_is_first_and_none_is_there_twice():
    assert match_keys(["75BCD15", "0123456789"]) == ("75bcd15", "123456789", "4886718345")
    assert match_keys(["0123456789"]) == ("123456789", "75bcd15", "4886718345")
    assert match_keys(["5"]) == ("5",)
    assert match_keys(["", " "]) == ()
    assert match_keys(["7220bb6bd0be98fa628de66590f80070"]) == ("7220bb6bd0be98fa628de66590f80070",)


def test_dates_are_in_the_zone_of_the_smsc():
    paris = ZoneInfo("Europe/Paris")
    assert read_receipt(deliver(STANDARD), zone=paris).done_at_ms == NOON - 3_600_000
    assert parse_date("2407141200", paris) == utc_ms(2024, 7, 14, 10, 0)
    assert parse_date("240131120000004-", paris) == utc_ms(2024, 1, 31, 13, 0)
    assert parse_date("240131120000300+", paris) == NOON + 300
    assert parse_date("201201010101") == utc_ms(2020, 12, 1, 1, 1, 1)


@pytest.mark.parametrize("value", ["", "24", "240131", "24013112", "99999999999", "19990131120000", "2" * 40])
def test_what_is_no_date_is_none(value):
    assert parse_date(value) is None
