"""A stream of octets -> PDUs with their borders, whatever pieces the stream comes in (section 3.2)."""

from typing import Final

from chappe.operators.smpp.constants import PDU_OCTETS_MAX
from chappe.operators.smpp.errors import FramingError
from chappe.operators.smpp.pdu import HEADER

Frame = tuple[int, int, int, bytes]
"""command_id, command_status, sequence_number, body."""

_LENGTH_OCTETS: Final = 4


class FrameReader:
    """Keeps at most one incomplete PDU, so never more than `octets_max` octets."""

    __slots__ = ("_needed", "_octets_max", "_pending", "failure")

    def __init__(self, octets_max: int = PDU_OCTETS_MAX) -> None:
        self._octets_max = octets_max
        self._pending = bytearray()
        self._needed = _LENGTH_OCTETS
        """Fewer octets than this cannot tell anything new: a PDU that drips in is not looked at each time."""
        self.failure: FramingError | None = None
        """Set once the stream cannot be cut any more; what came before it is still in the answer of `feed`."""

    @property
    def pending_octets(self) -> int:
        """The octets of the incomplete PDU."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[Frame]:
        """The PDUs that `data` completes, in order. Never raises; look at `failure` afterwards."""
        frames: list[Frame] = []
        if self.failure is not None:
            return frames
        pending = self._pending
        if pending:
            pending += data
            if len(pending) < self._needed:
                return frames
            data = bytes(pending)
            pending.clear()
        unpack = HEADER.unpack_from
        octets_max = self._octets_max
        octets = len(data)
        position = 0
        while octets - position >= 16:
            length, command_id, command_status, sequence_number = unpack(data, position)
            if not 16 <= length <= octets_max:
                self._fail(length, sequence_number)
                return frames
            end = position + length
            if end > octets:
                self._needed = length
                break
            frames.append((command_id, command_status, sequence_number, data[position + 16 : end]))
            position = end
        else:
            self._needed = _LENGTH_OCTETS
            if octets - position >= _LENGTH_OCTETS:
                # Said before the header is whole: a peer of another protocol may wait for us to speak.
                length = int.from_bytes(data[position : position + _LENGTH_OCTETS])
                if not 16 <= length <= octets_max:
                    self._fail(length, 0)
                    return frames
                self._needed = length
        if position < octets:
            pending += data[position:]
        return frames

    def _fail(self, length: int, sequence_number: int) -> None:
        reason = f"command_length {length} is not 16 to {self._octets_max}"
        self.failure = FramingError(reason, sequence_number)
