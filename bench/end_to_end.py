"""Single sends from request to stored receipt, window 100, beside Kannel with receipts towards the same kind of SMSC."""

from __future__ import annotations

from bench.delivered import Delivered
from bench.figures import Context, Figure, Void, in_turns
from bench.kannel import Kannel, sendsms
from bench.requests import FIRST_NUMBER, TEXT, sending_folder, singles, verify
from bench.servers import WINDOW, Smsc, chappe

REQUESTS = 20_000
KANNEL_MIN = 3_000
"""Below this Kannel is not what it is on a quiet machine."""


def run(context: Context) -> list[Figure]:
    """Messages a second of both, and what they cost."""
    rounds, count = (9, 50_000) if context.long else (3, 20_000)
    folder, data = context.folder, context.folder / "data"
    with Smsc(folder / "kannel-counters") as smsc_of_kannel, Smsc(folder / "counters") as smsc:
        account = sending_folder(data, smsc.port, WINDOW)
        with Kannel(folder / "kannel", smsc_of_kannel) as kannel, chappe(data) as server:
            smsc.bound()
            calls = [sendsms(FIRST_NUMBER + number, TEXT, receipt=True) for number in range(REQUESTS)]
            theirs = Delivered(kannel, smsc_of_kannel, calls, count)
            ours = Delivered(server, smsc, singles(account, REQUESTS), count)
            references, subjects, ratios = in_turns(theirs.turn, ours.turn, rounds)
        verify(data, account, ours.requests, ours.messages, delivered=True)
    if max(references) < KANNEL_MIN:
        raise Void(
            f"Kannel came to {max(references):.0f} messages a second at best: the machine was not quiet"
        )
    return [
        Figure("end to end / Kannel", "x", ratios),
        Figure("messages", "/s", subjects),
        Figure("Kannel's messages", "/s", references),
        Figure("accepted meanwhile", "/s", ours.accepted),
        Figure("Kannel's accepted meanwhile", "/s", theirs.accepted),
        Figure("server CPU a message", "us", ours.cpu_us),
        Figure("Kannel CPU a message", "us", theirs.cpu_us),
        Figure("SMSC and load generator busy", "of their core", ours.busy),
    ]
