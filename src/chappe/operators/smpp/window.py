"""The requests on their way: ours until their response comes, the peer's until our owner has answered."""

from chappe.operators.smpp.constants import SEQUENCE_MAX, command_name
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.events import InFlight
from chappe.operators.smpp.pdu import GenericNack, Response


class Window:
    """Our requests by sequence number. A slot is one windowed request that is in flight, or that has ended and whose
    result the owner has not settled.
    """

    __slots__ = (
        "_late_max",
        "_sequence",
        "_settled_by_owner",
        "in_flight",
        "late",
        "occupied",
        "size",
        "unsettled",
    )

    def __init__(self, size: int, late_max: int, *, settled_by_owner: bool) -> None:
        self.size = size
        self.in_flight: dict[int, InFlight] = {}
        """In the order they were sent, so the first is the first to time out."""
        self.late: dict[int, InFlight] = {}
        """Timed out, the oldest first."""
        self.occupied = 0
        self.unsettled = 0
        """Of the occupied slots, those whose request has ended."""
        self._late_max = late_max
        self._settled_by_owner = settled_by_owner
        self._sequence = 0

    def next_sequence(self) -> int:
        """1 to 0x7FFFFFFF and round again, never a number that may still be answered."""
        sequence = self._sequence % SEQUENCE_MAX + 1
        while sequence in self.in_flight or sequence in self.late:
            sequence = sequence % SEQUENCE_MAX + 1
        return sequence

    def add(self, sequence: int, sent: InFlight) -> None:
        """Takes the number that `next_sequence` offered."""
        assert sequence not in self.in_flight
        self.in_flight[sequence] = sent
        if sent.request.windowed:
            self.occupied += 1
        self._sequence = sequence

    def skip(self, sequence: int) -> None:
        """Takes the number for a request without response."""
        self._sequence = sequence

    def answered(self, sequence: int, kind: type[Response]) -> InFlight | None:
        """Takes out the request that a response of this kind and number answers."""
        sent = self.in_flight.get(sequence)
        if sent is None or (kind is not sent.request.response_type and kind is not GenericNack):
            return None
        del self.in_flight[sequence]
        self._ended(sent)
        return sent

    def answered_late(self, sequence: int, kind: type[Response]) -> InFlight | None:
        """The same for a request that timed out before."""
        sent = self.late.get(sequence)
        if sent is None or (kind is not sent.request.response_type and kind is not GenericNack):
            return None
        return self.late.pop(sequence)

    def first(self) -> InFlight | None:
        """The request that was sent first of those in flight."""
        return next(iter(self.in_flight.values()), None)

    def time_out(self, sent: InFlight) -> None:
        """Moves a request from those in flight to the late ones."""
        sequence = sent.request.sequence_number
        del self.in_flight[sequence]
        self._ended(sent)
        self.late[sequence] = sent
        if len(self.late) > self._late_max:
            del self.late[next(iter(self.late))]

    def settle(self, count: int) -> None:
        """Frees the slots of `count` ended requests."""
        if not 0 <= count <= self.unsettled:
            raise LocalError(f"{count} results cannot be settled, {self.unsettled} wait")
        self.unsettled -= count
        self.occupied -= count

    def _ended(self, sent: InFlight) -> None:
        if sent.request.windowed:
            if self._settled_by_owner:
                self.unsettled += 1
            else:
                self.occupied -= 1


class Unanswered:
    """The peer's requests by their sequence number, until each is answered once."""

    __slots__ = ("_again", "_due", "count")

    def __init__(self) -> None:
        self._due: dict[int, type[Response]] = {}
        self._again: list[tuple[int, type[Response]]] = []
        """Some peers number a request like one that is not answered yet: both are answered."""
        self.count = 0

    def add(self, sequence: int, kind: type[Response]) -> None:
        """A response of this kind is due."""
        self.count += 1
        if sequence in self._due:
            self._again.append((sequence, kind))
        else:
            self._due[sequence] = kind

    def settle(self, response: Response) -> type[Response]:
        """Removes what this response, perhaps a generic_nack, answers, and says which kind was due; LocalError if
        none is.
        """
        sequence = response.sequence_number
        kind = self._due.get(sequence)
        if kind is None:
            raise LocalError(f"no request {sequence} waits for an answer")
        given = type(response)
        if given is kind or given is GenericNack:
            del self._due[sequence]
            if self._again:
                self._advance(sequence)
        elif (sequence, given) in self._again:
            self._again.remove((sequence, given))
            kind = given
        else:
            raise LocalError(f"request {sequence} is not answered by {command_name(response.command_id)}")
        self.count -= 1
        return kind

    def clear(self) -> None:
        """None will be answered any more."""
        self._due.clear()
        self._again.clear()
        self.count = 0

    def _advance(self, sequence: int) -> None:
        for index, (number, kind) in enumerate(self._again):
            if number == sequence:
                self._due[sequence] = kind
                del self._again[index]
                break
