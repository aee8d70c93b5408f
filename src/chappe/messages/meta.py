"""What the dispatcher and the receipts need of a message row, kept for those lately used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from chappe.messages.segments import segments
from chappe.storage.database import Reader, Transaction

CACHE_MAX = 5_000


class MessageMeta(msgspec.Struct, frozen=True, gc=False):
    """The columns of `messages` that never change once accepted."""

    id: int
    account_id: int
    text: str
    is_unicode: int
    sender: str
    tag: str
    url_dlr: str
    url_response: str
    is_sandbox: int
    is_marketing: int
    is_date_explicit: int
    due_at_ms: int | None
    created_at_ms: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments of the text, as they are sent."""
        return tuple(segments(self.text, unicode=bool(self.is_unicode)))


_BY_ID = (
    "SELECT m.id, m.account_id, m.text, m.is_unicode, m.sender, m.tag,"
    " CASE WHEN m.url_dlr <> '' THEN m.url_dlr ELSE a.url_dlr END,"
    " CASE WHEN m.url_response <> '' THEN m.url_response ELSE a.url_response END,"
    " m.is_sandbox, m.is_marketing, m.is_date_explicit, m.due_at_ms, m.created_at_ms"
    " FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.id = ?"
)


class MessageCache:
    """Message rows by id; bounded, the least recently used goes first."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, MessageMeta] = OrderedDict()

    def get(self, reader: Reader, message_id: int) -> MessageMeta:
        """The message; it must exist, for recipients and submissions name it."""
        meta = self._known.get(message_id)
        if meta is not None:
            self._known.move_to_end(message_id)
            return meta
        row = reader.one(_BY_ID, (message_id,))
        assert row is not None, f"message {message_id} is named but not stored"
        meta = MessageMeta(*row)
        self._learn(meta)
        return meta

    def fetch(self, tx: Transaction, message_ids: Iterable[int]) -> None:
        """Has the next `get` of each of these know it, by one journey to the database."""
        missing = [(each,) for each in dict.fromkeys(message_ids) if each not in self._known]
        if len(missing) > 1:
            for row in tx.all_many(_BY_ID, missing):
                self._learn(MessageMeta(*row))

    def _learn(self, meta: MessageMeta) -> None:
        self._known[meta.id] = meta
        if len(self._known) > CACHE_MAX:
            self._known.popitem(last=False)
