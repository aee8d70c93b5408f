"""SVOX Pico: offline, Apache-2.0, French and English (and German, Spanish, Italian) inside the package `ttspico`.

`PicoEngine` belongs to the server; `work` runs in a process of its own: the engine is C, and reads strangers' text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from chappe.audio.sound import Answer, Converted
from chappe.isolated import Isolated, IsolatedBusy, IsolatedDied
from chappe.speech.port import Piece, SpeechUnavailable
from chappe.speech.spoken import converted

_VOICES: Final = {
    "fr": "fr-FR",
    "en": "en-GB",
    "en-us": "en-US",
    "de": "de-DE",
    "es": "es-ES",
    "it": "it-IT",
}
_RATE_HZ: Final = 16_000


class Asked(msgspec.Struct, frozen=True):
    """What the process is asked for."""

    voice: str
    rate: float
    pieces: list[tuple[str, int]]


class PicoEngine:
    """Speaks through the process."""

    name = "pico"
    at_once = 1

    def __init__(self) -> None:
        self._isolated = Isolated("chappe.speech.pico:work")

    @staticmethod
    def is_installed() -> bool:
        """Whether the package is there: without a C compiler it is not."""
        return find_spec("ttspico") is not None

    def voice(self, lang: str) -> str | None:
        """The regional voice if there is one, else the language's."""
        return _VOICES.get(lang) or _VOICES.get(lang.partition("-")[0])

    async def speak(self, pieces: Sequence[Piece], voice: str, rate: float) -> Converted:
        """See the port."""
        asked = Asked(voice, rate, [(piece.text, piece.pause_ms) for piece in pieces])
        try:
            answer = await self._isolated.run(msgspec.msgpack.encode(asked))
        except IsolatedBusy as error:
            raise SpeechUnavailable("too many texts wait to be spoken") from error
        except IsolatedDied as error:
            raise SpeechUnavailable("SVOX Pico died of a text") from error
        return converted(answer)

    async def stop(self) -> None:
        """Ends the process."""
        await self._isolated.stop()


def work(data: bytes) -> bytes:
    """Speaks; from bytes to bytes."""
    import numpy as np

    from chappe.audio.convert import resampled
    from chappe.audio.loudness import Wave
    from chappe.speech.joining import joined

    asked = msgspec.msgpack.decode(data, type=Asked)
    engine = _engine(asked.voice)
    waves: list[tuple[Wave, int]] = []
    for text, pause_ms in asked.pieces:
        try:
            engine.rate = round(asked.rate * 100)
            octets: bytes = (engine.speak(text) or b"") if text else b""
        except (RuntimeError, ValueError):
            _engine.cache_clear()  # it does not find its way back from an error
            return msgspec.msgpack.encode(Answer(why="damaged"))
        wave = np.frombuffer(octets, dtype="<i2").astype(np.float32) / np.float32(32768)
        waves.append((resampled(wave, _RATE_HZ), pause_ms))
    return msgspec.msgpack.encode(joined(waves))


@cache
def _engine(voice: str) -> Any:
    from ttspico import TtsEngine  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    return TtsEngine(voice)
