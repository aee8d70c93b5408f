"""Joins the parts of long replies: each waits, unacknowledged, until all are there or the time is up.

Nothing is acknowledged that is not committed, so an operator that delivers one at a time waits too: not long.
"""

from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from chappe.messages.port import Reply
from chappe.operators.smpp.arrival import ReplyPart
from chappe.operators.smpp.text import Alphabet, decode_text

T = TypeVar("T")

WAIT_MS_MAX: Final = 5_000
PARTS_MAX: Final = 512
"""Waiting at a time, of all texts together: the oldest text gives way."""

OCTETS_MAX: Final = 65_536
"""Of a joined text: as much as one message may have. Parts in message_payload could make it 16 MB."""


@dataclass(slots=True)
class _Text(Generic[T]):
    since_ms: float
    parts: dict[int, ReplyPart] = field(default_factory=dict[int, ReplyPart])
    tokens: dict[int, list[T]] = field(default_factory=dict[int, list[T]])


class Joiner(Generic[T]):
    """Parts by text. A token of the caller's comes with each part and goes with the reply that it is in: a reply that
    is given is (reply, tokens), in the order to bring them.
    """

    def __init__(self, default_alphabet: Alphabet) -> None:
        self._default_alphabet: Final = default_alphabet
        self._texts: dict[tuple[object, ...], _Text[T]] = {}
        self._count = 0

    def add(self, part: ReplyPart, token: T, now_ms: float) -> list[tuple[Reply, list[T]]]:
        """Takes a part in; gives the whole reply if it is the last one, and what had to give way."""
        text = self._texts.get(part.key)
        if text is None:
            text = self._texts[part.key] = _Text(now_ms)
        number = part.place.part_number
        # A part that comes twice is the same again: both are acknowledged with the whole.
        text.parts[number] = part
        text.tokens.setdefault(number, []).append(token)
        self._count += 1
        if len(text.parts) == part.place.parts_total:
            self._forget(part.key)
            tokens = [token for tokens in text.tokens.values() for token in tokens]
            return [(self._joined([text.parts[place] for place in sorted(text.parts)]), tokens)]
        given: list[tuple[Reply, list[T]]] = []
        while self._count > PARTS_MAX:
            given += self._give_up(next(iter(self._texts)))
        return given

    def due(self, now_ms: float) -> list[tuple[Reply, list[T]]]:
        """The parts of texts that were waited for long enough, singly."""
        given: list[tuple[Reply, list[T]]] = []
        while (due_ms := self.due_ms) is not None and now_ms >= due_ms:
            given += self._give_up(next(iter(self._texts)))
        return given

    def rest(self) -> list[tuple[Reply, list[T]]]:
        """Everything that waits, singly: nothing more will come."""
        given: list[tuple[Reply, list[T]]] = []
        for key in list(self._texts):
            given += self._give_up(key)
        return given

    @property
    def due_ms(self) -> float | None:
        """When `due` has something to give, if nothing comes."""
        first = next(iter(self._texts.values()), None)
        return None if first is None else first.since_ms + WAIT_MS_MAX

    def _give_up(self, key: tuple[object, ...]) -> list[tuple[Reply, list[T]]]:
        text = self._forget(key)
        return [(text.parts[place].reply, text.tokens[place]) for place in sorted(text.parts)]

    def _forget(self, key: tuple[object, ...]) -> _Text[T]:
        text = self._texts.pop(key)
        self._count -= sum(len(tokens) for tokens in text.tokens.values())
        return text

    def _joined(self, parts: list[ReplyPart]) -> Reply:
        first = parts[0]
        if all(part.data_coding == first.data_coding for part in parts):
            # Octets first: a character may be cut in two.
            octets = b"".join(part.octets for part in parts)[:OCTETS_MAX]
            text = decode_text(octets, first.data_coding, self._default_alphabet).replace("\0", "")
        else:
            text = "".join(part.reply.text for part in parts)[:OCTETS_MAX]
        return Reply(first.reply.number, first.reply.destination, text)
