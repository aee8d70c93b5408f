"""Converts uploaded files beside the server: another process decodes them (chappe/isolated.py)."""

from __future__ import annotations

import msgspec

from chappe.audio.sound import Answer, AudioRefused, Converted
from chappe.isolated import Isolated, IsolatedBusy, IsolatedDied, IsolatedTooLong
from chappe.turns import Turns, TurnsBusy

WAITING_MAX = 64
WAITING_OF_ONE_MAX = 16

_decode = msgspec.msgpack.Decoder(Answer).decode


class ConverterBusy(Exception):
    """More files wait than are worth waiting for; nothing was done."""


class Converter:
    """One file at a time; accounts take turns."""

    def __init__(self) -> None:
        self._isolated = Isolated("chappe.audio.convert:work")
        self._turns = Turns(1, waiting_max_of_one=WAITING_OF_ONE_MAX, waiting_max=WAITING_MAX)

    async def convert(self, content: bytes, owner: int = 0) -> Converted:
        """Of the account `owner`. Raises `AudioRefused`, also for a file that the decoder dies of, or `ConverterBusy`."""
        try:
            async with self._turns.of(owner):
                answer = _decode(await self._decoded(content))
        except (TurnsBusy, IsolatedBusy) as error:
            raise ConverterBusy from error
        except IsolatedDied as error:
            raise AudioRefused("damaged") from error
        if answer.converted is None:
            assert answer.why is not None
            raise AudioRefused(answer.why)
        return answer.converted

    async def _decoded(self, content: bytes) -> bytes:
        try:
            return await self._isolated.run(content)
        except IsolatedTooLong:
            raise
        except IsolatedDied:
            # Perhaps somebody killed it: the file is told to be damaged when another one dies of it too.
            return await self._isolated.run(content)

    def end_waiting(self) -> None:
        """The server stops: files that wait for their turn are refused."""
        self._turns.close()

    async def stop(self) -> None:
        """Ends the process."""
        self.end_waiting()
        await self._isolated.stop()
