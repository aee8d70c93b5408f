"""What engines share that give an audio file for each piece: joining them, in a process of its own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import msgspec

from chappe.audio.sound import Converted
from chappe.isolated import Isolated, IsolatedBusy, IsolatedDied
from chappe.speech.port import Piece, SpeechUnavailable
from chappe.speech.spoken import Spoken, converted

TEXT_S_MAX: Final = 120.0
"""For all pieces of a text together: it may have four hundred."""


class FileEngine(ABC):
    """An engine with a `file` for each piece; the rest of the port follows from it."""

    name: str
    at_once = 2
    """Where it is a program, which takes a core, and Piper a gigabyte."""

    def __init__(self) -> None:
        self._joining = Isolated("chappe.speech.joining:work")

    @abstractmethod
    async def file(self, piece: Piece, voice: str, rate: float) -> bytes:
        """An audio file (WAV, MP3, FLAC, OGG) of a piece with text; raises `SpeechUnavailable`."""

    async def speak(self, pieces: Sequence[Piece], voice: str, rate: float) -> Converted:
        """See the port."""
        try:
            async with asyncio.timeout(TEXT_S_MAX):
                spoken = [
                    Spoken(await self.file(piece, voice, rate) if piece.text else b"", piece.pause_ms)
                    for piece in pieces
                ]
        except TimeoutError as error:
            raise SpeechUnavailable(f"{self.name} took over {TEXT_S_MAX:g} s for a text") from error
        try:
            answer = await self._joining.run(msgspec.msgpack.encode(spoken))
        except (IsolatedBusy, IsolatedDied) as error:
            raise SpeechUnavailable("what was spoken cannot be put together") from error
        return converted(answer)

    async def stop(self) -> None:
        """Ends the process."""
        await self._joining.stop()
