"""How the stand-in behaves. A share is 0 to 1 of all messages, drawn from a seeded generator."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Options:
    """Each field is a flag of the command line: `answer_delay_ms` is `--answer-delay-ms`."""

    system_id: str = ""
    """Who may bind; empty: anybody."""
    password: str = ""
    answer_delay_ms: int = 0
    """From submit_sm to its response."""
    slow_until_ended: int = 0
    """1: the delay holds until a bind ends, as an operator that has a backlog until its customer is gone."""
    answer_jitter_ms: int = 0
    """Up to so much more, so that answers come out of order."""
    receipt_delay_ms: int = 0
    """From submit_sm to the receipt, which waits for the response unless `receipts_first`."""
    receipts: float = 1.0
    """Share that gets a receipt at all."""
    receipts_first: float = 0.0
    """Share whose receipt goes out before the response."""
    receipts_twice: float = 0.0
    undelivered: float = 0.0
    """Share whose receipt says UNDELIV."""
    refused: float = 0.0
    """Share refused at submit, with `refused_status`."""
    refused_status: int = 0x0B
    throttle_every_ms: int = 0
    """Every so often..."""
    throttle_ms: int = 0
    """...everything is answered ESME_RTHROTTLED for so long."""
    window: int = 1000
    """Receipts without response on a bind."""
    seed: int = 0

    def arguments(self) -> list[str]:
        """The flags that give these options."""
        default = Options()
        words: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(default, field.name):
                words += ["--" + field.name.replace("_", "-"), str(value)]
        return words


def add_options(parser: argparse.ArgumentParser) -> None:
    default = Options()
    for field in fields(Options):
        value = getattr(default, field.name)
        parser.add_argument("--" + field.name.replace("_", "-"), type=type(value), default=value)


def options_of(arguments: argparse.Namespace) -> Options:
    return Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})
