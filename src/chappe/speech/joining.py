"""Puts spoken pieces together: silence around each cut off, the pauses between them exact, the loudness evened.

Runs in a process of its own, like everything that computes on sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from chappe.audio.convert import decoded, encoded
from chappe.audio.loudness import Wave, evened
from chappe.audio.sound import DURATION_S_MAX, RATE_HZ, Answer, AudioRefused, Why
from chappe.speech.spoken import Spoken

EDGE = 160
"""20 ms: the step in which silence is looked for."""
QUIET = 10 ** (-45 / 20)
"""45 dB below the loudest frame is silence."""
KEPT_MS = 40
"""Of the silence around a piece: speech begins and ends softly."""


def joined(pieces: Sequence[tuple[Wave, int]]) -> Answer:
    """8 kHz waves, each with the milliseconds of silence after it."""
    waves: list[Wave] = []
    for wave, pause_ms in pieces:
        waves.append(trimmed(wave))
        waves.append(np.zeros(pause_ms * RATE_HZ // 1000, np.float32))
    whole = np.concatenate(waves) if waves else np.zeros(0, np.float32)
    if len(whole) > DURATION_S_MAX * RATE_HZ:
        return Answer(why="too long")
    if not np.any(whole):
        return Answer(why="too short")
    return Answer(converted=encoded(evened(whole)))


def trimmed(wave: Wave) -> Wave:
    """Without the silence at both ends."""
    count = len(wave) // EDGE
    if count == 0:
        return wave
    loud = np.abs(wave[: count * EDGE]).reshape(count, EDGE).max(axis=1)
    heard = np.flatnonzero(loud > loud.max() * QUIET)
    if len(heard) == 0 or loud.max() == 0:
        return wave[:0]
    kept = KEPT_MS * RATE_HZ // 1000
    first = max(0, int(heard[0]) * EDGE - kept)
    last = min(len(wave), (int(heard[-1]) + 1) * EDGE + kept)
    return wave[first:last]


def work(data: bytes) -> bytes:
    """Of audio files, from bytes to bytes."""
    pieces: list[tuple[Wave, int]] = []
    why: Why | None = None
    for spoken in msgspec.msgpack.decode(data, type=list[Spoken]):
        try:
            pieces.append((decoded(spoken.file) if spoken.file else np.zeros(0, np.float32), spoken.pause_ms))
        except AudioRefused as refused:
            if refused.why != "too short":  # a piece of a tenth of a second is nothing to complain about
                why = refused.why
    return msgspec.msgpack.encode(joined(pieces) if why is None else Answer(why=why))
