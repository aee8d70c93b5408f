"""The simulator's SMSC, octet for octet: binds, texts, receipts, what is asked about messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chappe.messages.segments import segments
from chappe.operators.smpp.ancillary import CancelSm, QuerySm, QuerySmResp, ReplaceSm
from chappe.operators.smpp.binds import BindTransceiver, BindTransmitter, EnquireLink, Unbind
from chappe.operators.smpp.constants import CommandStatus as Status
from chappe.operators.smpp.constants import MessageState, TlvTag
from chappe.operators.smpp.fields import Destination
from chappe.operators.smpp.long_message import LongMode, build_parts
from chappe.operators.smpp.messages import DataSm, DataSmResp, SubmitMulti, SubmitMultiResp
from chappe.operators.smpp.text import GSM0338, UCS2, Coding
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


@pytest.mark.parametrize(
    ("system_id", "password", "status"),
    [
        ("sim", "wrong", Status.ESME_RINVPASWD),
        ("other", "sim", Status.ESME_RINVSYSID),
        ("", "", Status.ESME_RINVSYSID),
    ],
)
async def test_a_wrong_bind_is_refused_and_may_be_corrected(
    net: Network, system_id: str, password: str, status: Status
) -> None:
    esme = await Esme.connect(net.port)
    refused = await esme.ask(BindTransceiver(system_id=system_id, password=password))
    assert refused.command_status == status
    assert (await esme.ask(BindTransceiver(system_id="sim", password="sim"))).command_status == 0
    await esme.close()


async def test_a_connection_that_only_guesses_passwords_is_closed(net: Network) -> None:
    esme = await Esme.connect(net.port)
    for _ in range(3):
        await esme.ask(BindTransmitter(system_id="sim", password="guess"))
    await esme.until(lambda: esme.is_ended)


async def test_receipts_go_to_a_receiver_bind_of_the_same_system_id(net: Network) -> None:
    transmitter = await net.bind("transmitter")
    receiver = await net.bind("receiver")
    message_id = await transmitter.submit("33612345678")
    assert await receiver.receipts(1) == [(message_id, "DELIVERED")]
    assert not transmitter.delivered
    await transmitter.close()
    await receiver.close()


async def test_several_binds_share_what_is_delivered(net: Network) -> None:
    binds = [await net.bind(answers=False) for _ in range(3)]
    for _ in range(300):
        await binds[0].submit("33612345678")
    # No bind gets more than its window while it does not answer.
    for each in binds:
        await each.until(lambda each=each: len(each.delivered) == 100)
    for each in binds:
        await each.close()


async def test_the_own_link_and_outside_programs_do_not_get_each_others_receipts(net: Network) -> None:
    system_id, password = net.simulator.link_account
    own = await net.bind(system_id=system_id, password=password)
    outside = await net.bind()
    first, second = await own.submit("33612345678"), await outside.submit("33612345678")
    assert await own.receipts(1) == [(first, "DELIVERED")]
    assert await outside.receipts(1) == [(second, "DELIVERED")]
    await own.close()
    await outside.close()


async def test_message_ids_count_up_and_go_on_after_a_restart(tmp_path: Path) -> None:
    ids: list[int] = []
    for _ in range(2):
        async with network(tmp_path / "data") as net:
            esme = await net.bind()
            ids += [int(await esme.submit("33612345678")) for _ in range(3)]
            await esme.close()
    assert ids == list(range(1, 7))


async def test_what_comes_at_once_is_answered_in_order(net: Network, esme: Esme) -> None:
    futures = [esme.send(message("33612345678", f"{number}")) for number in range(90)]
    responses: list[Any] = [await future for future in futures]
    assert [each.message_id for each in responses] == [str(number) for number in range(1, 91)]
    shown = await net.messages("33612345678")
    assert [each["text"] for each in shown] == [str(number) for number in range(90)]


GSM_TEXT = "L'été à Ÿ? Non: {[€]} ~ ^ | \\ " * 12
UNICODE_TEXT = "Ça marche 👍🏽 œuf 日本語 — « oui » " * 10


@pytest.mark.parametrize("mode", LongMode)
@pytest.mark.parametrize(("text", "coding"), [(GSM_TEXT, GSM0338), (UNICODE_TEXT, UCS2)], ids=["gsm", "ucs2"])
async def test_long_texts_are_joined_on_the_screen(
    net: Network, esme: Esme, mode: LongMode, text: str, coding: Coding
) -> None:
    text = text.replace("Ÿ", "Y") if coding is GSM0338 else text
    cut = [part[:60] for part in segments(text, unicode=True)] if mode is LongMode.UDH16 else None
    cut = cut or segments(text, unicode=coding is UCS2)
    parts = build_parts(cut, coding, mode, 0x1234)
    ids: list[str] = []
    for part in reversed(parts):  # out of order, as networks do
        ids.append(
            await esme.submit(
                "33612345678",
                part.short_message,
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                tlvs=part.tlvs,
            )
        )
    (shown,) = await net.messages("33612345678")
    assert shown["text"] == "".join(cut)
    assert (shown["parts"], shown["parts_received"], shown["status"]) == (len(parts), len(parts), "delivered")
    assert sorted(await esme.receipts(len(parts))) == sorted((each, "DELIVERED") for each in ids)


async def test_a_long_text_that_is_not_whole_yet_says_so(net: Network, esme: Esme) -> None:
    parts = build_parts(["a" * 153, "b" * 153, "c" * 10], GSM0338, LongMode.UDH8, 7)
    for number in (0, 2, 0):  # the first one twice: an answer was lost on the way
        await esme.submit("33612345678", parts[number].short_message, esm_class=parts[number].esm_class)
    (shown,) = await net.messages("33612345678")
    assert (shown["parts"], shown["parts_received"], shown["status"]) == (3, 2, "waiting")
    assert shown["text"] == "a" * 153 + " […] " + "c" * 10
    await esme.submit("33612345678", parts[1].short_message, esm_class=parts[1].esm_class)
    (shown,) = await net.messages("33612345678")
    assert (shown["text"], shown["status"]) == ("a" * 153 + "b" * 153 + "c" * 10, "delivered")


async def test_the_same_reference_again_is_another_text(net: Network, esme: Esme) -> None:
    for _ in range(2):
        for part in build_parts(["a" * 153, "b"], GSM0338, LongMode.UDH8, 7):
            await esme.submit("33612345678", part.short_message, esm_class=part.esm_class)
    shown = await net.messages("33612345678")
    assert [each["parts_received"] for each in shown] == [2, 2]


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"\x00 5\x1be \x05", 0, "@ 5€ é"),
        ("Crème brûlée".encode("latin-1"), 3, "Crème brûlée"),
        ("Привет".encode("utf-16-be"), 8, "Привет"),
        (b"\xd8\x3d", 8, "�"),
        (b"nul\x00s", 3, "nul�s"),
        (b"", 0, ""),
    ],
)
async def test_texts_are_read_by_their_data_coding(
    net: Network, esme: Esme, octets: bytes, data_coding: int, text: str
) -> None:
    await esme.submit("33612345678", octets, data_coding=data_coding)
    assert (await net.messages("+33612345678"))[0]["text"] == text


async def test_data_sm_carries_a_message_too(net: Network, esme: Esme) -> None:
    request = DataSm(
        source_addr="36000",
        destination_addr="+33612345678",
        registered_delivery=1,
        tlvs=((int(TlvTag.MESSAGE_PAYLOAD), b"Bonjour"),),
    )
    response = await esme.ask(request)
    assert isinstance(response, DataSmResp)
    assert await esme.receipts(1) == [(response.message_id, "DELIVERED")]
    (shown,) = await net.messages("33612345678")
    assert (shown["from"], shown["to"], shown["text"]) == ("36000", "+33612345678", "Bonjour")


async def test_submit_multi_reaches_each_phone_and_names_those_it_cannot(net: Network, esme: Esme) -> None:
    numbers = ["33612345678", "33600000004", "33600000005", "none"]
    request = SubmitMulti(
        source_addr="CHAPPE",
        source_addr_ton=5,
        destinations=(*(Destination(number, 1, 1) for number in numbers), Destination(list_name="friends")),
        registered_delivery=1,
        short_message=b"Bonjour",
    )
    response = await esme.ask(request)
    assert isinstance(response, SubmitMultiResp)
    assert {(each.address, each.command_status) for each in response.unsuccessful} == {
        ("none", Status.ESME_RINVDSTADR),
        ("friends", Status.ESME_RINVDLNAME),
        ("33600000005", Status.ESME_RINVDSTADR),
    }
    await net.advance(30)
    # One id for all of it (section 4.5.2), told apart by the number.
    assert await esme.receipts(2) == [(response.message_id, "DELIVERED")] * 2
    assert {each.source_addr for each in esme.delivered} == {"33612345678", "33600000004"}


async def test_query_tells_the_state(net: Network, esme: Esme) -> None:
    waiting, ended = await esme.submit("33600000004"), await esme.submit("33600000002")
    response = await esme.ask(QuerySm(message_id=waiting, source_addr="CHAPPE"))
    assert isinstance(response, QuerySmResp)
    assert (response.message_state, response.final_date) == (MessageState.ENROUTE, "")
    response = await esme.ask(QuerySm(message_id=ended))
    assert isinstance(response, QuerySmResp)
    assert (response.message_state, len(response.final_date)) == (MessageState.UNDELIVERABLE, 16)
    for unknown in ("999", "", "x" * 64, "-1", "9" * 30):
        assert (await esme.ask(QuerySm(message_id=unknown))).command_status == Status.ESME_RQUERYFAIL
    assert (
        await esme.ask(QuerySm(message_id=ended, source_addr="OTHER"))
    ).command_status == Status.ESME_RQUERYFAIL


async def test_a_message_that_waits_is_cancelled(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000004")
    assert (await esme.ask(CancelSm(message_id=message_id))).command_status == 0
    assert await esme.receipts(1) == [(message_id, "DELETED")]
    assert (await esme.ask(CancelSm(message_id=message_id))).command_status == Status.ESME_RCANCELFAIL
    assert await net.advance(60) == 0
    await esme.submit("33600000004")
    by_addresses = CancelSm(source_addr="CHAPPE", destination_addr="33600000004")
    assert (await esme.ask(by_addresses)).command_status == 0
    assert [each["status"] for each in await net.messages("33600000004")] == ["deleted", "deleted"]


async def test_a_message_that_waits_is_replaced(net: Network, esme: Esme) -> None:
    message_id = await esme.submit("33600000004", b"before")
    replace = ReplaceSm(message_id=message_id, registered_delivery=1, short_message=b"after")
    assert (await esme.ask(replace)).command_status == 0
    await net.advance(30)
    assert await esme.receipts(1) == [(message_id, "DELIVERED")]
    assert (await net.messages("33600000004"))[0]["text"] == "after"
    replace = ReplaceSm(message_id=message_id, short_message=b"late")
    assert (await esme.ask(replace)).command_status == Status.ESME_RREPLACEFAIL


async def test_another_system_id_cannot_ask_about_a_message(net: Network, esme: Esme) -> None:
    system_id, password = net.simulator.link_account
    other = await net.bind(system_id=system_id, password=password)
    message_id = await esme.submit("33600000004")
    assert (await other.ask(QuerySm(message_id=message_id))).command_status == Status.ESME_RQUERYFAIL
    assert (await other.ask(CancelSm(message_id=message_id))).command_status == Status.ESME_RCANCELFAIL
    replace = ReplaceSm(message_id=message_id, short_message=b"x")
    assert (await other.ask(replace)).command_status == Status.ESME_RREPLACEFAIL
    await other.close()


async def test_schedule_and_validity_are_kept(net: Network, esme: Esme) -> None:
    scheduled = await esme.submit("33612345678", schedule_delivery_time="000000010000000R")
    short_lived = await esme.submit("33600000004", validity_period="000000000010000R")
    assert await net.advance(10) == 1
    assert await esme.receipts(1) == [(short_lived, "EXPIRED")]
    assert await net.advance(3590) == 1
    assert (await esme.receipts(2))[1] == (scheduled, "DELIVERED")
    for field, status in (
        ("schedule_delivery_time", Status.ESME_RINVSCHED),
        ("validity_period", Status.ESME_RINVEXPIRY),
    ):
        refused = await esme.ask(message("33612345678", **{field: "991399999999999+"}))
        assert refused.command_status == status


@pytest.mark.parametrize("address", ["", "abc", "12", "+", "0", "0612", "1" * 16, "+0612345678"])
async def test_what_is_no_number_is_refused(esme: Esme, address: str) -> None:
    assert (await esme.ask(message(address))).command_status == Status.ESME_RINVDSTADR


@pytest.mark.parametrize("address", ["33612345678", "+33612345678", "0033612345678", "0612345678"])
async def test_one_phone_has_many_spellings(net: Network, esme: Esme, address: str) -> None:
    await esme.submit(address)
    await esme.receipts(1)
    assert esme.delivered[0].source_addr == address  # the receipt has the one that was submitted
    for spelling in ("+33612345678", "%2B33612345678", "33612345678", "0033612345678"):
        assert len(await net.messages(spelling)) == 1


async def test_enquire_link_and_unbind_are_answered(net: Network) -> None:
    esme = await net.bind()
    assert (await esme.ask(EnquireLink())).command_status == 0
    submitted = [esme.send(message("33612345678")) for _ in range(50)]
    unbound = await esme.ask(Unbind())
    assert unbound.command_status == 0
    assert all(future.done() for future in submitted)  # what came before unbind was answered before it
    await esme.until(lambda: esme.is_ended)
