"""What is seen on the phones: rows of `sim_messages` as messages, the parts of long texts joined."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chappe.operators.smpp.text import decode_text
from chappe.simulator.notebook import DELIVERED, RECEIVED, WAITING
from chappe.storage.database import Reader, Row

SHOWN_MAX: Final = 1_000
"""Short messages of one phone that are looked at."""
JOIN_MS_MAX: Final = 3_600_000
"""Parts that come later than this belong to another text: references are few and come again."""
MISSING: Final = " […] "


class ScreenMessage(msgspec.Struct, frozen=True):
    """A message on a phone's screen. `from_` and `to` are E.164 with `+` for the phone, else as the ESME wrote it."""

    id: int
    direction: str
    from_: str = msgspec.field(name="from")
    to: str
    text: str
    parts: int
    parts_received: int
    status: str
    at: str


def e164(phone: int) -> str:
    """With its `+`."""
    return f"+{phone}"


def messages_on(reader: Reader, phone: int, limit: int = SHOWN_MAX) -> list[ScreenMessage]:
    """The newest messages on a phone, the newest last; `limit` counts short messages."""
    rows = reader.all(
        "SELECT id, direction, peer, text, octets, data_coding, reference, parts, part, status, at_ms"
        " FROM sim_messages WHERE phone = ? ORDER BY id DESC LIMIT ?",
        (phone, limit),
    )
    return [text.shown(phone) for text in join(reversed(rows))]


def last_peer(reader: Reader, phone: int) -> tuple[str, str] | None:
    """(system_id, address) of whoever sent the last message that reached this phone."""
    row = reader.one(
        "SELECT system_id, peer FROM sim_messages WHERE phone = ? AND direction = ? ORDER BY id DESC LIMIT 1",
        (phone, RECEIVED),
    )
    return (row[0], row[1]) if row else None


def newest_phones(reader: Reader, messages_max: int) -> list[int]:
    """The phones of the newest messages, the newest first."""
    rows = reader.all("SELECT phone FROM sim_messages ORDER BY id DESC LIMIT ?", (messages_max,))
    return list(dict.fromkeys(phone for (phone,) in rows))


class Text:
    """One text: a row, or the rows of its parts as they came."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._parts: dict[int, Row] = {row[8]: row}

    def takes(self, row: Row) -> bool:
        """Whether this row is a part of it that is still missing, or one that came twice before all were there (a
        phone shows it once). Takes it then.
        """
        mine = self._row
        if row[2] != mine[2] or row[6] != mine[6] or row[7] != mine[7] or len(self._parts) == mine[7]:
            return False
        if row[10] - mine[10] > JOIN_MS_MAX:
            return False
        before = self._parts.get(row[8])
        if before is not None and before[4] != row[4]:
            return False
        self._parts[row[8]] = row
        return True

    def shown(self, phone: int) -> ScreenMessage:
        """As a message."""
        message_id, direction, peer, text, _, data_coding, reference, parts, _, status, at_ms = self._row
        received = len(self._parts)
        if reference is not None:
            text = self._joined(data_coding, parts)
            status = self._status(parts)
        else:
            received = parts
        ours, theirs = e164(phone), peer
        return ScreenMessage(
            id=message_id,
            direction=direction,
            from_=theirs if direction == RECEIVED else ours,
            to=ours if direction == RECEIVED else theirs,
            text=text,
            parts=parts,
            parts_received=received,
            status=status,
            at=datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        )

    def _joined(self, data_coding: int, parts: int) -> str:
        rows = [self._parts.get(number) for number in range(1, parts + 1)]
        present = [row for row in rows if row is not None]
        if len(present) == parts and all(row[5] == data_coding for row in present):
            # Decoded at once: a sender may have cut a character in two.
            return decode_text(b"".join(bytes(row[4]) for row in present), data_coding)
        shown = [MISSING if row is None else row[3] for row in rows]
        return "".join(shown).replace(MISSING * 2, MISSING)

    def _status(self, parts: int) -> str:
        statuses: set[Any] = {row[9] for row in self._parts.values()}
        unhappy = statuses - {DELIVERED, WAITING}
        if unhappy:
            return min(unhappy)
        return DELIVERED if statuses == {DELIVERED} and len(self._parts) == parts else WAITING


def join(rows: Any) -> list[Text]:
    """The texts of one phone's rows, which come in order."""
    texts: list[Text] = []
    open_texts: dict[tuple[str, int], Text] = {}
    for row in rows:
        reference = row[6]
        if reference is None:
            texts.append(Text(row))
            continue
        key = (row[2], reference)
        text = open_texts.get(key)
        if text is None or not text.takes(row):
            text = open_texts[key] = Text(row)
            texts.append(text)
    return texts
