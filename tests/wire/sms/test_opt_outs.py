"""Who said STOP is not written to any more: neither by a new request, nor by one that was accepted before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chappe.administration.commands import MessageShow
from tests.support.clocked import ClockedServer
from tests.support.customer import Customer, received
from tests.support.receiver import Receiver

AT_NINE = {"scheduledDeliveryDate": "05/01/2026", "time": 9, "minute": 0}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    with ClockedServer(tmp_path_factory.mktemp("optouts")) as server:
        yield server


@pytest.mark.parametrize("marketing", [True, False], ids=["marketing", "transactional"])
def test_a_stop_between_accept_and_leaving_keeps_the_message_back(
    marketing: bool, moved: ClockedServer
) -> None:
    moved.clock.set("2026-01-05 08:00:00")
    customer = Customer(moved, marketing=marketing)
    stopper, other = "+33600000007", f"+3369000000{int(marketing)}"
    with Receiver() as receiver:
        deferred = customer.send(phoneNumbers=f"{stopper},{other}", urlDlr=receiver.url(), **AT_NINE)
        message_id = deferred["message_id"]
        customer.opt_out(stopper)
        assert (customer.balance, customer.to_send) == ("99.886", 2)
        assert customer.try_send(phoneNumbers=stopper).json["code"] == 14
        before = len(received(moved, stopper))
        moved.clock.set("2026-01-05 09:00:00")
        reports = {report.json["phone"]: report.json for report in receiver.wait(2)}
    assert {phone: (r["status"], r["cost"]) for phone, r in reports.items()} == {
        stopper: ("not delivered", "0"),
        other: ("delivered", "0.038"),
    }
    status = customer.status(message_id, stopper)
    assert (status["statut"], status["stopSms"], status["cost"]) == ("Not delivered", True, 0)
    assert customer.statut(message_id, other) == "Delivered"
    assert (customer.balance, customer.to_send) == ("99.924", 0)
    assert len(received(moved, stopper)) == before
    recipients = {each["number"]: each for each in moved.ask(MessageShow(message_id))["recipients"]}
    assert recipients[stopper]["tries"] == []


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop merci", "STOP."])
def test_a_reply_that_says_stop_opts_out(text: str, moved: ClockedServer) -> None:
    customer, phone = Customer(moved), f"+336911{sum(map(ord, text)):05}"
    message_id = customer.send(phoneNumbers=phone)["message_id"]
    moved.until(lambda: customer.statut(message_id, phone) == "Delivered", "it is delivered")
    moved.post(f"/simulator/phones/{phone}/reply", {"text": text})
    moved.until(lambda: customer.status(message_id, phone)["stopSms"] is True, "the STOP is known")
    assert customer.try_send(phoneNumbers=phone).json["code"] == 14


def test_a_reply_that_says_something_else_does_not(moved: ClockedServer) -> None:
    customer, phone = Customer(moved), "+33692000000"
    with Receiver() as receiver:
        message_id = customer.send(phoneNumbers=phone, urlResponse=receiver.url())["message_id"]
        moved.until(lambda: customer.statut(message_id, phone) == "Delivered", "it is delivered")
        for text in ("Oui", "Ne pas stopper", "stopper", "non stop"):
            assert moved.post(f"/simulator/phones/{phone}/reply", {"text": text}).status == 200
        replies = [(reply.json["type"], reply.json["text"]) for reply in receiver.wait(4)]
    assert {kind for kind, _ in replies} == {"response"}
    customer.send(phoneNumbers=phone)
