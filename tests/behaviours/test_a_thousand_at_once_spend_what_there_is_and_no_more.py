"""A thousand top-ups and debits at once, by socket and over HTTP: the sums are right, and no balance is overspent."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from chappe.administration.commands import AccountCreate, AccountCredit, AccountShow, CommandRefused
from tests.support.clocked import unexpected_total
from tests.support.customer import Customer, status_words
from tests.support.server import CHAPPE, ChappeServer, clean_environment
from tests.support.wire import call, head

T = TypeVar("T")
EMAIL = "ana@example.fr"
AT_ONCE = 64


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ChappeServer]:
    with sound(tmp_path) as running:
        yield running


@contextmanager
def sound(directory: Path) -> Iterator[ChappeServer]:
    """A server of which every invariant holds at the end."""
    with ChappeServer(directory, rate_limits=False) as running:
        yield running
        assert running.run("check") == "every invariant holds\n"
        assert unexpected_total(running.base_url) == 0
    running.assert_no_traceback()


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [future.result() for future in [threads.submit(act) for act in acts]]


def credit(server: ChappeServer, amount: str) -> Callable[[], bool]:
    def act() -> bool:
        try:
            server.ask(AccountCredit(EMAIL, amount))
        except CommandRefused as refused:
            if "insufficient credit" not in str(refused):
                raise
            return False
        return True

    return act


def test_a_thousand_debits_against_a_balance_for_ten_take_exactly_ten(server: ChappeServer) -> None:
    server.ask(AccountCreate(EMAIL, credit="10"))
    done = at_once([credit(server, "-1")] * 1000)
    assert done.count(True) == 10
    assert server.ask(AccountShow(EMAIL))["balance"] == "0"


def test_top_ups_debits_and_sends_at_once_add_up(server: ChappeServer) -> None:
    customer = Customer(server, credit="5", email=EMAIL)
    acts = [credit(server, "0.5"), credit(server, "-0.7"), lambda: customer.try_send().status == 200]
    done = at_once([acts[n % 3] for n in range(1000)])
    up, down, sent = (done[n::3].count(True) for n in range(3))
    assert up == 334
    assert down < 333, "there is not enough for all"
    left_milli = 5000 + 500 * up - 700 * down - 38 * sent
    assert left_milli >= 0
    assert int(float(customer.balance) * 1000 + 0.5) == left_milli


def test_the_command_line_itself_many_times_at_once(server: ChappeServer) -> None:
    server.ask(AccountCreate(EMAIL, credit="3"))
    command = [str(CHAPPE), "account", "credit", EMAIL, "-1", "--data", str(server.data)]
    processes = [
        subprocess.Popen(
            command,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(8)
    ]
    assert sorted(process.wait(60) for process in processes) == [0] * 3 + [1] * 5
    assert server.ask(AccountShow(EMAIL))["balance"] == "0"


def test_a_thousand_sends_against_a_balance_for_ten_are_accepted_ten_times(
    tmp_path: Path, either_database: str
) -> None:
    with sound(tmp_path) as server:
        key = server.create_account(EMAIL, "0.38")["apiKey"]
        answers = asyncio.run(_all_at_once(server.base_url, key))
        accepted = [answer for status, answer in answers if status == 200]
        refused = [answer for status, answer in answers if status == 402]
        assert (len(accepted), len(refused)) == (10, 990)
        assert all(answer["success"] is True and answer["cost"] == 0.038 for answer in accepted)
        assert all((answer["success"], answer["code"]) == (False, 11) for answer in refused)
        ids = {int(str(answer["message_id"])) for answer in accepted}
        assert len(ids) == 10
        assert all(len(status_words(server.base_url, key, message_id)) == 1 for message_id in ids)
        assert call(server.base_url, f"/sms/v1/me?apiKey={key}").json["credits"]["balance"] == "0.000"


async def _all_at_once(base_url: str, key: str) -> list[tuple[int, dict[str, object]]]:
    """A thousand connections are opened; only then does each send its request."""
    place = urlsplit(base_url)
    connections = await asyncio.gather(
        *(asyncio.open_connection(place.hostname, place.port) for _ in range(1000))
    )

    async def send(n: int) -> tuple[int, dict[str, object]]:
        reader, writer = connections[n]
        body = json.dumps({"apiKey": key, "phoneNumbers": f"+3367{n:07}", "message": "Bonjour"})
        headers = {"Content-Length": str(len(body)), "Connection": "close"}
        writer.write(head("POST", "/sms/v1/send", headers) + body.encode())
        answer = await reader.read()
        writer.close()
        first, _, rest = answer.partition(b"\r\n")
        return int(first.split()[1]), json.loads(rest.partition(b"\r\n\r\n")[2])

    async with asyncio.timeout(60):
        return await asyncio.gather(*map(send, range(1000)))
