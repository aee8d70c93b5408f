"""What our own numbers do when somebody calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec

from chappe.settings import NumberSettings

Action = Literal["refuse", "answer", "record", "forward"]


class NumberRule(msgspec.Struct, frozen=True):
    """One number. `account_id`: whose it is, None for one of the configuration. `to`: whom it is forwarded to, E.164
    digits as an integer. `records`: what is said in a call that is forwarded. At most one of the greetings is not "".
    """

    number: int
    action: Action
    account_id: int | None
    status: int
    to: int
    via: Literal["bridge", "302"]
    records: bool
    ring_s_max: int
    record_s_max: int
    silence_s: int
    greeting_file: str
    greeting_text: str
    greeting_lang: str
    greeting_token: str


class Numbers(Protocol):
    """Where the rules are: the configuration, or a database."""

    async def rule(self, number: int) -> NumberRule | None:
        """None: the number is not ours. Raises `StorageUnavailable`."""
        ...


class ConfiguredNumbers:
    """The `[[numbers]]` of the configuration, which has been verified."""

    def __init__(self, configured: Iterable[NumberSettings]) -> None:
        self.rules = {int(number.number): _rule(number) for number in configured}

    async def rule(self, number: int) -> NumberRule | None:
        """See the protocol."""
        return self.rules.get(number)


def _rule(configured: NumberSettings) -> NumberRule:
    return NumberRule(
        number=int(configured.number),
        action=configured.action,
        account_id=None,
        status=configured.status,
        to=int(configured.to or 0),
        via=configured.via,
        records=configured.record,
        ring_s_max=configured.ring_s_max,
        record_s_max=configured.record_s_max,
        silence_s=configured.silence_s,
        greeting_file=configured.greeting_file,
        greeting_text=configured.greeting_text,
        greeting_lang=configured.greeting_lang,
        greeting_token=configured.greeting_token,
    )
