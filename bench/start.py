"""How soon `chappe serve` is ready on a database of 10,000 accounts, and what it holds in memory then and under load."""

from __future__ import annotations

from bench.credits import ACCOUNTS, LIMITS, sms_credits
from bench.figures import Context, Figure
from bench.filled import fill
from bench.servers import Measured, chappe

TURN_S = 1.0


def run(context: Context) -> list[Figure]:
    """Seconds from the start of the process to its `ready` line; megabytes of resident memory."""
    data = context.folder / "data"
    data.mkdir()
    (data / "chappe.toml").write_text(LIMITS)
    exchanges = [sms_credits(account) for account in fill(data, ACCOUNTS)]
    ready_s: list[float] = []
    at_rest_mb: list[float] = []
    resident_mb: list[float] = []
    for _ in range(9 if context.long else 5):
        with chappe(data) as server:
            ready_s.append(server.ready_s)
            at_rest_mb.append(server.resident_mb)
            Measured(server, exchanges, TURN_S).turn()
            resident_mb.append(server.resident_mb)
    return [
        Figure("ready", "s", ready_s),
        Figure("resident", "MB", resident_mb),
        Figure("resident when ready", "MB", at_rest_mb),
    ]
