"""Programs made with smpp34 (tokio behind asyncio) at our simulator, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import smpp34

from tests.behaviours.callbacks import until
from tests.support.phones import Phones, simulated_server

pytestmark = pytest.mark.peer

PATIENCE_S = 20.0
RECEIPT, UDHI = 0x04, 0x40
GSM, UCS2 = 0, 8
DELIVERED, EXPIRED, UNDELIVERABLE = 2, 3, 5
STATES = {"TRX": "bound_trx", "TX": "bound_tx", "RX": "bound_rx"}


@asynccontextmanager
async def bound(phones: Phones, bind_type: str) -> AsyncIterator[smpp34.Smsc]:
    client = smpp34.Client("127.0.0.1", phones.port, "sim", "sim", bind_type=bind_type)
    smsc = await asyncio.wait_for(client.connect(), PATIENCE_S)
    try:
        assert STATES[bind_type] in phones.binds()
        yield smsc
        await asyncio.wait_for(smsc.unbind(), PATIENCE_S)
    finally:
        await asyncio.wait_for(client.stop(), PATIENCE_S)


async def submit(smsc: smpp34.Smsc, to: str, octets: bytes, **fields: Any) -> smpp34.SubmitSmResp:
    """With a receipt asked for."""
    values: dict[str, Any] = {
        "source_addr": "smpp34",
        "source_addr_ton": 5,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
    }
    return await asyncio.wait_for(
        smsc.submit_sm(to, octets, registered_delivery=1, **values, **fields), PATIENCE_S
    )


async def receive(smsc: smpp34.Smsc, count: int) -> list[smpp34.DeliverSmEvent]:
    events = [await asyncio.wait_for(smsc.next(), PATIENCE_S) for _ in range(count)]
    assert all(isinstance(event, smpp34.DeliverSmEvent) for event in events), events
    return events


def receipt(event: smpp34.DeliverSmEvent) -> tuple[str, str | None, int | None]:
    """(phone, message id, state), as the parameters say; the text has to agree."""
    assert event.esm_class == RECEIPT
    values = {tlv.tag: tlv for tlv in event.tlvs}
    message_id = values[smpp34.TLV_RECEIPTED_MESSAGE_ID].as_string()
    assert event.short_message.startswith(f"id:{message_id} sub:001 dlvrd:".encode())
    return event.source_addr, message_id, values[smpp34.TLV_MESSAGE_STATE].as_int()


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with simulated_server(tmp_path_factory.mktemp("smpp34")) as running:
        yield running


LONG = "Œuvre n°1: ça va? 😀 " * 9


async def test_texts_are_on_the_phone_and_their_receipts_come_back(phones: Phones) -> None:
    octets = LONG.encode("utf-16-be")
    # Cut without a look at surrogate pairs: whoever joins octets reads them all the same.
    cut = [octets[at : at + 134] for at in range(0, len(octets), 134)]
    sar = [
        [
            smpp34.Tlv(smpp34.TLV_SAR_MSG_REF_NUM, b"\x01\x02"),
            smpp34.Tlv(smpp34.TLV_SAR_TOTAL_SEGMENTS, bytes((len(cut),))),
            smpp34.Tlv(smpp34.TLV_SAR_SEGMENT_SEQNUM, bytes((number,))),
        ]
        for number in range(1, len(cut) + 1)
    ]
    payload = [smpp34.Tlv(smpp34.TLV_MESSAGE_PAYLOAD, octets)]
    async with bound(phones, "TRX") as smsc:
        answers = {
            "33612345650": [await submit(smsc, "33612345650", b"Bonjour \x00 5 \x1be", data_coding=GSM)],
            "33612345651": [await submit(smsc, "33612345651", "Ça 😀".encode("utf-16-be"), data_coding=UCS2)],
            "33612345652": [
                await submit(
                    smsc,
                    "33612345652",
                    b"\x06\x08\x04\x12\x34" + bytes((len(cut), number)) + part,
                    data_coding=UCS2,
                    esm_class=UDHI,
                )
                for number, part in enumerate(cut, 1)
            ],
            "33612345653": [
                await submit(smsc, "33612345653", part, data_coding=UCS2, tlvs=tlvs)
                for part, tlvs in zip(cut, sar, strict=True)
            ],
            "33612345654": [await submit(smsc, "33612345654", b"", data_coding=UCS2, tlvs=payload)],
        }
        expected = {
            (phone, answer.message_id, DELIVERED) for phone, each in answers.items() for answer in each
        }
        assert {receipt(event) for event in await receive(smsc, len(expected))} == expected
    texts = ["Bonjour @ 5 €", "Ça 😀", LONG, LONG, LONG]
    assert [phones.screen(phone)[0]["text"] for phone in answers] == texts


async def test_a_window_full_at_once_is_answered_and_receipted(phones: Phones) -> None:
    async with bound(phones, "TRX") as smsc:
        numbers = [f"336200{number:05}" for number in range(200)]
        answers = await asyncio.gather(*(submit(smsc, number, b"Vite") for number in numbers))
        expected = {
            (number, answer.message_id, DELIVERED) for number, answer in zip(numbers, answers, strict=True)
        }
        assert {receipt(event) for event in await receive(smsc, len(numbers))} == expected


async def test_every_fate_is_told(phones: Phones) -> None:
    async with bound(phones, "TRX") as smsc:
        refused = await submit(smsc, "33600000005", b"Non")
        assert (refused.is_success, refused.command_status) == (False, smpp34.ESME_RINVDSTADR)
        vendor = await submit(smsc, "33600000011", b"Pas encore")
        assert (vendor.is_success, vendor.command_status) == (False, 0x64)
        fates = {"33600000011": DELIVERED, "33600000002": UNDELIVERABLE, "33600000003": EXPIRED}
        for phone, state in fates.items():
            answer = await submit(smsc, phone, b"Pas encore")
            assert [receipt(event) for event in await receive(smsc, 1)] == [(phone, answer.message_id, state)]
        # Before the answer to its submit: the library keeps it all the same.
        answer = await submit(smsc, "33600000009", b"Trop vite")
        assert receipt((await receive(smsc, 1))[0]) == ("33600000009", answer.message_id, DELIVERED)


async def test_a_pair_hears_what_phones_say(phones: Phones) -> None:
    async with bound(phones, "TX") as transmitter, bound(phones, "RX") as receiver:
        answer = await submit(transmitter, "33600000007", b"Venez-vous?")
        # The library hands on what comes together in any order.
        said, told = sorted(await receive(receiver, 2), key=lambda event: event.esm_class)
        assert receipt(told) == ("33600000007", answer.message_id, DELIVERED)
        assert (said.esm_class, said.short_message, said.destination_addr) == (0, b"STOP", "smpp34")
        phones.reply("33600000007", LONG)
        parts = sorted(await receive(receiver, 3), key=lambda event: event.short_message[5])
        assert {(event.esm_class, event.data_coding) for event in parts} == {(UDHI, UCS2)}
        assert b"".join(event.short_message[6:] for event in parts).decode("utf-16-be") == LONG
        until(lambda: phones.screen("33600000007")[-1]["status"] == "delivered", "the reply is acknowledged")
    assert phones.binds() == []


async def test_a_server_that_stops_says_goodbye(tmp_path_factory: pytest.TempPathFactory) -> None:
    with simulated_server(tmp_path_factory.mktemp("stops")) as phones:
        client = smpp34.Client("127.0.0.1", phones.port, "sim", "sim", bind_type="TRX")
        smsc = await asyncio.wait_for(client.connect(), PATIENCE_S)
        phones.server.stop()
        assert isinstance(await asyncio.wait_for(smsc.next(), PATIENCE_S), smpp34.Disconnected)
        await asyncio.wait_for(client.stop(), PATIENCE_S)
