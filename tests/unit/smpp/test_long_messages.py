"""Long messages by header, by sar parameters and by payload, there and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.messages.segments import segments
from chappe.operators import smpp
from chappe.operators.smpp import (
    GSM0338,
    LATIN1,
    UCS2,
    Concatenation,
    LongMode,
    TlvTag,
    build_parts,
    read_text,
)
from chappe.operators.smpp.long_message import split_header


def received(part):
    pdu = smpp.DeliverSm(
        esm_class=part.esm_class,
        data_coding=part.data_coding,
        short_message=part.short_message,
        tlvs=part.tlvs,
    )
    return smpp.decode(pdu.encode())


def test_one_part_is_a_plain_short_message_in_every_mode():
    for mode in LongMode:
        (part,) = build_parts(["été à 5 €"], GSM0338, mode, 7)
        assert (part.esm_class, part.data_coding, part.tlvs) == (0, 0, ())
        assert part.short_message == b"\x05t\x05 \x7f 5 \x1b\x65"


def test_udh_with_8_bits():
    parts = build_parts(["one", "two"], GSM0338, LongMode.UDH8, 0x1234)
    assert [part.short_message for part in parts] == [
        b"\x05\x00\x03\x34\x02\x01one",
        b"\x05\x00\x03\x34\x02\x02two",
    ]
    assert {part.esm_class for part in parts} == {0x40}


def test_udh_with_16_bits():
    parts = build_parts(["one", "two"], UCS2, LongMode.UDH16, 0x51234)
    assert parts[1].short_message == b"\x06\x08\x04\x12\x34\x02\x02" + "two".encode("utf-16-be")
    assert (parts[1].esm_class, parts[1].data_coding) == (0x40, 8)


def test_sar_parameters():
    parts = build_parts(["one", "two"], LATIN1, LongMode.SAR, 0x51234)
    assert parts[0].short_message == b"one"
    assert (parts[0].esm_class, parts[0].data_coding) == (0, 3)
    assert parts[0].tlvs == ((0x20C, b"\x12\x34"), (0x20E, b"\x02"), (0x20F, b"\x01"))


def test_payload():
    (part,) = build_parts(["one ", "two"], GSM0338, LongMode.PAYLOAD, 1)
    assert (part.short_message, part.tlvs) == (b"", ((0x424, b"one two"),))


@pytest.mark.parametrize(
    ("mode", "septets", "units"),
    [(LongMode.UDH8, 153, 67), (LongMode.UDH16, 152, 66), (LongMode.SAR, 153, 67)],
)
def test_parts_that_would_not_fit_are_refused_and_those_that_just_do_are_not(mode, septets, units):
    assert (smpp.SEPTETS_PART[mode], smpp.UNITS_PART[mode]) == (septets, units)
    for coding, limit in ((GSM0338, septets), (LATIN1, septets), (UCS2, units)):
        first, _ = build_parts(["a" * limit, "b"], coding, mode, 1)
        header = (
            0 if mode is LongMode.SAR else len(first.short_message) - limit * (2 if coding is UCS2 else 1)
        )
        assert header + limit * (14 if coding is UCS2 else 7) / (7 if coding is UCS2 else 8) <= 140
        with pytest.raises(smpp.LocalError):
            build_parts(["a" * (limit + 1), "b"], coding, mode, 1)


def test_limits_of_a_message():
    for parts in ([], ["a"] * 256, ["a" * 161], ["€" * 81]):
        with pytest.raises(smpp.LocalError):
            build_parts(parts, GSM0338, LongMode.UDH8, 1)
    with pytest.raises(smpp.LocalError):
        build_parts(["a" * 71], UCS2, LongMode.UDH8, 1)
    with pytest.raises(smpp.LocalError):
        build_parts(["a" * 40_000, "b" * 40_000], GSM0338, LongMode.PAYLOAD, 1)
    assert len(build_parts(["a"] * 255, GSM0338, LongMode.UDH8, 1)) == 255


@given(
    st.text("aé€\n{ 1", max_size=900),
    st.sampled_from([LongMode.UDH8, LongMode.SAR, LongMode.PAYLOAD]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_what_is_cut_counted_and_sent_is_what_is_read(text, mode, unicode):
    parts = segments(text, unicode=unicode)
    texts = [
        read_text(received(part)) for part in build_parts(parts, UCS2 if unicode else GSM0338, mode, 300)
    ]
    assert "".join(each.text for each in texts) == text
    if len(texts) == 1:
        assert texts[0].concatenation is None
    else:
        reference, bits = (300, 16) if mode is LongMode.SAR else (300 & 0xFF, 8)
        assert [each.concatenation for each in texts] == [
            Concatenation(reference, bits, len(parts), number) for number in range(1, len(parts) + 1)
        ]


@pytest.mark.parametrize(
    ("octets", "header", "rest"),
    [
        (b"", (), b""),
        (b"\x00text", (), b"text"),
        (b"\x05\x00\x03\x01\x02\x01text", ((0, b"\x01\x02\x01"),), b"text"),
        (b"\x08\x01\x01\x80\x00\x03\x01\x02\x01x", ((1, b"\x80"), (0, b"\x01\x02\x01")), b"x"),
        (b"\x05\x00\x03\x01\x02", (), b"\x05\x00\x03\x01\x02"),
        (b"\x05\x00\x09\x01\x02\x01text", (), b"\x05\x00\x09\x01\x02\x01text"),
        (b"\x01\x00text", (), b"\x01\x00text"),
        (b"\xfftext", (), b"\xfftext"),
    ],
)
def test_headers_good_and_broken(octets, header, rest):
    assert split_header(octets) == (header, rest)


def sar(reference, total, number):
    return (
        (TlvTag.SAR_MSG_REF_NUM, reference),
        (TlvTag.SAR_TOTAL_SEGMENTS, total),
        (TlvTag.SAR_SEGMENT_SEQNUM, number),
    )


@pytest.mark.parametrize(
    ("esm_class", "short_message", "tlvs", "place"),
    [
        (0x40, b"\x05\x00\x03\x09\x02\x01x", (), Concatenation(9, 8, 2, 1)),
        (0x44, b"\x06\x08\x04\x01\x09\x03\x02x", (), Concatenation(0x109, 16, 3, 2)),
        (0, b"\x05\x00\x03\x09\x02\x01x", (), None),
        (0x40, b"\x05\x00\x03\x09\x01\x01x", (), None),
        (0x40, b"\x05\x00\x03\x09\x02\x00x", (), None),
        (0x40, b"\x05\x00\x03\x09\x02\x03x", (), None),
        (0, b"x", sar(b"\x01\x09", b"\x02", b"\x02"), Concatenation(0x109, 16, 2, 2)),
        (0, b"x", sar(b"\x09", b"\x00\x02", b"\x01"), Concatenation(9, 16, 2, 1)),
        (0, b"x", sar(b"", b"\x02", b"\x01"), None),
        (0, b"x", sar(b"\x01\x09", b"\x01", b"\x01"), None),
    ],
)
def test_the_place_of_a_part(esm_class, short_message, tlvs, place):
    pdu = smpp.DeliverSm(esm_class=esm_class, short_message=short_message, tlvs=tlvs)
    assert read_text(pdu).concatenation == place


def test_the_text_may_be_in_the_payload_of_either_pdu():
    tlvs = ((TlvTag.MESSAGE_PAYLOAD, b"from the payload"),)
    assert read_text(smpp.DeliverSm(tlvs=tlvs)).text == "from the payload"
    assert read_text(smpp.DataSm(tlvs=tlvs)).text == "from the payload"
    assert (
        read_text(smpp.DeliverSm(short_message=b"Oui", tlvs=((TlvTag.MESSAGE_PAYLOAD, b""),))).text == "Oui"
    )
    assert read_text(smpp.DataSm()).text == ""


def test_a_character_cut_in_two_is_whole_once_the_octets_are_joined():
    octets = "😀".encode("utf-16-be")
    halves = [
        read_text(
            smpp.DeliverSm(
                esm_class=0x40, data_coding=8, short_message=b"\x05\x00\x03\x09\x02" + number + half
            )
        )
        for number, half in ((b"\x01", octets[:2]), (b"\x02", octets[2:]))
    ]
    assert smpp.decode_text(b"".join(half.octets for half in halves), halves[0].data_coding) == "😀"


def test_no_repr_shows_a_text():
    assert "secret" not in repr(read_text(smpp.DeliverSm(short_message=b"secret")))
    assert "secret" not in repr(build_parts(["secret"], LATIN1, LongMode.UDH8, 1))
