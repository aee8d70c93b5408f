"""What leaves: addresses, alphabets and the parts of long messages."""

from __future__ import annotations

import pytest

from chappe.messages.segments import segments
from chappe.operators.smpp.constants import TlvTag
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.messages import SubmitSm
from chappe.operators.smpp.submission import Submission, Writer, source_address
from chappe.settings import OperatorSettings
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import NUMBER, ScriptedSmsc, departure
from tests.wire.smpp.virtual import settle, until


def settings(**changes: object) -> OperatorSettings:
    values: dict[str, object] = {"name": "op1", "kind": "smpp", "host": "h", "port": 1, **changes}
    return OperatorSettings(**values)  # type: ignore[arg-type]


def written(departing: object, **changes: object) -> list[SubmitSm]:
    submissions: list[Submission] = Writer(settings(**changes)).submissions(departing)  # type: ignore[arg-type]
    for submission in submissions:
        submission.request.encode()
    return [submission.request for submission in submissions]


@pytest.mark.parametrize(
    ("sender", "ton", "npi", "address"),
    [
        ("CHAPPE", 5, 0, "CHAPPE"),
        ("Chappe 2", 5, 0, "Chappe 2"),
        ("", 3, 0, "36000"),
        ("36123", 3, 0, "36123"),
        ("+33612345678", 1, 1, "33612345678"),
        ("33612345678", 1, 1, "33612345678"),
        ("0033612345678", 1, 1, "33612345678"),
        ("0612345678", 2, 1, "0612345678"),
        ("+36000", 1, 1, "36000"),
        ("٣٦٠", 5, 0, "٣٦٠"),
    ],
)
def test_a_sender_is_written_by_its_form(sender: str, ton: int, npi: int, address: str) -> None:
    written_as = source_address(sender, settings())
    assert (written_as.ton, written_as.npi, written_as.address) == (ton, npi, address)


def test_a_configured_type_and_plan_come_first() -> None:
    written_as = source_address("CHAPPE", settings(source_ton=0, source_npi=9))
    assert (written_as.ton, written_as.npi) == (0, 9)


def test_every_part_asks_for_a_receipt_and_names_its_destination_in_full() -> None:
    (request,) = written(departure(1, "Bonjour"), service_type="VMA")
    assert (request.dest_addr_ton, request.dest_addr_npi, request.destination_addr) == (1, 1, str(NUMBER))
    assert request.registered_delivery == 1
    assert request.validity_period == "000002000000000R"
    assert request.service_type == "VMA"
    assert request.esm_class == 0


def test_plain_text_is_gsm_or_latin_1_as_configured_and_unicode_is_ucs_2() -> None:
    text = "Été à 5 €"
    (gsm,) = written(departure(1, text))
    assert (gsm.data_coding, gsm.short_message) == (0, b"\x1ft\x05 \x7f 5 \x1be")
    (latin,) = written(departure(1, "Été"), charset="latin1")
    assert (latin.data_coding, latin.short_message) == (3, b"\xc9t\xe9")
    (ucs2,) = written(departure(1, text, is_unicode=True))
    assert (ucs2.data_coding, ucs2.short_message) == (8, text.encode("utf-16-be"))


def test_what_latin_1_lacks_leaves_as_unicode_where_it_takes_no_more_parts() -> None:
    (short,) = written(departure(1, "5 €"), charset="latin1")
    assert (short.data_coding, short.short_message) == (8, "5 €".encode("utf-16-be"))
    (longer,) = written(departure(1, "€" + "x" * 80), charset="latin1")
    assert (longer.data_coding, longer.short_message) == (3, b"?" + b"x" * 80)


LONG = tuple(segments("é€" * 150, unicode=False))


@pytest.mark.parametrize(
    ("mode", "header_octets"), [("udh8", 6), ("udh16", 6), ("sar", 0)]
)  # parts of 153 septets leave no room for a reference of 16 bits
def test_long_messages_are_joined_as_configured(mode: str, header_octets: int) -> None:
    requests = written(departure(300, *LONG), long_messages=mode)
    assert len(requests) == len(LONG) == 3
    for number, request in enumerate(requests, 1):
        if mode == "sar":
            tlvs = dict(request.tlvs)
            assert tlvs[TlvTag.SAR_MSG_REF_NUM] == ((300 + NUMBER) & 0xFFFF).to_bytes(2)
            assert (tlvs[TlvTag.SAR_TOTAL_SEGMENTS], tlvs[TlvTag.SAR_SEGMENT_SEQNUM]) == (
                b"\3",
                bytes((number,)),
            )
            assert request.esm_class == 0
        else:
            assert request.esm_class == 0x40
            assert request.short_message[:header_octets] == bytes((5, 0, 3, (300 + NUMBER) & 0xFF, 3, number))


def test_a_reference_of_16_bits_is_used_where_there_is_room() -> None:
    requests = written(departure(300, "a" * 152, "b"), long_messages="udh16")
    reference = ((300 + NUMBER) & 0xFFFF).to_bytes(2)
    assert requests[0].short_message[:7] == b"\x06\x08\x04" + reference + b"\x02\x01"
    assert requests[1].short_message == b"\x06\x08\x04" + reference + b"\x02\x02b"


@pytest.mark.parametrize("mode", ["udh8", "udh16", "sar"])
def test_a_part_that_is_sent_again_joins_its_neighbours(mode: str) -> None:
    first = written(departure(7, *LONG), long_messages=mode)
    (again,) = written(departure(7, *LONG, which=(1,)), long_messages=mode)
    again.sequence_number = first[1].sequence_number
    assert again == first[1]
    assert written(departure(8, *LONG), long_messages=mode)[1] != first[1]  # the next message to that phone


def test_a_payload_holds_the_whole_text_and_stands_for_every_part() -> None:
    (submission,) = Writer(settings(long_messages="payload")).submissions(departure(7, *LONG))
    assert submission.parts == (0, 1, 2)
    assert submission.request.short_message == b""
    assert dict(submission.request.tlvs)[TlvTag.MESSAGE_PAYLOAD] == b"\x05\x1be" * 150
    # Parts that another operator lost join theirs.
    (again,) = Writer(settings(long_messages="payload")).submissions(departure(7, *LONG, which=(2,)))
    assert again.parts == (2,)
    assert again.request.esm_class == 0x40


async def test_a_payload_takes_one_slot_and_its_id_is_the_first_parts(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    smsc.answer = lambda peer, request: request.response(message_id="AB")
    operator = await bench.start(long_messages="payload", window=5)
    bench.outcomes.is_open.clear()
    operator.submit([departure(7, *LONG)])
    await until(lambda: smsc.submits)
    await settle()
    assert operator.free_slots == 4
    bench.outcomes.is_open.set()
    await until(lambda: len(bench.outcomes.submitted) == 3)
    assert [(each.part, each.outcome, each.smsc_message_id) for each in bench.outcomes.submitted] == [
        (0, "accepted", "ab"),
        (1, "accepted", ""),
        (2, "accepted", ""),
    ]
    await settle()
    assert operator.free_slots == 5


def test_unicode_parts_are_cut_where_they_were_counted() -> None:
    parts = tuple(segments("😀é" * 60, unicode=True))
    requests = written(departure(1, *parts, is_unicode=True))
    assert "".join(request.short_message[6:].decode("utf-16-be") for request in requests) == "😀é" * 60
    assert max(len(request.short_message) for request in requests) <= 140


async def test_what_cannot_be_written_is_refused_and_keeps_no_slot(bench: Bench, smsc: ScriptedSmsc) -> None:
    with pytest.raises(LocalError):
        written(departure(1, "x" * 161))
    operator = await bench.start()
    operator.submit(
        [departure(1, "x" * 161), departure(2), departure(3, sender="a name far too long for it")]
    )
    await until(lambda: len(bench.outcomes.submitted) == 3)
    assert sorted(bench.outcomes.words()) == [(1, 0, "refused"), (2, 0, "accepted"), (3, 0, "refused")]
    await settle()
    assert operator.free_slots == 100
    assert len(smsc.submits) == 1
