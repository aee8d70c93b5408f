"""PDUs: what is written is read back, and what real peers leave out or get wrong is read as documented."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators import smpp
from chappe.operators.smpp.commands import REQUESTS, RESPONSES
from chappe.operators.smpp.constants import CommandId
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.messages import Message
from tests.unit.smpp.pdus import PDU_CLASSES, mutated, pdus, pdus_of

HEADER_OF_SUBMIT = bytes.fromhex("00000000 00000004 00000000 00000007")


def framed(command_id: int, body: bytes, command_status: int = 0, sequence_number: int = 7) -> bytes:
    head = (16 + len(body), command_id, command_status, sequence_number)
    return b"".join(value.to_bytes(4) for value in head) + body


def message_body(
    *,
    short_message: bytes = b"hello",
    length: int | None = None,
    destination: bytes = b"33612345678",
    after: bytes = b"",
) -> bytes:
    octets = len(short_message) if length is None else length
    return (
        b"\0\x05\0Chappe\0\x01\x01"
        + destination
        + b"\0\0\0\0\0\0\x01\0\0\0"
        + bytes([octets])
        + short_message
        + after
    )


@pytest.mark.parametrize("kind", PDU_CLASSES, ids=lambda kind: kind.__name__)
def test_every_pdu_that_is_written_is_read_back(kind):
    @settings(max_examples=40, deadline=None)
    @given(pdus_of(kind))
    def round_trip(pdu):
        octets = pdu.encode()
        assert int.from_bytes(octets[:4]) == len(octets)
        again = smpp.decode(octets)
        assert type(again) is kind
        assert again == pdu
        assert again.encode() == octets

    round_trip()


def test_every_command_of_the_specification_has_its_pdu():
    assert {int(command) for command in CommandId} == REQUESTS.keys() | RESPONSES.keys()


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=lambda kind: kind.__name__)
def test_a_response_has_the_command_and_the_number_of_its_request(kind):
    request = kind(sequence_number=9)
    if kind.response_type is None:
        with pytest.raises(smpp.LocalError):
            request.response()
        return
    response = request.response(0x58)
    assert response.command_id == kind.command_id | 0x80000000
    assert (response.sequence_number, response.command_status) == (9, 0x58)


def test_a_submit_sm_is_on_the_wire_as_the_specification_draws_it():
    pdu = smpp.SubmitSm(
        service_type="CMT",
        source_addr_ton=5,
        source_addr="Chappe",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="33612345678",
        esm_class=0x40,
        registered_delivery=1,
        data_coding=8,
        short_message=b"\x00h\x00i",
        tlvs=((0x0204, b"\x00\x01"), (0x1400, b"")),
        sequence_number=2,
    )
    assert pdu.encode() == bytes.fromhex(
        "00000043 00000004 00000000 00000002"
        "434d5400 05 00 43686170706500 01 01 333336313233343536373800"
        "40 00 00 00 00 01 00 08 00 04 00680069"
        "0204 0002 0001 1400 0000"
    )


@given(
    st.one_of(
        pdus_of(smpp.SubmitSm).map(lambda pdu: pdu.encode()[16:]), mutated().map(lambda octets: octets[16:])
    )
)
@settings(max_examples=300, deadline=None)
def test_the_fast_reader_of_messages_agrees_with_the_layout(body):
    def read(by_layout):
        try:
            if not by_layout:
                return smpp.SubmitSm.from_body(body, 0, 7)
            pdu = smpp.SubmitSm(sequence_number=7)
            pdu.read_body(body, lenient=False)
        except smpp.BodyError as error:
            return (error.command_status, str(error))
        return pdu

    assert read(by_layout=False) == read(by_layout=True)


@given(pdus_of(smpp.DeliverSm))
@settings(max_examples=100, deadline=None)
def test_the_fast_writer_of_messages_agrees_with_the_layout(pdu):
    assert pdu.encode() == pdu.frame(0, pdu.encode_body())


@given(pdus)
@settings(max_examples=100, deadline=None)
def test_no_repr_shows_a_text_or_a_password(pdu):
    for name in ("short_message", "password", "tlvs"):
        assert f"{name}=" not in repr(pdu)


# What our side gets wrong


@pytest.mark.parametrize(
    "fields",
    [
        {"service_type": "TOOLONG"},
        {"source_addr": "1" * 21},
        {"destination_addr": "1" * 21},
        {"schedule_delivery_time": "1" * 17},
        {"validity_period": "1" * 17},
        {"short_message": b"x" * 255},
        {"source_addr": "a\0b"},
        {"source_addr": "\u20ac"},
        {"source_addr": None},
        {"source_addr": b"336"},
        {"destination_addr": 336},
        {"esm_class": 256},
        {"esm_class": -1},
        {"data_coding": "8"},
        {"short_message": "text"},
        {"short_message": None},
        {"tlvs": ((0x10000, b""),)},
        {"tlvs": ((1, b"x" * 65536),)},
        {"tlvs": ((1, "text"),)},
        {"tlvs": (1, 2)},
        {"sequence_number": 2**32},
        {"sequence_number": "1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [smpp.SubmitSm, smpp.DeliverSm])
def test_a_field_that_cannot_be_sent_is_our_own_error(kind, fields):
    with pytest.raises(smpp.LocalError):
        kind(**fields).encode()


def test_an_error_of_ours_does_not_show_the_value():
    with pytest.raises(smpp.LocalError) as caught:
        smpp.BindTransceiver(password="secr\u20act").encode()
    assert "secr" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("count", [0, 255])
def test_submit_multi_takes_1_to_254_destinations(count):
    with pytest.raises(smpp.LocalError):
        smpp.SubmitMulti(destinations=(smpp.Destination("336"),) * count).encode()


# What the peer gets wrong


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", Status.ESME_RINVCMDLEN),
        (b"\0", Status.ESME_RINVCMDLEN),
        (message_body()[:20], Status.ESME_RINVCMDLEN),
        (b"SERVICE\0" + message_body()[1:], Status.ESME_RINVSERTYP),
        (b"\0\0\0" + b"1" * 21 + b"\0" + message_body()[10:], Status.ESME_RINVSRCADR),
        (message_body(destination=b"1" * 21), Status.ESME_RINVDSTADR),
        (b"\0\0\0\0\0\0\0\0\0\0" + b"1" * 17 + b"\0\0\0\0\0\0\0", Status.ESME_RINVSCHED),
        (b"\0\0\0\0\0\0\0\0\0\0\0" + b"1" * 17 + b"\0\0\0\0\0\0", Status.ESME_RINVEXPIRY),
        (message_body(length=200), Status.ESME_RINVMSGLEN),
        (message_body(length=6), Status.ESME_RINVMSGLEN),
        (message_body(after=b"\x04\x24\x00\x09short"), Status.ESME_RINVOPTPARSTREAM),
    ],
)
@pytest.mark.parametrize("command_id", [CommandId.SUBMIT_SM, CommandId.DELIVER_SM])
def test_a_bad_body_names_the_command_the_number_and_the_status_to_answer(command_id, body, status):
    with pytest.raises(smpp.BodyError) as caught:
        smpp.decode(framed(command_id, body))
    error = caught.value
    assert (error.command_id, error.sequence_number, error.command_status) == (command_id, 7, status)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (smpp.BindTransceiver, b"x" * 65 + b"\0", Status.ESME_RINVSYSID),
        (smpp.BindTransceiver, b"id\0" + b"x" * 65 + b"\0", Status.ESME_RINVPASWD),
        (smpp.BindTransceiver, b"id\0pw\0" + b"x" * 13 + b"\0", Status.ESME_RINVSYSTYP),
        (smpp.BindTransceiver, b"id\0pw\0\0\x34\0\0" + b"x" * 41 + b"\0", Status.ESME_RINVPARLEN),
        (smpp.QuerySm, b"x" * 65 + b"\0", Status.ESME_RINVMSGID),
        (smpp.SubmitMulti, b"\0\0\0\0\0", Status.ESME_RINVNUMDESTS),
        (smpp.SubmitMulti, b"\0\0\0\0\xff", Status.ESME_RINVNUMDESTS),
        (smpp.SubmitMulti, b"\0\0\0\0\x01\x03", Status.ESME_RINVDESTFLAG),
        (smpp.SubmitMulti, b"\0\0\0\0\x02\x02list\0", Status.ESME_RINVDESTFLAG),
        (smpp.SubmitMulti, b"\0\0\0\0\x01\x02" + b"x" * 21 + b"\0", Status.ESME_RINVDLNAME),
        (smpp.SubmitMulti, b"\0\0\0\0\x01\x01\0\0" + b"1" * 21 + b"\0", Status.ESME_RINVDSTADR),
        (smpp.AlertNotification, b"\0\0" + b"1" * 65 + b"\0", Status.ESME_RINVSRCADR),
    ],
)
def test_each_field_that_is_too_long_has_its_own_status(kind, body, status):
    with pytest.raises(smpp.BodyError) as caught:
        kind.from_body(body, 0, 1)
    assert caught.value.command_status == status


def test_an_unknown_command_is_a_body_error_that_asks_for_rinvcmdid():
    with pytest.raises(smpp.BodyError) as caught:
        smpp.decode(framed(0x00000ABC, b"whatever"))
    assert caught.value.command_status == Status.ESME_RINVCMDID
    assert "0x00000abc" in str(caught.value)


@pytest.mark.parametrize("octets", [b"", b"\0" * 15, framed(4, b"")[:-1], framed(0x15, b"") + b"\0"])
def test_what_is_not_exactly_one_pdu_is_a_framing_error(octets):
    with pytest.raises(smpp.FramingError):
        smpp.decode(octets)


# What is accepted all the same


@pytest.mark.parametrize("kind", RESPONSES.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", [0, 0x0E])
def test_a_response_without_a_body_has_defaults(kind, status):
    pdu = smpp.decode(framed(kind.command_id, b"", status))
    assert pdu == kind(command_status=status, sequence_number=7)


@pytest.mark.parametrize("kind", RESPONSES.values(), ids=lambda kind: kind.__name__)
def test_a_response_may_end_after_any_octet(kind):
    values = {
        "message_id": "0123456789",
        "system_id": "smsc",
        "final_date": "2401311200",
        "message_state": 2,
        "unsuccessful": (smpp.Unsuccessful("336", 1, 1, 8),) * 2,
    }
    whole = kind(
        **{name: values[name] for name, _ in kind.layout if name in values}, tlvs=((0x210, b"\x34"),)
    )
    body = whole.encode()[16:]
    for length in range(len(body)):
        assert isinstance(smpp.decode(framed(kind.command_id, body[:length])), kind)


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        (smpp.SubmitSmResp, b"abc123", {"message_id": "abc123"}),
        (smpp.SubmitSmResp, b"abc123\0", {"message_id": "abc123"}),
        (smpp.SubmitSmResp, b"abc123\0\0", {"message_id": "abc123"}),
        (smpp.SubmitSmResp, b"abc123\0\0\0\0", {"message_id": "abc123"}),
        (smpp.SubmitSmResp, b"abc123\0\x00\x1d\x00\x09x", {"message_id": "abc123"}),
        (smpp.SubmitSmResp, b"\0", {"message_id": ""}),
        (smpp.DeliverSmResp, b"7\0", {"message_id": "7"}),
        (smpp.BindTransceiverResp, b"smsc", {"system_id": "smsc"}),
        (smpp.BindTransceiverResp, b"smsc\0\x02\x10\x00\x01\x34", {"tlvs": ((0x210, b"\x34"),)}),
        (smpp.BindTransmitter, b"id\0pw\0\0\x34\0\0\0", {"address_range": ""}),
        (smpp.BindTransmitter, b"id\0pw\0\0\x34\0\0.*", {"address_range": ".*"}),
        (smpp.Outbind, b"id\0pw", {"password": "pw"}),
        (smpp.DeliverSm, message_body(after=b"\0"), {"short_message": b"hello", "tlvs": ()}),
        (smpp.DeliverSm, message_body(after=b"\x04\x27\0"), {"tlvs": ()}),
        (smpp.DeliverSm, message_body(after=b"\x04\x27\0\0"), {"tlvs": ((0x427, b""),)}),
        (smpp.DeliverSm, message_body(after=b"\0\0\0\0"), {"tlvs": ((0, b""),)}),
        (smpp.DeliverSm, message_body(after=b"\x14\0\0\x01x" * 2), {"tlvs": ((0x1400, b"x"),) * 2}),
        (smpp.DeliverSm, message_body(short_message=b"x" * 255), {"short_message": b"x" * 255}),
    ],
)
def test_what_real_peers_send_is_accepted(kind, body, fields):
    pdu = smpp.decode(framed(kind.command_id, body))
    assert type(pdu) is kind
    assert {name: getattr(pdu, name) for name in fields} == fields


def test_a_message_id_of_an_error_response_is_kept_and_an_absent_one_is_not_written():
    assert smpp.SubmitSmResp(command_status=8).encode() == framed(CommandId.SUBMIT_SM_RESP, b"", 8, 0)
    assert smpp.SubmitSmResp(message_id="1", command_status=8).encode().endswith(b"1\0")
    assert smpp.DeliverSmResp(command_status=8).encode().endswith(b"\0\0\0\0\0")


def test_optional_parameters_are_found_by_tag_and_read_leniently():
    tlvs = ((0x1E, b" 1a2b\0"), (0x427, b"\x02"), (0x20C, b"\x01\x02"), (0x424, b""), (0x1E, b"second"))
    assert smpp.find_tlv(tlvs, 0x1E) == b" 1a2b\0"
    assert smpp.find_text(tlvs, 0x1E) == "1a2b"
    assert smpp.find_number(tlvs, 0x427) == 2
    assert smpp.find_number(tlvs, 0x20C) == 0x102
    assert smpp.find_number(tlvs, 0x424) is None
    assert smpp.find_text(tlvs, 0x424) is None
    assert smpp.find_tlv(tlvs, 0x999) is None


def test_names_of_commands_and_statuses_are_the_specifications():
    assert smpp.command_name(4) == "submit_sm"
    assert smpp.status_name(0x58) == "ESME_RTHROTTLED"
    assert smpp.status_name(0x432) == "0x00000432"


def test_submit_sm_and_deliver_sm_have_one_layout():
    assert smpp.SubmitSm.layout is smpp.DeliverSm.layout is Message.layout
