"""`Idempotency-Key`: the answer to a POST is remembered in the transaction that does what it asks.

Same key and same request within 24 h: the same answer byte for byte, and nothing happens again. Another request
under the same key, or the same one while the first is under way: 409. Answers 5xx and 429 are not remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from chappe.partner import catalogue_server
from chappe.partner.errors import Header
from chappe.partner.writer import Answer
from chappe.storage.database import Reader, Transaction
from chappe.storage.store import Store

KEY_CHARS_MAX = 255
HEADER = b"idempotency-key"

_FIND = (
    "SELECT body_hash, status, content_type, answer FROM remembered_answers"
    " WHERE account_id = ? AND path = ? AND idempotency_key = ?"
)
_REMEMBER = (
    "INSERT INTO remembered_answers (account_id, path, idempotency_key, body_hash, status, content_type, answer,"
    " created_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, path, idempotency_key) DO NOTHING"
)

_Identity = tuple[int, str, str]


class AnsweredMeanwhile(Exception):
    """Another process stored an answer under the same key first; nothing was written."""


def key_of(headers: Sequence[Header]) -> str | None:
    """The key a request carries, or None; raises `Refusal` for one that cannot be a key."""
    for name, value in headers:
        if name == HEADER:
            key = value.decode("latin-1").strip()
            if not 0 < len(key) <= KEY_CHARS_MAX or not key.isprintable():
                raise catalogue_server.idempotency_key_invalid(KEY_CHARS_MAX)
            return key
    return None


class Once:
    """One request under its key, from `begin` to `end`."""

    def __init__(self, answers: Answers, identity: _Identity, body_hash: bytes) -> None:
        self._answers = answers
        self._identity = identity
        self._body_hash = body_hash
        self.is_stored = False

    def store(self, tx: Transaction, answer: Answer, now_ms: int) -> None:
        """Remembers the answer; raises `AnsweredMeanwhile`."""
        row = (
            *self._identity,
            self._body_hash,
            answer.status,
            answer.content_type.decode(),
            answer.body,
            now_ms,
        )
        if tx.run(_REMEMBER, row) == 0:
            raise AnsweredMeanwhile
        self.is_stored = True

    def end(self) -> None:
        """The request is answered, or failed: the next one under its key may come."""
        self._answers.under_way.discard(self._identity)


class Answers:
    """What was answered, and what is under way in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.under_way: set[_Identity] = set()

    async def begin(self, account_id: int, path: str, key: str, query: bytes, body: bytes) -> Once | Answer:
        """The remembered answer, or the right to answer; raises `Refusal` (409)."""
        identity = (account_id, path, key)
        body_hash = blake2b(query + b"\0" + body, digest_size=32).digest()
        if identity in self.under_way:
            raise catalogue_server.idempotency_in_progress()
        self.under_way.add(identity)
        try:
            answer = await self._store.database.read(lambda reader: _find(reader, identity, body_hash))
            if answer is None:
                return Once(self, identity, body_hash)
            self.under_way.discard(identity)
            return answer
        except BaseException:
            self.under_way.discard(identity)
            raise


def _find(reader: Reader, identity: _Identity, body_hash: bytes) -> Answer | None:
    row = reader.one(_FIND, identity)
    if row is None:
        return None
    if bytes(row[0]) != body_hash:
        raise catalogue_server.idempotency_key_reused()
    return Answer(row[1], (), row[2].encode(), bytes(row[3]))
