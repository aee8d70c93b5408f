"""Converts uploaded files beside the server: another process decodes them (chappe/isolated.py)."""

from __future__ import annotations

import msgspec

from chappe.audio.sound import Answer, AudioRefused, Converted
from chappe.isolated import Isolated, IsolatedDied

_decode = msgspec.msgpack.Decoder(Answer).decode


class Converter:
    """One file at a time, in the order they come."""

    def __init__(self) -> None:
        self._isolated = Isolated("chappe.audio.convert:work")

    async def convert(self, content: bytes) -> Converted:
        """Raises `AudioRefused`, also for a file that the decoder dies of, or `IsolatedBusy`."""
        try:
            answer = _decode(await self._isolated.run(content))
        except IsolatedDied as error:
            raise AudioRefused("damaged") from error
        if answer.converted is None:
            assert answer.why is not None
            raise AudioRefused(answer.why)
        return answer.converted

    async def stop(self) -> None:
        """Ends the process."""
        await self._isolated.stop()
