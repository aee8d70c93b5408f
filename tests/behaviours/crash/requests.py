"""The requests of a round: each known by its tag, each number used once, what was answered kept octet for octet."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

PRICE_MICRO = 38_000
FIRST_NUMBER = 33_612_000_000
LONG_TEXT_CHARACTERS = 400
LONG_TEXT_PARTS = 3

Kind = Literal["plain", "deferred", "sandbox"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that was read to its end."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Send:
    """A POST /v1/send. `answer` is None while it is open, and for ever when the server died first."""

    tag: str
    kind: Kind
    numbers: list[int]
    text: str
    parts: int
    has_dlr: bool
    idempotency_key: str
    body: bytes
    answer: Answer | None = None
    cancel: Cancel | None = None
    repeated: Answer | None = None
    """What the same request under the same key was answered after the restart."""

    @property
    def cost_micro(self) -> int:
        return self.parts * len(self.numbers) * PRICE_MICRO


@dataclass
class Cancel:
    """A GET /v1/message-cancel of a deferred send."""

    message_id: int
    answer: Answer | None = None


@dataclass
class Maker:
    """Draws requests. `dlr_url` is where delivery reports go."""

    api_key: str
    dlr_url: str
    random: random.Random
    count: int = 0
    next_number: int = FIRST_NUMBER
    made: list[Send] = field(default_factory=list[Send])

    def send(self) -> Send:
        """The next request: mostly plain ones, some with a crowd of numbers."""
        chosen = self.random
        self.count += 1
        tag = f"r{self.count}"
        kind: Kind = chosen.choices(["plain", "deferred", "sandbox"], [90, 6, 4])[0]
        amount = chosen.choice([1, 1, 1, chosen.randint(2, 12)])
        numbers = list(range(self.next_number, self.next_number + amount))
        self.next_number += amount
        text, parts = f"{tag} of this round", 1
        if chosen.random() < 0.1:
            text, parts = f"{text} {'x' * LONG_TEXT_CHARACTERS}"[:LONG_TEXT_CHARACTERS], LONG_TEXT_PARTS
        has_dlr = chosen.random() < 0.4
        key = f"key-{tag}" if chosen.random() < 0.5 else ""
        fields: dict[str, object] = {
            "apiKey": self.api_key,
            "phoneNumbers": ",".join(f"+{number}" for number in numbers),
            "message": text,
            "sender": "Chappe",
            "tag": tag,
        }
        if has_dlr:
            fields["urlDlr"] = self.dlr_url
        if kind == "deferred":
            day = datetime.now(ZoneInfo("Europe/Paris")) + timedelta(days=2)
            fields |= {"scheduledDeliveryDate": day.strftime("%d/%m/%Y"), "time": 12, "minute": 0}
        if kind == "sandbox":
            fields["sandbox"] = 1
        send = Send(tag, kind, numbers, text, parts, has_dlr, key, json.dumps(fields).encode())
        self.made.append(send)
        return send

    def wants_cancel(self) -> bool:
        return self.random.random() < 0.6
