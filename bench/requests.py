"""Sends as a customer writes them, and the data folder of a server that takes them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from bench.figures import Void
from bench.filled import Filled, sender
from bench.load import OK, Exchange, get, post
from chappe.messages.states import State

TEXT = "Bonjour, votre rendez-vous est confirme pour demain a 10 h 30."
PRICE_MICRO = 38_000
FIRST_NUMBER = 33_611_000_000
_CONFIGURATION = """[limits.pages]
"sms.send" = "1000000/1"
"sms.bulk-status" = "1000000/1"
"sms.message-status" = "1000000/1"

[[operators]]
name = "op1"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "bench"
password = "bench"
window = {window}
reconnect_s_max = 1.0

[[routes]]
product = "sms"
operators = ["op1"]
"""


def sending_folder(data: Path, port: int, window: int) -> Filled:
    """A folder whose SMS go to the SMSC at `port`; limits out of the way but taken. Gives the account that sends."""
    data.mkdir()
    (data / "chappe.toml").write_text(sending_configuration(port, window))
    return sender(data)


def sending_configuration(port: int, window: int) -> str:
    """The chappe.toml of such a folder."""
    return _CONFIGURATION.format(port=port, window=window)


def singles(account: Filled, count: int) -> list[Exchange]:
    """One number a request, another one in each."""
    return [send(account, [FIRST_NUMBER + number]) for number in range(count)]


def lists(account: Filled, count: int, size: int) -> list[Exchange]:
    """`size` numbers a request, all of them different."""
    return [
        send(account, range(FIRST_NUMBER + first, FIRST_NUMBER + first + size))
        for first in range(0, count * size, size)
    ]


def send(account: Filled, numbers: Sequence[int], *, opted_out: int = 0) -> Exchange:
    """The request, and its answer when so many of the numbers opted out. `about` is the numbers."""
    joined = ",".join(f"+{number}" for number in numbers)
    body = json.dumps({"apiKey": account.api_key, "phoneNumbers": joined, "message": TEXT})
    holds = f'"nb_sms":{len(numbers) - opted_out},'
    return post("/sms/v1/send", body.encode(), OK, holds.encode(), numbers)


def message_status(account: Filled, message_id: int, number: int) -> Exchange:
    """The status call for a recipient that was delivered."""
    path = f"/sms/v1/message-status?apiKey={account.api_key}&messageId={message_id}&phoneNumber={quote(f'+{number}')}"
    return get(path, OK, b'"statut":"Delivered"')


def verify(data: Path, account: Filled, messages: int, recipients: int, *, delivered: bool = False) -> None:
    """What was answered is there and debited once; with `delivered` every recipient is. Raises `Void` otherwise."""
    with closing(sqlite3.connect(f"file:{data / 'chappe.db'}?mode=ro", uri=True)) as database:

        def one(sql: str, *parameters: object) -> int:
            return database.execute(sql, parameters).fetchone()[0]

        found = {
            "messages": (one("SELECT COUNT(*) FROM messages"), messages),
            "recipients": (one("SELECT COUNT(*) FROM recipients"), recipients),
            "micro-euros debited": (
                account.balance_micro
                - one("SELECT balance_micro FROM accounts WHERE id = ?", account.account_id),
                recipients * PRICE_MICRO,
            ),
        }
        if delivered:
            found["delivered"] = (
                one("SELECT COUNT(*) FROM recipients WHERE state = ?", State.DELIVERED),
                recipients,
            )
    for what, (is_, should_be) in found.items():
        if is_ != should_be:
            raise Void(f"{is_} {what}, not {should_be}: what was answered is not what is stored")
