"""Deferred sends: the date asked for on the clock of Paris, and nothing leaves before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.clocked import ClockedServer
from tests.support.customer import Customer, received
from tests.wire.sms.documented import SEND


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClockedServer]:
    """Its clock is set by every test that uses it."""
    with ClockedServer(tmp_path_factory.mktemp("moved")) as server:
        yield server


@pytest.fixture
def customer(moved: ClockedServer) -> Customer:
    moved.clock.set("2026-01-05 08:00:00")
    return Customer(moved)


def dated(date: str, time: object = None, minute: object = None) -> dict[str, object]:
    return {"scheduledDeliveryDate": date, "time": time, "minute": minute}


@pytest.mark.parametrize(
    ("asked", "printed"),
    [
        (dated("06/01/2026", 8, 30), "2026-01-06 08:30:00"),
        (dated("06/01/2026", "08", "05"), "2026-01-06 08:05:00"),
        (dated("6/1/2026", " 8 ", "0"), "2026-01-06 08:00:00"),
        (dated("05/01/2026", 8, 0), "2026-01-05 08:00:00"),
        (dated("05/01/2026", 24, 0), "2026-01-06 00:00:00"),
        (dated("31/12/2026", 24, 55), "2027-01-01 00:55:00"),
        (dated("06/01/2026", 0, 0), "2026-01-06 00:00:00"),
        # A program in Go leaves zeros out.
        (dated("06/01/2026", 8), "2026-01-06 08:00:00"),
        (dated("06/01/2026", None, 45), "2026-01-06 00:45:00"),
        (dated("29/02/2028", 12, 55), "2028-02-29 12:55:00"),
        (dated("29/03/2026", 1, 55), "2026-03-29 01:55:00"),
        (dated("29/03/2026", 3, 0), "2026-03-29 03:00:00"),
        (dated("25/10/2026", 2, 30), "2026-10-25 02:30:00"),
        (dated("31/12/9999", 23, 55), "9999-12-31 23:55:00"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_the_date_is_accepted_and_printed(asked: dict[str, object], printed: str, customer: Customer) -> None:
    assert customer.send(**asked)["scheduledDeliveryDate"] == printed


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (dated("", 8, 0), 45),
        (dated(None, None, 5), 45),  # type: ignore[arg-type]
        (dated("06/01/2026", 25, 0), 46),
        (dated("06/01/2026", -1, 0), 46),
        (dated("06/01/2026", "eight", 0), 46),
        (dated("06/01/2026", 8.5, 0), 46),
        (dated("06/01/2026", [8], 0), 46),
        (dated("06/01/2026", 10**18, 0), 46),
        (dated("06/01/2026", 8, "five"), 47),
        (dated("06/01/2026", 8, {}), 47),
        (dated("06/01/2026", 8, 3), 48),
        (dated("06/01/2026", 8, 60), 48),
        (dated("06/01/2026", 8, -5), 48),
        (dated("06/01/2026", 8, 10**18), 48),
        (dated("2026-01-06", 8, 0), 49),
        (dated("06-01-2026", 8, 0), 49),
        (dated("30/02/2026", 8, 0), 49),
        (dated("29/02/2027", 8, 0), 49),
        (dated("00/01/2026", 8, 0), 49),
        (dated("06/01/26", 8, 0), 49),
        (dated("tomorrow", 8, 0), 49),
        (dated("31/12/9999", 24, 0), 49),
        (dated(20260106, 8, 0), 49),  # type: ignore[arg-type]
        # The clock of Paris goes from 02:00 to 03:00 that night.
        (dated("29/03/2026", 2, 0), 49),
        (dated("29/03/2026", 2, 30), 49),
        (dated("29/03/2026", 2, 55), 49),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "-".join(map(str, value.values())),
)
def test_a_date_that_does_not_exist_or_cannot_be_read_is_refused(
    asked: dict[str, object], code: int, customer: Customer
) -> None:
    answer = customer.try_send(**asked)
    assert (answer.status, answer.json["code"], answer.json["message"]) == (400, code, SEND[code].fr)
    assert (customer.balance, customer.to_send) == ("100.000", 0)


def test_a_deferred_message_is_debited_at_once_and_waits_for_its_date(
    customer: Customer, moved: ClockedServer
) -> None:
    phone = "+33650000001"
    message_id = customer.send(phoneNumbers=f"{phone},+33650000002", **dated("06/01/2026", 8, 30))[
        "message_id"
    ]
    assert (customer.balance, customer.to_send) == ("99.924", 2)
    assert customer.status(message_id, phone)["date"] == "2026-01-05 08:00:00"
    moved.clock.set("2026-01-06 08:29:59")
    # What is due now leaves now; had the other one been due, it would have left before.
    now = customer.send(phoneNumbers="+33650000003")["message_id"]
    moved.until(lambda: customer.statut(now, "+33650000003") == "Delivered", "the other message is delivered")
    assert customer.statut(message_id, phone) == "Waiting"
    assert (received(moved, phone), customer.to_send) == ([], 2)
    moved.clock.set("2026-01-06 08:30:00")
    moved.until(lambda: customer.statut(message_id, phone) == "Delivered", "it is delivered")
    assert customer.status(message_id, phone)["date"] == "2026-01-06 08:30:00"
    assert (len(received(moved, phone)), customer.balance) == (1, "99.886")
    moved.until(lambda: customer.to_send == 0, "nobody waits")


def test_of_the_hour_that_comes_twice_the_first_is_meant(customer: Customer, moved: ClockedServer) -> None:
    moved.clock.set("2026-10-24 12:00:00")
    message_id = customer.send(**dated("25/10/2026", 2, 30))["message_id"]
    moved.clock.set("2026-10-25 02:30:00", fold=0)
    moved.until(
        lambda: customer.statut(message_id) == "Delivered", "it is delivered in the first of the hours"
    )
    assert customer.status(message_id)["date"] == "2026-10-25 02:30:00"


def test_a_half_hour_after_it_has_passed_once_is_in_the_past(
    customer: Customer, moved: ClockedServer
) -> None:
    moved.clock.set("2026-10-25 02:10:00", fold=1)
    answer = customer.try_send(**dated("25/10/2026", 2, 30))
    assert [each["elementId"] for each in answer.json["errors"]] == ["children[scheduledDeliveryDate].data"]
    customer.send(**dated("25/10/2026", 3, 0))


def test_a_deferred_message_survives_a_restart(moved: ClockedServer, customer: Customer) -> None:
    phone = "+33650000009"
    message_id = customer.send(phoneNumbers=phone, **dated("06/01/2026", 8, 30))["message_id"]
    moved.stop()
    moved.clock.set("2026-01-06 08:30:00")
    moved.start()
    moved.until(lambda: customer.statut(message_id, phone) == "Delivered", "it is delivered")
    assert len(received(moved, phone)) == 1
