"""From a customer's text to pieces that can be spoken: pauses, numbers with commas, nothing that an engine obeys."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from chappe.speech.port import Piece, TextRefused

TEXT_CHARS_MAX: Final = 3000
"""Four to five minutes; what is spoken longer than five is refused when it has been spoken."""
PAUSE_MS: Final = 500
COMMAS_MAX: Final = 400
RATE_MIN: Final = 0.5
RATE_MAX: Final = 2.0

# "3,50" is one number in French. Everywhere else a comma is half a second (documentation, "Envoyer un SMS Vocal").
_COMMA: Final = re.compile(r",(?![0-9])|(?<![0-9]),")
# Pico reads tags, espeak phonemes in brackets; a server behind HTTP may read SSML.
_COMMANDS: Final = str.maketrans(
    {"<": " ", ">": " ", "[": "(", "]": ")", "{": "(", "}": ")", "\\": " ", "|": " "}
)
_SPACES: Final = re.compile(r"\s+")
WORD_CHARS_MAX: Final = 40
"""Longer words are cut: SVOX Pico never ends with some of 200 letters, and nobody would understand them."""
_LONG_WORD: Final = re.compile(rf"(\S{{{WORD_CHARS_MAX}}})(?=\S)")


def clamped_rate(rate: float) -> float:
    """As documented: what is below 0.5 is 0.5, above 2 is 2. Two decimals are kept: more make no audible difference."""
    return float(round(min(max(rate, RATE_MIN), RATE_MAX), 2))


def pieces_of(text: str) -> list[Piece]:
    """The text cut at its commas, each of which is half a second of silence; raises `TextRefused`."""
    if len(text) > TEXT_CHARS_MAX or text.count(",") > COMMAS_MAX:
        raise TextRefused(is_too_long=True)
    pieces: list[Piece] = []
    parts = _COMMA.split(text)
    for number, part in enumerate(parts):
        pause_ms = PAUSE_MS if number + 1 < len(parts) else 0
        plain = _plain(part)
        if not plain and pieces:
            last = pieces[-1]
            pieces[-1] = Piece(last.text, last.pause_ms + pause_ms)
        else:
            pieces.append(Piece(plain, pause_ms))
    if not any(piece.text for piece in pieces):
        raise TextRefused(is_too_long=False)
    return pieces


def _plain(part: str) -> str:
    """One line, composed, without control characters and commands; empty when nothing in it can be spoken."""
    part = unicodedata.normalize("NFC", part).translate(_COMMANDS)
    part = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in part)
    part = _LONG_WORD.sub(r"\1 ", _SPACES.sub(" ", part).strip())
    return part if any(c.isalnum() or c in "€$£%&+=@#" for c in part) else ""
