"""Programs made with smpplib at our simulator: its texts are on the phones, its handlers hear what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from smpplib import consts, exceptions, gsm, smpp
from smpplib.client import Client

from tests.support.phones import Phones, simulated_server

pytestmark = pytest.mark.peer

PATIENCE_S = 20.0
RECEIPT = 0x04
"""esm_class of a receipt: the library has no name for it."""


@dataclass
class Esme:
    """One bind, with what its handlers were called with."""

    client: Client
    sent: list[Any] = field(default_factory=list)
    """submit_sm_resp."""
    refused: list[Any] = field(default_factory=list)
    """Responses with an error."""
    received: list[Any] = field(default_factory=list)
    """deliver_sm."""
    queried: list[Any] = field(default_factory=list)
    """query_sm_resp."""

    def until(self, condition: Callable[[], bool]) -> None:
        """Reads, and acts as the library does, until `condition`."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self
            self.client.read_once()

    def submit(self, to: str, **fields: Any) -> None:
        """Any submit_sm with a receipt asked for."""
        self.client.send_message(
            **{
                "source_addr_ton": consts.SMPP_TON_ALNUM,
                "source_addr": "smpplib",
                "dest_addr_ton": consts.SMPP_TON_INTL,
                "dest_addr_npi": consts.SMPP_NPI_ISDN,
                "destination_addr": to,
                "registered_delivery": True,
                **fields,
            }
        )

    def submit_text(self, to: str, text: str) -> int:
        """As the library's documentation does it; gives the number of parts."""
        parts, data_coding, esm_class = gsm.make_parts(text)
        for part in parts:
            self.submit(to, short_message=part, data_coding=data_coding, esm_class=esm_class)
        return len(parts)

    def receipts(self, phone: str) -> list[dict[str, Any]]:
        """What the receipts about a phone say, in their parameters and in their text."""
        found: list[dict[str, Any]] = []
        for pdu in self.received:
            if pdu.source_addr.decode() == phone and pdu.esm_class & RECEIPT:
                words = pdu.short_message.decode("latin-1").split(" text:")[0]
                found.append({"id": pdu.receipted_message_id, "state": pdu.message_state, "words": words})
        return found

    def texts(self, phone: str) -> list[bytes]:
        """What a phone sent: whole messages, each as its octets."""
        found: dict[int, dict[int, bytes]] = {}
        for place, pdu in enumerate(self.received):
            if pdu.source_addr.decode() != phone or pdu.esm_class & RECEIPT:
                continue
            octets = pdu.short_message
            if pdu.esm_class & consts.SMPP_GSMFEAT_UDHI:
                assert octets[:3] == b"\x05\x00\x03"
                found.setdefault(-octets[3], {})[octets[5]] = octets[6:]
            else:
                found[place] = {1: octets}
        return [b"".join(parts[number] for number in sorted(parts)) for parts in found.values()]


@contextmanager
def bound(phones: Phones, bind: str, password: str = "sim") -> Iterator[Esme]:
    # Strict about parameters that it does not know: there shall be none.
    client = Client("127.0.0.1", phones.port, timeout=PATIENCE_S, allow_unknown_opt_params=False)
    esme = Esme(client)
    client.set_message_sent_handler(lambda pdu: esme.sent.append(pdu))
    client.set_message_received_handler(lambda pdu: esme.received.append(pdu))
    client.set_error_pdu_handler(lambda pdu: esme.refused.append(pdu))
    client.set_query_resp_handler(lambda pdu: esme.queried.append(pdu))
    client.connect()
    try:
        getattr(client, f"bind_{bind}")(system_id="sim", password=password)
        yield esme
        while client.state != consts.SMPP_CLIENT_STATE_OPEN:
            # Other responses and receipts may stand before the answer to the unbind.
            client.unbind()
    finally:
        client.disconnect()


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with simulated_server(tmp_path_factory.mktemp("smpplib")) as running:
        yield running


@pytest.fixture
def esme(phones: Phones) -> Iterator[Esme]:
    with bound(phones, "transceiver") as running:
        yield running


TEXTS = {
    "plain": "Bonjour Ana, à 18h",
    "extension": "L'été: 5 € {a} [b] ~ ^ \\ | @ £ Δ",
    "long": "Votre colis n'est pas loin, à 5 € près; " * 10,
    # The library cuts where it comes to 153 septets, also between an escape and its character.
    "an escape at the cut": "x" * 152 + "€" * 100,
    "unicode": "Ça marche 👍🏽 — « œuf » 日本",
    # And between the halves of a surrogate pair.
    "a surrogate pair at the cut": "日" * 66 + "😀" * 60,
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_sent_is_on_the_phone_and_each_part_has_its_receipt(
    phones: Phones, esme: Esme, name: str
) -> None:
    number = f"3361234566{list(TEXTS).index(name)}"
    parts = esme.submit_text(number, TEXTS[name])
    esme.until(lambda: len(esme.receipts(number)) == parts)
    ids = [pdu.message_id for pdu in esme.sent]
    assert [receipt["id"] for receipt in esme.receipts(number)] == ids
    assert {receipt["state"] for receipt in esme.receipts(number)} == {consts.SMPP_MESSAGE_STATE_DELIVERED}
    for receipt, message_id in zip(esme.receipts(number), ids, strict=True):
        assert receipt["words"].startswith(f"id:{message_id.decode()} sub:001 dlvrd:001 submit date:")
        assert receipt["words"].endswith(" stat:DELIVRD err:000")
    (shown,) = phones.screen(number)
    assert (shown["text"], shown["parts"], shown["status"]) == (TEXTS[name], parts, "delivered")


def test_parts_joined_by_sar_parameters_and_a_payload_are_read(phones: Phones, esme: Esme) -> None:
    text = "Œuvre n°1: ça va? 😀 " * 9
    parts, data_coding, _ = gsm.make_parts(text, use_udhi=False)
    for number, part in enumerate(parts, 1):
        esme.submit(
            "33612345667",
            short_message=part,
            data_coding=data_coding,
            sar_msg_ref_num=7,
            sar_total_segments=len(parts),
            sar_segment_seqnum=number,
        )
    esme.submit(
        "33612345668",
        short_message=b"",
        data_coding=data_coding,
        message_payload=text.encode("utf-16-be"),
    )
    esme.until(lambda: len(esme.receipts("33612345668")) == 1)
    assert phones.screen("33612345667")[0]["text"] == text
    assert phones.screen("33612345668")[0]["text"] == text


@pytest.mark.parametrize(
    ("number", "state", "words"),
    [
        ("33600000002", consts.SMPP_MESSAGE_STATE_UNDELIVERABLE, "stat:UNDELIV err:001"),
        ("33600000003", consts.SMPP_MESSAGE_STATE_EXPIRED, "stat:EXPIRED err:027"),
    ],
)
def test_a_receipt_says_what_went_wrong(esme: Esme, number: str, state: int, words: str) -> None:
    esme.submit_text(number, "Quel sort?")
    esme.until(lambda: len(esme.receipts(number)) == 1)
    (receipt,) = esme.receipts(number)
    assert receipt["state"] == state
    assert receipt["words"].endswith(words)


def test_a_refusal_and_one_with_a_vendors_parameter_are_read(phones: Phones, esme: Esme) -> None:
    esme.client.allow_unknown_opt_params = True
    esme.submit_text("33600000005", "Non")
    esme.submit_text("33600000011", "Pas encore")
    esme.until(lambda: len(esme.refused) == 2)
    assert [pdu.status for pdu in esme.refused] == [consts.SMPP_ESME_RINVDSTADR, consts.SMPP_ESME_RX_T_APPN]
    esme.submit_text("33600000011", "Pas encore")
    esme.until(lambda: len(esme.receipts("33600000011")) == 1)


def test_a_message_can_be_asked_about_while_its_phone_is_absent(phones: Phones, esme: Esme) -> None:
    esme.submit_text("33600000004", "Es-tu là?")
    esme.until(lambda: len(esme.sent) == 1)
    for expected in (consts.SMPP_MESSAGE_STATE_ENROUTE, consts.SMPP_MESSAGE_STATE_DELIVERED):
        esme.client.query_message(
            message_id=esme.sent[0].message_id.decode(),
            source_addr_ton=consts.SMPP_TON_ALNUM,
            source_addr_npi=consts.SMPP_NPI_UNK,
            source_addr="smpplib",
        )
        count = len(esme.queried) + 1
        esme.until(lambda count=count: len(esme.queried) == count)
        assert esme.queried[-1].message_state == expected
        phones.post("clock", {"advance_s": 30})
    esme.until(lambda: len(esme.receipts("33600000004")) == 1)


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("Oui", "ascii"),
        ("Oui, à 18h00, et pas plus tard. " * 12, "gsm0338"),
        ("D'accord 👍 — « ça va »: " * 8, "utf-16-be"),
    ],
    ids=["Oui", "long", "long unicode"],
)
def test_what_is_typed_on_a_phone_is_heard(phones: Phones, esme: Esme, text: str, coding: str) -> None:
    number = "33612345669"
    esme.submit_text(number, "Venez-vous?")
    esme.until(lambda: len(esme.receipts(number)) == 1)
    phones.reply(number, text)
    octets = gsm.gsm_encode(text) if coding == "gsm0338" else text.encode(coding)
    esme.until(lambda: octets in esme.texts(number))
    assert {pdu.destination_addr for pdu in esme.received} == {b"smpplib"}


def test_a_transmitter_and_a_receiver_make_a_pair(phones: Phones) -> None:
    with bound(phones, "transmitter") as transmitter, bound(phones, "receiver") as receiver:
        assert phones.binds() == ["bound_rx", "bound_tx"]
        transmitter.submit_text("33600000006", "Venez-vous?")
        receiver.until(lambda: len(receiver.received) == 2)
        assert receiver.receipts("33600000006")[0]["state"] == consts.SMPP_MESSAGE_STATE_DELIVERED
        assert receiver.texts("33600000006") == [b"Oui"]
        transmitter.until(lambda: len(transmitter.sent) == 1)
        assert transmitter.received == []
    assert phones.binds() == []


def test_a_wrong_password_is_refused(phones: Phones) -> None:
    refused = pytest.raises(exceptions.PDUError, match="Invalid Password")
    with refused, bound(phones, "transceiver", password="wrong"):
        pass


def test_enquire_link_is_answered(esme: Esme) -> None:
    esme.client.send_pdu(smpp.make_pdu("enquire_link", client=esme.client))
    assert esme.client.read_pdu().command == "enquire_link_resp"


def test_a_server_that_stops_unbinds_first(tmp_path_factory: pytest.TempPathFactory) -> None:
    with simulated_server(tmp_path_factory.mktemp("stops")) as phones:
        client = Client("127.0.0.1", phones.port, timeout=PATIENCE_S, allow_unknown_opt_params=False)
        client.connect()
        try:
            client.bind_transceiver(system_id="sim", password="sim")
            phones.server.stop()
            assert client.read_pdu().command == "unbind"
            with pytest.raises(exceptions.ConnectionError):
                client.read_pdu()
        finally:
            client.disconnect()
