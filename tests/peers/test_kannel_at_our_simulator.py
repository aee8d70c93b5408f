"""Kannel bound to our simulator: what its sendsms takes is on the phones, and what the phones say comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus, unquote_to_bytes

import pytest

from tests.behaviours.callbacks import until
from tests.support.kannel import Kannel
from tests.support.phones import Phones, simulated_server
from tests.support.receiver import Receiver, Request

pytestmark = pytest.mark.peer

STATES = {"transceiver": ["bound_trx"], "pair": ["bound_rx", "bound_tx"]}
# Kannel's words for what became of a message: the values of a delivery report's %d.
DELIVERED, FAILED, BUFFERED, ACCEPTED, REJECTED, EXPIRED = "1", "2", "4", "8", "16", "34"


@dataclass
class World:
    """A server whose simulator has Kannel bound to it."""

    phones: Phones
    kannel: Kannel
    receiver: Receiver
    bind: str

    def reports(self, name: str, *expected: str) -> list[str]:
        """The delivery reports of a message, once those `expected` have come; sorted, because two threads of Kannel's
        bring them.
        """
        for value in expected:
            self.receiver.wait(1, lambda each, value=value: each.path == f"/dlr/{name}?type={value}")
        paths = [each.path for each in self.receiver.requests]
        values = [path.partition("=")[2] for path in paths if path.startswith(f"/dlr/{name}?")]
        return sorted(values, key=int)


def arrived(request: Request) -> dict[str, str]:
    """A text from a phone, as Kannel's smsbox gives it to its own customer."""
    query = dict(pair.split("=", 1) for pair in request.path.partition("?")[2].split("&"))
    text = unquote_to_bytes(query["text"].replace("+", " ")).decode(query["charset"])
    return {"from": unquote_plus(query["from"]), "to": query["to"], "text": text}


@pytest.fixture(scope="module", params=STATES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("kannel")
    with (
        simulated_server(directory) as phones,
        Receiver() as receiver,
        Kannel(directory, phones.port, request.param, receiver) as kannel,
    ):
        until(lambda: phones.binds() == STATES[request.param], "Kannel is bound")
        yield World(phones, kannel, receiver, request.param)


TEXTS = {
    "plain": ("Bonjour Ana, à 18h", 0, 1),
    "extension": ("L'été: 5 € {a} [b] ~ ^ \\ | @ £ Δ", 0, 1),
    "long": ("Votre colis n'est pas loin, à 5 € près; " * 10, 0, 3),
    "unicode": ("Ça marche 👍🏽 — « œuf » 日本", 2, 1),
    "long-unicode": ("Œuvre n°1: ça va? 😀 " * 9, 2, 3),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_kannel_sends_is_on_the_phone_and_its_receipt_comes_back(world: World, name: str) -> None:
    text, coding, parts = TEXTS[name]
    number = f"3361234567{list(TEXTS).index(name)}"
    world.kannel.send(name, f"+{number}", text, coding=coding)
    assert world.reports(name, DELIVERED, ACCEPTED) == [DELIVERED, ACCEPTED]
    # Kannel asks for the receipt of one part of a long message: the others may still be on their way.
    until(lambda: world.phones.screen(number)[0]["parts_received"] == parts, "every part is there")
    (shown,) = world.phones.screen(number)
    assert {key: shown[key] for key in ("text", "parts", "parts_received", "from", "status")} == {
        "text": text,
        "parts": parts,
        "parts_received": parts,
        "from": "Kannel",
        "status": "delivered",
    }


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("02", [FAILED, ACCEPTED]),
        ("03", [ACCEPTED, EXPIRED]),
        ("05", [REJECTED]),
        ("11", [DELIVERED, ACCEPTED]),
    ],
)
def test_kannel_reads_every_fate(world: World, digits: str, expected: list[str]) -> None:
    world.kannel.send(f"fate-{digits}", f"+336000000{digits}", "Quel sort?")
    assert world.reports(f"fate-{digits}", *expected) == expected


def test_kannel_hears_that_a_phone_is_absent_and_that_it_came_back(world: World) -> None:
    world.kannel.send("absent", "+33600000004", "Es-tu là?")
    assert world.reports("absent", ACCEPTED, BUFFERED) == [BUFFERED, ACCEPTED]
    assert world.phones.post("clock", {"advance_s": 30})["settled"] >= 1
    assert world.reports("absent", DELIVERED) == [DELIVERED, BUFFERED, ACCEPTED]


def test_a_receipt_that_comes_twice_is_reported_once(world: World) -> None:
    world.kannel.send("twice", "+33600000010", "Une fois")
    world.reports("twice", DELIVERED)
    # A later message's report stands behind everything that the first one's second receipt made.
    world.kannel.send("after", "+33612345690", "Ensuite")
    world.reports("after", DELIVERED)
    assert world.reports("twice", ACCEPTED) == [DELIVERED, ACCEPTED]


REPLIES = {
    "Oui": "Oui",
    "extension": "L'été: 5 € {a} [b]",
    "long": "Oui, à 18h00, et pas plus tard. " * 12,
    "unicode": "D'accord 👍 — « ça va »",
    "long-unicode": "D'accord 👍 — « ça va »: " * 8,
}


@pytest.mark.parametrize("name", REPLIES)
def test_what_is_typed_on_a_phone_reaches_kannels_customer(world: World, name: str) -> None:
    number = f"3361234568{list(REPLIES).index(name)}"
    world.kannel.send(f"asked-{name}", f"+{number}", "Venez-vous?")
    world.reports(f"asked-{name}", DELIVERED)
    world.phones.reply(number, REPLIES[name])
    (request,) = world.receiver.wait(1, lambda each: f"from=%2B{number}" in each.path)
    assert arrived(request) == {"from": f"+{number}", "to": "Kannel", "text": REPLIES[name]}
    until(
        lambda: world.phones.screen(number)[-1]["status"] == "delivered", "Kannel has acknowledged the reply"
    )


@pytest.mark.parametrize(("digits", "text"), [("06", "Oui"), ("07", "STOP")])
def test_phones_that_reply_by_themselves_are_heard(world: World, digits: str, text: str) -> None:
    world.kannel.send(f"self-{digits}", f"+336000000{digits}", "Venez-vous?")
    (request,) = world.receiver.wait(1, lambda each: f"from=%2B336000000{digits}" in each.path)
    assert arrived(request)["text"] == text


def test_enquire_link_is_answered_on_every_bind(world: World) -> None:
    until(
        lambda: world.kannel.log.count("type_name: enquire_link_resp") >= 2 * len(STATES[world.bind]),
        "Kannel's enquire_link is answered",
    )
    assert world.phones.binds() == STATES[world.bind]


def test_kannel_unbinds_in_good_order(world: World, tmp_path: Path) -> None:
    before = world.phones.server.stderr.count('"unbound"')
    with Kannel(tmp_path, world.phones.port, world.bind, world.receiver):
        until(lambda: len(world.phones.binds()) == 2 * len(STATES[world.bind]), "a second Kannel is bound")
    until(lambda: world.phones.binds() == STATES[world.bind], "the second Kannel is gone")
    ends = [json.loads(line) for line in world.phones.server.stderr.splitlines() if '"unbound"' in line][
        before:
    ]
    assert [each["reason"] for each in ends] == ["unbound, then closed"] * len(STATES[world.bind])
