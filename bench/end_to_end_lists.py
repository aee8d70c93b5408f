"""Requests of 100 numbers from request to stored receipt, window 100, over 200,000 messages."""

from __future__ import annotations

from bench.appends import appends_per_second
from bench.delivered import Delivered
from bench.figures import Context, Figure, in_turns
from bench.requests import lists, sending_folder, verify
from bench.send import APPENDED_OCTETS, APPENDS_S
from bench.servers import WINDOW, Smsc, chappe

SIZE = 100
MESSAGES = 200_000


def run(context: Context) -> list[Figure]:
    """Messages a second, and how the disk was meanwhile."""
    rounds = 9 if context.long else 3
    folder, data = context.folder, context.folder / "data"
    with Smsc(folder / "counters") as smsc:
        account = sending_folder(data, smsc.port, WINDOW)
        exchanges = lists(account, MESSAGES // SIZE, SIZE)
        with chappe(data) as server:
            smsc.bound()
            ours = Delivered(server, smsc, exchanges, MESSAGES, size=SIZE)
            references, subjects, _ = in_turns(
                lambda: appends_per_second(folder, APPENDED_OCTETS, APPENDS_S), ours.turn, rounds
            )
            resident_mb = server.resident_mb
        verify(data, account, ours.requests, ours.messages, delivered=True)
    return [
        Figure("messages", "/s", subjects),
        Figure("fdatasync appends", "/s", references),
        Figure("accepted meanwhile", "/s", ours.accepted),
        Figure("server CPU a message", "us", ours.cpu_us),
        Figure("SMSC and load generator busy", "of their core", ours.busy),
        Figure("resident at the end", "MB", [resident_mb]),
    ]
