"""What operators bring: receipts and replies, acknowledged after they are stored, and everything else."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from chappe.messages.port import Receipt, Reply
from chappe.operators.smpp.arrival import phone_number
from chappe.operators.smpp.constants import EsmClass, TlvTag
from chappe.operators.smpp.joining import OCTETS_MAX
from chappe.operators.smpp.messages import DataSm, DataSmResp, DeliverSmResp
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import NUMBER, ScriptedSmsc, receipt_pdu, reply_pdu
from tests.wire.smpp.virtual import advance, settle, until


def part(total: int, number: int, text: bytes, reference: int = 7, **fields: object) -> object:
    return reply_pdu(bytes((5, 0, 3, reference, total, number)) + text, esm_class=0x40, **fields)


async def test_a_receipt_is_acknowledged_after_its_commit(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    bench.outcomes.is_open.clear()
    smsc.peer.send(receipt_pdu("1A"), receipt_pdu("1B", "UNDELIV"))
    await settle()
    assert smsc.peer.answers == []
    bench.outcomes.is_open.set()
    await until(lambda: len(smsc.peer.answers) == 2)
    assert [type(answer) for answer in smsc.peer.answers] == [DeliverSmResp, DeliverSmResp]
    assert [answer.command_status for answer in smsc.peer.answers] == [0, 0]
    assert [(each.candidates[0], each.state, each.error) for each in bench.outcomes.receipts] == [
        ("1a", "delivered", "000"),
        ("1b", "undelivered", "000"),
    ]


@pytest.mark.parametrize(
    ("pdu", "state"),
    [
        (receipt_pdu("1", "DELIVRD"), "delivered"),
        (receipt_pdu("1", "EXPIRED"), "expired"),
        (receipt_pdu("1", "DELETED"), "deleted"),
        (receipt_pdu("1", "UNDELIV"), "undelivered"),
        (receipt_pdu("1", "ACCEPTD"), "accepted"),
        (receipt_pdu("1", "REJECTD"), "rejected"),
        (receipt_pdu("1", "ENROUTE"), "enroute"),
        (receipt_pdu("1", "UNKNOWN"), "unknown"),
        (receipt_pdu("1", "WHATEVR"), "enroute"),
        (receipt_pdu("1", "WHATEVR", tlvs=((0x427, b"\x07"),)), "unknown"),
        (receipt_pdu("1", "WHATEVR", tlvs=((0x427, b"\x05"),)), "undelivered"),
        (receipt_pdu("1", "UNDELIV", esm_class=0x20), "enroute"),
        (receipt_pdu("", tlvs=((0x1E, b"1\0"), (0x427, b"\x02"))), "delivered"),
    ],
)
async def test_receipts_say_what_became_of_it(
    bench: Bench, smsc: ScriptedSmsc, pdu: object, state: str
) -> None:
    await bench.start()
    smsc.peer.send(pdu)  # type: ignore[arg-type]
    await until(lambda: smsc.peer.answers)
    (receipt,) = bench.outcomes.receipts
    assert receipt.state == state
    assert receipt.candidates[0] == "1"


async def test_a_receipt_in_data_sm_is_answered_in_kind(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    smsc.peer.send(DataSm(source_addr=str(NUMBER), esm_class=4, tlvs=((0x1E, b"AB\0"), (0x427, b"\x02"))))
    await until(lambda: smsc.peer.answers)
    assert type(smsc.peer.answers[0]) is DataSmResp
    assert bench.outcomes.all == [Receipt(("ab", "171"), "delivered", "", NUMBER)]


@pytest.mark.parametrize(
    ("pdu", "text"),
    [
        (reply_pdu(b"Oui"), "Oui"),
        (reply_pdu("Été €".encode("utf-16-be"), data_coding=8), "Été €"),
        (reply_pdu(b"\x1b\x65 \x1f \x00", data_coding=0), "€ É @"),
        (reply_pdu("Été".encode("latin-1"), data_coding=3), "Été"),
        (reply_pdu(b"", tlvs=((0x424, b"payload"),)), "payload"),
        (reply_pdu(b""), ""),
        (DataSm(source_addr=f"+{NUMBER}", destination_addr="36000", tlvs=((0x424, b"Oui"),)), "Oui"),
    ],
)
async def test_replies_are_read_by_their_coding(
    bench: Bench, smsc: ScriptedSmsc, pdu: object, text: str
) -> None:
    await bench.start()
    smsc.peer.send(pdu)  # type: ignore[arg-type]
    await until(lambda: smsc.peer.answers)
    assert bench.outcomes.all == [Reply(NUMBER, "36000", text)]


async def test_parts_of_a_reply_are_joined_whatever_their_order_and_acknowledged_together(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    await bench.start()
    smsc.peer.send(part(3, 3, b"trois"), part(3, 1, b"un "), part(3, 1, b"un "))  # type: ignore[arg-type]
    await settle()
    assert smsc.peer.answers == []
    smsc.peer.send(reply_pdu(b"alone"), part(3, 2, b"deux "))  # type: ignore[arg-type]
    await until(lambda: len(smsc.peer.answers) == 5)
    assert bench.outcomes.replies == [
        Reply(NUMBER, "36000", "alone"),
        Reply(NUMBER, "36000", "un deux trois"),
    ]


async def test_a_character_cut_in_two_is_whole_again(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    octets = "ab😀".encode("utf-16-be")
    smsc.peer.send(
        part(2, 1, octets[:6], data_coding=8),  # type: ignore[arg-type]
        part(2, 2, octets[6:], data_coding=8),  # type: ignore[arg-type]
    )
    await until(lambda: len(smsc.peer.answers) == 2)
    assert bench.outcomes.replies == [Reply(NUMBER, "36000", "ab😀")]


async def test_parts_whose_others_do_not_come_are_given_singly(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    smsc.peer.send(part(3, 2, b"deux"), part(3, 1, b"un"))  # type: ignore[arg-type]
    await advance(4.9)
    assert bench.outcomes.all == []
    await advance(0.2)
    assert [reply.text for reply in bench.outcomes.replies] == ["un", "deux"]
    assert len(smsc.peer.answers) == 2


async def test_parts_that_never_end_are_bounded(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    for number in range(600):
        source = str(NUMBER + number)
        smsc.peer.send(part(2, 1, b"half", source_addr=source))  # type: ignore[arg-type]
    await until(lambda: len(bench.outcomes.replies) == 600 - 512)
    await advance(6)
    assert len(smsc.peer.answers) == 600


async def test_a_flood_of_what_makes_no_sense_does_not_fill_the_log(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    with capture_logs() as logs:
        smsc.peer.send(*(reply_pdu(b"x", source_addr="") for _ in range(300)))
        await until(lambda: len(smsc.peer.answers) == 300)
    assert len(logs) == 20


async def test_a_text_of_huge_parts_is_cut(bench: Bench, smsc: ScriptedSmsc) -> None:
    await bench.start()
    for number in (1, 2, 3):
        payload = ((int(TlvTag.MESSAGE_PAYLOAD), bytes((5, 0, 3, 7, 3, number)) + b"x" * 60_000),)
        smsc.peer.send(reply_pdu(b"", esm_class=int(EsmClass.UDHI), tlvs=payload))
    await until(lambda: len(smsc.peer.answers) == 3)
    assert [len(reply.text) for reply in bench.outcomes.replies] == [OCTETS_MAX]


async def test_waiting_parts_are_brought_at_the_stop(bench: Bench, smsc: ScriptedSmsc) -> None:
    operator = await bench.start()
    smsc.peer.send(part(2, 1, b"half"))  # type: ignore[arg-type]
    await settle()
    await asyncio.wait_for(operator.stop(), 2)
    assert [reply.text for reply in bench.outcomes.replies] == ["half"]
    assert len(smsc.peer.answers) == 1


@pytest.mark.parametrize(
    "pdu",
    [
        reply_pdu(b"secret text", source_addr="OPERATOR", source_addr_ton=5, source_addr_npi=0),
        reply_pdu(b"secret text", source_addr=""),
        reply_pdu(b"secret text", source_addr="9" * 20),
        reply_pdu(b"secret text", esm_class=0x18),
        receipt_pdu("", text="secret text") if False else reply_pdu(b"secret text", esm_class=4),
        receipt_pdu("9" * 90),
    ],
)
async def test_what_makes_no_sense_is_acknowledged_and_logged_without_its_content(
    bench: Bench, smsc: ScriptedSmsc, pdu: object
) -> None:
    operator = await bench.start()
    with capture_logs() as logs:
        smsc.peer.send(pdu)  # type: ignore[arg-type]
        await until(lambda: smsc.peer.answers)
    assert smsc.peer.answers[0].command_status == 0
    assert bench.outcomes.all == []
    assert [line["event"] for line in logs] == ["an incoming message that makes no sense"]
    assert "secret" not in str(logs)
    assert operator.is_up


async def test_what_was_stored_when_its_link_is_gone_disturbs_nothing(
    bench: Bench, smsc: ScriptedSmsc
) -> None:
    operator = await bench.start()
    bench.outcomes.is_open.clear()
    smsc.peer.send(receipt_pdu("1"))
    await settle()
    smsc.peer.connection.abort()
    await until(lambda: not operator.is_up)
    bench.outcomes.is_open.set()
    await until(lambda: bench.outcomes.receipts)
    await advance(2)
    smsc.peer.send(receipt_pdu("1"))  # delivered again
    await until(lambda: smsc.peer.answers)
    assert len(bench.outcomes.receipts) == 2


@pytest.mark.parametrize(
    ("address", "ton", "number"),
    [
        ("33612345678", 1, 33612345678),
        ("+33612345678", 0, 33612345678),
        ("0033612345678", 0, 33612345678),
        ("0612345678", 0, 33612345678),
        ("0612345678", 2, 33612345678),
        ("612345678", 2, 33612345678),
        ("33612345678", 2, 33612345678),
        ("06 12 34 56 78", 0, 33612345678),
        ("36000", 0, 36000),
        ("OPERATOR", 5, None),
        ("OPERATOR", 0, None),
        ("12345", 5, None),
        ("", 0, None),
        ("+", 1, None),
        ("0", 0, 33),
        ("٣٣٦", 1, None),
        ("1" * 16, 1, None),
    ],
)
def test_phone_numbers_are_read_as_operators_write_them(address: str, ton: int, number: int | None) -> None:
    assert phone_number(address, ton, 1, "33") == number
