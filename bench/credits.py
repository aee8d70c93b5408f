"""The three credits calls over 10,000 accounts, limits out of the way but taken, beside a bare ASGI hello-world.

Each request is of the next account, its row is read, and an answer counts only if it is 200 with that account's balance.
"""

from __future__ import annotations

from bench.bare import BODY
from bench.figures import Context, Figure, in_turns
from bench.filled import Filled, fill
from bench.load import OK, Exchange, get
from bench.servers import Measured, bare, chappe
from chappe.credit.money import balance_text, exact_text

ACCOUNTS = 10_000
LIMITS = """[limits.pages]
"sms.credits" = "1000000/1"
"voice.credits" = "1000000/1"
"mail.credits" = "1000000/1"
"""


def run(context: Context) -> list[Figure]:
    """Ratios of answers a second, and what an answer costs the server."""
    rounds, turn_s = (15, 8.0) if context.long else (5, 2.0)
    data = context.folder / "data"
    data.mkdir()
    (data / "chappe.toml").write_text(LIMITS)
    accounts = fill(data, ACCOUNTS)
    with bare("listener") as listener, bare("uvicorn") as uvicorn, chappe(data) as server:
        figures: list[Figure] = []
        hello = Measured(listener, [get("/", OK, BODY)], turn_s)
        for product, path in (("sms", sms_credits), ("mail", _mail), ("voice", _voice)):
            asked = Measured(server, [path(account) for account in accounts], turn_s)
            figures += _beside(hello, asked, product, "bare ASGI", rounds)
        stock = Measured(uvicorn, [get("/", OK, BODY)], turn_s)
        asked = Measured(server, [sms_credits(account) for account in accounts], turn_s)
        figures += _beside(stock, asked, "sms", "bare ASGI on stock uvicorn", rounds)
        return figures


def _beside(reference: Measured, subject: Measured, product: str, name: str, rounds: int) -> list[Figure]:
    references, subjects, ratios = in_turns(reference.turn, subject.turn, rounds)
    busy = [*reference.busy[-len(references) :], *subject.busy]
    pair = f"{product} / {name}"
    return [
        Figure(pair, "x", ratios),
        Figure(f"{pair}: answers", "/s", subjects),
        Figure(f"{pair}: answers of the reference", "/s", references),
        Figure(f"{pair}: server CPU an answer", "us", subject.cpu_us),
        Figure(f"{pair}: CPU of the reference", "us", reference.cpu_us[-len(references) :]),
        Figure(f"{pair}: load generator busy", "of its core", busy),
    ]


def sms_credits(account: Filled) -> Exchange:
    """The SMS call for the credits of `account`."""
    balance = f'"solde":"{balance_text(account.balance_micro)}"'.encode()
    return get(f"/sms/v1/me?apiKey={account.api_key}", OK, balance)


def _mail(account: Filled) -> Exchange:
    balance = f'"balance":"{balance_text(account.balance_micro)}"'.encode()
    return get(f"/mail/v1/me?apiKey={account.api_key}", OK, balance)


def _voice(account: Filled) -> Exchange:
    balance = f'"credit":"{exact_text(account.balance_micro)}"'.encode()
    return get(f"/voice/v1/me/{account.api_key}", OK, balance)
