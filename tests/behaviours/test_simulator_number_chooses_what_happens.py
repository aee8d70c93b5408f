"""The last two digits of +33 6 00 00 00 xx choose what happens; to every other number is delivered at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.constants import EsmClass, TlvTag
from chappe.operators.smpp.messages import DeliverSm, SubmitSmResp
from chappe.operators.smpp.receipt import read_receipt
from chappe.operators.smpp.tlv import find_tlv
from tests.wire.simulator.esme import Esme, message
from tests.wire.simulator.network import Network, network


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Network]:
    async with network(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def esme(net: Network) -> AsyncIterator[Esme]:
    bound = await net.bind()
    yield bound
    await bound.close()


async def status_of(net: Network, number: str) -> str:
    return (await net.messages(number))[-1]["status"]


@pytest.mark.parametrize(
    "number", ["33600000000", "33600000012", "33600000099", "33612345605", "4915112345602"]
)
async def test_delivered_at_once(net: Network, esme: Esme, number: str) -> None:
    message_id = await esme.submit(number)
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    assert await status_of(net, number) == "delivered"


async def test_01_is_delivered_after_2_s_of_the_simulators_clock(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000001")
    assert await status_of(net, "33600000001") == "waiting"
    assert await net.advance(1) == 0
    assert await net.advance(1) == 1
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    assert await status_of(net, "33600000001") == "delivered"


async def test_01_is_delivered_by_the_clock_of_the_machine_too(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000001")
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]


async def test_02_is_undeliverable(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000002")
    assert await esme.receipts(1) == [(message_id, "UNDELIVERABLE")]
    receipt = read_receipt(esme.delivered[0])
    assert receipt is not None
    assert (receipt.stat, receipt.error_code) == ("UNDELIV", "001")
    assert find_tlv(esme.delivered[0].tlvs, TlvTag.NETWORK_ERROR_CODE) == b"\x03\x00\x01"
    assert await status_of(net, "33600000002") == "undeliverable"


async def test_03_has_a_receipt_that_says_expired(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000003")
    assert await esme.receipts(1) == [(message_id, "EXPIRED")]
    assert await status_of(net, "33600000003") == "expired"


async def test_04_is_absent_and_delivered_after_30_s(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000004")
    assert await net.advance(29) == 0
    assert await net.advance(1) == 1
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]


async def test_04_tells_that_it_is_on_the_way_where_that_is_asked_for(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000004", registered_delivery=0x11)
    assert await esme.receipts(1) == [(message_id, "ENROUTE")]
    assert esme.delivered[0].esm_class == EsmClass.INTERMEDIATE
    await net.advance(30)
    assert await esme.receipts(2) == [(message_id, "ENROUTE"), (message_id, "DELIVERED")]


async def test_05_is_refused_at_submit(net: Network, esme: Esme) -> None:
    response = await esme.ask(message("33600000005"))
    assert response.command_status == Status.ESME_RINVDSTADR
    assert await status_of(net, "33600000005") == "refused"


@pytest.mark.parametrize(("number", "text"), [("33600000006", "Oui"), ("33600000007", "STOP")])
async def test_06_and_07_reply(net: Network, esme: Esme, number: str, text: str) -> None:
    message_id = await esme.submit(number)
    (reply,) = await esme.replies(1)
    assert (reply.short_message.decode(), reply.source_addr) == (text, number)
    assert (reply.destination_addr, reply.dest_addr_ton) == ("CHAPPE", 5)
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    shown = await net.messages(number)
    assert [(each["direction"], each["text"]) for each in shown] == [("received", "Bonjour"), ("sent", text)]


async def test_08_never_has_a_receipt(net: Network, esme: Esme) -> None:
    await esme.submit("33600000008")
    after = await esme.submit("33600000000")
    assert await esme.receipts(1) == [(after, "DELIVERED")]
    assert await net.advance(86_400) == 0
    assert await status_of(net, "33600000008") == "delivered"


async def test_09_has_its_receipt_before_the_submit_response(esme: Esme) -> None:
    message_id = await esme.submit("33600000009")
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    kinds = [type(each) for each in esme.log[1:]]
    assert kinds == [DeliverSm, SubmitSmResp]


async def test_10_has_its_receipt_twice(esme: Esme) -> None:
    message_id = await esme.submit("33600000010")
    assert await esme.receipts(2) == [(message_id, "DELIVERED")] * 2


async def test_11_has_a_vendor_error_at_submit_and_is_then_accepted(net: Network, esme: Esme) -> None:
    refused = await esme.ask(message("33600000011"))
    assert refused.command_status == Status.ESME_RX_T_APPN
    assert find_tlv(refused.tlvs, 0x1400) is not None
    message_id = await esme.submit("33600000011")
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    again = await esme.ask(message("33600000011"))
    assert again.command_status == Status.ESME_RX_T_APPN
    assert len(await net.messages("33600000011")) == 1


async def test_no_receipt_is_sent_that_was_not_asked_for(esme: Esme) -> None:
    await esme.submit("33600000000", registered_delivery=0)
    on_failure = await esme.submit("33600000002", registered_delivery=2)
    await esme.submit("33600000000", registered_delivery=2)
    last = await esme.submit("33600000000")
    assert await esme.receipts(2) == [(on_failure, "UNDELIVERABLE"), (last, "DELIVERED")]
