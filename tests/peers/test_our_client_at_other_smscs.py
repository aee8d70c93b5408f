"""Our SMPP client at two SMSCs that others wrote: what they read is what was written, and what they say comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.behaviours.callbacks import callback_server
from tests.support.peers import need, need_module, need_npm
from tests.support.programs import Program, Said
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

PROGRAMS = Path(__file__).parent / "programs"
PEERS = ("npm smpp", "Net::SMPP")

# Each way to connect and to write has an operator of its own, at the same SMSC, for the phones with its prefix.
OPERATORS = {
    "udh8": ("33610", ""),
    "udh16": ("33611", 'long_messages = "udh16"'),
    "sar": ("33612", 'long_messages = "sar"'),
    "payload": ("33613", 'long_messages = "payload"'),
    "latin1": ("33614", 'charset = "latin1"'),
    "pair": ("33615", 'bind = "pair"'),
    "lively": ("33616", "enquire_link_s = 0.2"),
}

GSM = "Été à Noël, 5 € l'entrée: @ £ $ ¥ è é ù ì ò Ç Ø å Δ _ Φ Γ Λ Ω Π Ψ Σ Θ Ξ Æ æ ß É ¤ ¡ ¿ Ä\nfin"
SURROGATES_AT_THE_CUT = "é" * 66 + "😀" * 40
TEXTS = {
    "plain": ("Bonjour Ana", False, 1),
    "GSM with its extension": (GSM.replace("ë", "e").replace("Ä", "A"), False, 1),
    "160 septets": ("€" * 80, False, 1),
    "long": ("Votre colis n'est pas loin; " * 20, False, 4),
    "long, with an extension character at each cut": ("a" * 152 + "€" * 160, False, 4),
    "Unicode": ("Ça marche 👍🏽 — « œuf » 日本語", True, 1),
    "long Unicode": ("Œuvre n°1: ça va? 😀 " * 9, True, 3),
    "Unicode with a surrogate pair at the cut": (SURROGATES_AT_THE_CUT, True, 3),
}


@dataclass
class World:
    """A server with the operators, the SMSC behind them, and the customer's own server."""

    server: ChappeServer
    smsc: Program
    receiver: Receiver
    key: str

    def send(self, numbers: str, text: str, **more: Any) -> int:
        """Through the API; gives the message_id."""
        body = {
            "apiKey": self.key,
            "phoneNumbers": numbers,
            "message": text,
            "sender": "Chappe",
            "urlDlr": self.receiver.url("/dlr"),
            "urlResponse": self.receiver.url("/reply"),
            **more,
        }
        answer = requests.post(f"{self.server.base_url}/sms/v1/send", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["message_id"]

    def get(self, page: str, **parameters: Any) -> Any:
        query = {"apiKey": self.key, **parameters}
        answer = requests.get(f"{self.server.base_url}/sms/v1/{page}", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reports(self, message_id: int, count: int = 1) -> dict[str, str]:
        """phone -> status, as the callbacks tell it, once there are `count`."""
        found = self.receiver.wait(
            count, lambda each: each.path == "/dlr" and each.json["msgId"] == str(message_id)
        )
        return {each.json["phone"]: each.json["status"] for each in found}

    def reply(self, message_id: int) -> dict[str, Any]:
        """The callback about an answer to a message."""
        (found,) = self.receiver.wait(
            1, lambda each: each.path == "/reply" and each.json["message_id"] == message_id
        )
        return found.json

    def read(self, number: str) -> Said:
        """The text that the SMSC read for a phone."""
        (found,) = self.smsc.wait("text", lambda said: said["to"] == number)
        return found


def smsc_program(peer: str, directory: Path) -> Program:
    if peer == "npm smpp":
        command = [need("node"), str(PROGRAMS / "smsc.js")]
        return Program(command, directory / "smsc.log", NODE_PATH=str(need_npm("smpp")))
    perl = need("perl")
    need_module("Net::SMPP", perl, "-MNet::SMPP", "-MJSON::PP", "-e", "1")
    return Program([perl, str(PROGRAMS / "smsc.pl")], directory / "smsc.log")


def configuration(port: int) -> str:
    lines: list[str] = []
    for name, (prefix, options) in OPERATORS.items():
        lines += [
            "[[operators]]",
            f'name = "{name}"\nkind = "smpp"\nhost = "127.0.0.1"\nport = {port}',
            f'system_id = "{name}"\npassword = "secret"\nreconnect_s_max = 1\n{options}',
            f'[[routes]]\nproduct = "sms"\nprefix = "{prefix}"\noperators = ["{name}"]',
        ]
    return "\n".join(lines)


@pytest.fixture(scope="module", params=PEERS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    with smsc_program(request.param, directory) as smsc, Receiver() as receiver:
        (listening,) = smsc.wait("listening")
        server = callback_server(directory / "server")
        (server.data / "chappe.toml").write_text(configuration(listening["port"]))
        with server:
            key = server.create_account("ana@example.fr", "1000")["apiKey"]
            smsc.wait("bound", count=len(OPERATORS) + 1)
            yield World(server, smsc, receiver, key)
        server.assert_no_traceback()


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_sent_is_what_the_smsc_reads_and_its_receipt_comes_back(world: World, operator: str) -> None:
    prefix = OPERATORS[operator][0]
    sent: dict[str, int] = {}
    for place, (text, is_unicode, _) in enumerate(TEXTS.values()):
        number = f"{prefix}0000{place}0"
        sent[number] = world.send(f"+{number}", text, isUnicode=int(is_unicode))
    for (number, message_id), (name, (text, is_unicode, parts)) in zip(
        sent.items(), TEXTS.items(), strict=True
    ):
        read = world.read(number)
        expected, in_unicode = text, is_unicode
        if operator == "latin1" and not is_unicode:
            # What Latin-1 lacks is `?`, unless as Unicode it takes no more parts.
            in_unicode = not is_in_latin_1(text) and len(text) <= 70
            expected = text if in_unicode else text.encode("latin-1", "replace").decode("latin-1")
        assert read["text"] == expected, name
        assert (read["from"], read["system_id"]) == ("Chappe", operator)
        assert read["parts"] == (1 if operator == "payload" else parts), name
        assert read["data_coding"] == (8 if in_unicode else 3 if operator == "latin1" else 0), name
        if parts > 1:
            assert read["joined_by"] in joints(operator), name
        assert world.reports(message_id) == {f"+{number}": "delivered"}, name
        status = world.get("message-status", messageId=message_id, phoneNumber=f"+{number}")
        assert status["statut"] == "Delivered", name
        assert status["cost"] == pytest.approx(0.038 * parts), name


def is_in_latin_1(text: str) -> bool:
    return text.encode("latin-1", "replace").decode("latin-1") == text


def joints(operator: str) -> tuple[object, ...]:
    """How the parts may say that they belong together."""
    if operator == "udh16":
        return (16, 8)  # 8 where a part is full: it has no room for the longer header
    return (operator,) if operator in ("sar", "payload") else (8,)


def test_a_reference_of_16_bits_is_read(world: World) -> None:
    world.send("+33611000091", SURROGATES_AT_THE_CUT, isUnicode=1)
    assert world.read("33611000091")["joined_by"] == 16


def test_each_number_of_a_request_has_its_own_word(world: World) -> None:
    fates = {"0": "delivered", "2": "not delivered", "3": "not delivered", "4": "delivered"}
    numbers = {f"+336100001{number}{last}": fates[last] for number in range(5) for last in fates}
    message_id = world.send(",".join(numbers), "À chacun son sort")
    assert world.reports(message_id, len(numbers)) == numbers
    listed = world.get("bulk-status", messageId=message_id)["StatutResponse_List"]
    words = {"delivered": "Delivered", "not delivered": "Not delivered"}
    assert {each["phoneNumber"]: each["status"] for each in listed} == {
        number: words[fate] for number, fate in numbers.items()
    }


def test_no_receipt_is_acknowledged_before_the_status_tells_it(world: World) -> None:
    numbers = [f"+3361001{number:04}" for number in range(0, 5000, 10)]
    message_id = world.send(",".join(numbers), "À cinq cents", urlDlr="")
    world.smsc.wait("acknowledged", lambda said: said["phone"].startswith("3361001"), count=len(numbers))
    listed = world.get("bulk-status", messageId=message_id)["StatutResponse_List"]
    assert {each["phoneNumber"]: each["status"] for each in listed} == dict.fromkeys(numbers, "Delivered")


def test_a_long_message_that_is_not_delivered_says_so_once(world: World) -> None:
    message_id = world.send("+33610000092", "Trop long pour un seul SMS; " * 10)
    assert world.reports(message_id) == {"+33610000092": "not delivered"}
    # All receipts of its parts are in when the SMSC has their acknowledgements.
    world.smsc.wait(
        "acknowledged", lambda said: said["what"] == "receipt" and said["phone"] == "33610000092", count=2
    )
    assert len(world.reports(message_id)) == 1


LONG_REPLY = "Oui, à 18h00: ça me va très bien 👍 — " * 6


@pytest.mark.parametrize("operator", ["udh8", "pair"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [("Oui", "response"), ("STOP", "stop"), (LONG_REPLY, "response")],
    ids=["oui", "stop", "long"],
)
def test_a_reply_reaches_the_customer(world: World, operator: str, text: str, kind: str) -> None:
    number = f"{OPERATORS[operator][0]}00020{('Oui', 'STOP', LONG_REPLY).index(text)}"
    message_id = world.send(f"+{number}", "Venez-vous?")
    world.reports(message_id)
    world.smsc.tell("reply", system_id=operator, **{"from": number, "to": "36000", "text": text})
    assert world.reply(message_id) == {
        "type": kind,
        "phone_number": f"+{number}",
        "text": text,
        "message_id": message_id,
    }
    acknowledged = world.smsc.wait(
        "acknowledged", lambda said: said["what"] == "reply" and said["phone"] == number
    )
    assert {said["status"] for said in acknowledged} == {0}
    body = {"apiKey": world.key, "phoneNumbers": f"+{number}", "message": "Encore"}
    again = requests.post(f"{world.server.base_url}/sms/v1/send", json=body, timeout=30).json()
    assert again["code"] == (14 if kind == "stop" else 200)


def test_both_ends_ask_whether_the_other_is_there(world: World) -> None:
    world.smsc.wait("enquire_link", lambda said: said["system_id"] == "lively")
    world.smsc.tell("enquire", system_id="udh8")
    (answer,) = world.smsc.wait("enquire_link_resp", lambda said: said["system_id"] == "udh8")
    assert answer["status"] == 0


def test_after_an_unbind_of_the_smsc_we_bind_again(world: World) -> None:
    before = len(world.smsc.said)
    world.smsc.tell("unbind", system_id="sar")
    (answer,) = world.smsc.wait("unbind_resp", after=before)
    assert answer["status"] == 0
    world.smsc.wait("bound", lambda said: said["system_id"] == "sar", after=before)
    message_id = world.send("+33612000090", "De retour")
    assert world.reports(message_id) == {"+33612000090": "delivered"}


@pytest.mark.parametrize("peer", PEERS)
def test_we_unbind_before_we_go_and_a_wrong_password_is_said(tmp_path: Path, peer: str) -> None:
    with smsc_program(peer, tmp_path) as smsc:
        (listening,) = smsc.wait("listening")
        server = ChappeServer(tmp_path / "server")
        toml = configuration(listening["port"])
        (server.data / "chappe.toml").write_text(toml.replace('"secret"', '"wrong"', 1))
        with server:
            smsc.wait("bound", count=len(OPERATORS))
            smsc.wait("refused", lambda said: said["system_id"] == "udh8")
        ends = smsc.wait("closed", lambda said: bool(said["system_id"]), count=len(OPERATORS))
        unbinds = smsc.wait("unbind", count=len(OPERATORS))
        assert sorted(map(end, unbinds)) == sorted(map(end, ends))
    refusals = [json.loads(line) for line in server.stderr.splitlines() if "refused the bind" in line]
    assert {(each["operator"], each["status"]) for each in refusals} == {("udh8", "ESME_RINVPASWD")}
    server.assert_no_traceback()


def end(said: Said) -> tuple[str, str]:
    return said["system_id"], said["bind"]
