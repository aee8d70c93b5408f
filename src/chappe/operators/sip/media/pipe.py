"""Messages on a stream socket: four octets of length, then MessagePack."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec

from chappe.operators.sip.media.messages import MESSAGE_OCTETS_MAX

T = TypeVar("T")
LENGTH_OCTETS: Final = 4

_encoder = msgspec.msgpack.Encoder()


class PipeBroken(Exception):
    """What comes is no message of ours."""


def written(message: object) -> bytes:
    octets = _encoder.encode(message)
    assert len(octets) <= MESSAGE_OCTETS_MAX
    return len(octets).to_bytes(LENGTH_OCTETS, "big") + octets


class PipeReader(Generic[T]):
    """`decoder` says which messages may come."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._decoder = decoder
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """The messages that `data` completes. Raises PipeBroken."""
        pending = self._pending
        pending += data
        messages: list[T] = []
        position = 0
        while len(pending) - position >= LENGTH_OCTETS:
            length = int.from_bytes(pending[position : position + LENGTH_OCTETS], "big")
            if length > MESSAGE_OCTETS_MAX:
                raise PipeBroken(f"a message of {length} octets")
            end = position + LENGTH_OCTETS + length
            if len(pending) < end:
                break
            try:
                messages.append(self._decoder.decode(bytes(pending[position + LENGTH_OCTETS : end])))
            except msgspec.MsgspecError as error:
                raise PipeBroken(str(error)) from error
            position = end
        del pending[:position]
        return messages
