"""The port to the engines that speak, and why a text is not spoken.

An engine is down (its program is missing, its process died, its server does not answer): it raises
`SpeechUnavailable`, nothing is remembered, and the caller tries again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chappe.audio.sound import Converted


class SpeechUnavailable(Exception):
    """No engine could speak now; the text says why, and holds nothing of what was to be spoken."""


class LanguageUnknown(Exception):
    """No engine has a voice for the language."""


class TextRefused(Exception):
    """The text holds nothing that can be spoken, or too much."""

    def __init__(self, *, is_too_long: bool) -> None:
        super().__init__("too long" if is_too_long else "nothing to speak")
        self.is_too_long = is_too_long


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, then silence. `text` is plain: no engine takes anything in it for a command. It may be empty."""

    text: str
    pause_ms: int


class Engine(Protocol):
    """One way to speak."""

    name: str
    at_once: int
    """Texts that it speaks at the same time."""

    def voice(self, lang: str) -> str | None:
        """The voice for a language ("fr", "en-us"), None when there is none; part of what speech is remembered by."""
        ...

    async def speak(self, pieces: Sequence[Piece], voice: str, rate: float) -> Converted:
        """The pieces one after the other, with their pauses. `rate`: 0.5 to 2, 1 is as the voice speaks by itself.

        Raises `SpeechUnavailable` or `TextRefused`.
        """
        ...

    async def stop(self) -> None:
        """Ends what runs in the background."""
        ...
