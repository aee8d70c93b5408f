"""The detector of the media process: streams to slots, pieces to frames, frames of all streams analysed together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from chappe.operators.sip.amd.inflow import FRAME_OCTETS, LOST, QUIET, Inflow
from chappe.operators.sip.amd.noise import Noise
from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import FROM_ULAW, Indexes, Spectrum
from chappe.operators.sip.amd.tones import Tones
from chappe.operators.sip.amd.verdict import Verdicts
from chappe.operators.sip.amd.voice import FRAME_MS, Voice
from chappe.operators.sip.media.detector import Finding, Piece

SLOTS: Final = 1024
"""Streams that listen at once. More than that find nothing, and are told so."""
FRAMES_A_TICK_MAX: Final = 4
"""Of one stream: what a network held back is caught up with step by step."""
NO_SOUND: Final = b"\xd5" * FRAME_OCTETS


class AnsweringDetector:
    """The `Detector` port. Findings: "person", "machine", "ready", "nobody", each with its reason in words; "" is the
    last one where nothing more is looked for.
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        parameters = parameters or Parameters()
        self._spectrum = Spectrum(parameters.tone_hz_min, parameters.tone_hz_max, SLOTS)
        self._voice = Voice(parameters, SLOTS)
        self._noise = Noise(parameters, SLOTS)
        self._tones = Tones(parameters, SLOTS)
        self._verdicts = Verdicts(parameters, self._voice, self._tones, SLOTS)
        self._judge_every = max(1, parameters.judge_ms // FRAME_MS)
        self._free = list(range(SLOTS - 1, -1, -1))
        self._slot_of: dict[int, int] = {}
        self._stream_of: dict[int, int] = {}
        self._inflows: dict[int, Inflow] = {}
        self._full: list[int] = []

    def begin(self, stream: int) -> None:
        """See the port."""
        if not self._free:
            self._full.append(stream)
            return
        slot = self._free.pop()
        self._slot_of[stream], self._stream_of[slot] = slot, stream
        self._inflows[stream] = Inflow(slot)
        self._spectrum.reset(slot)
        self._voice.reset(slot)
        self._noise.reset(slot)
        self._tones.reset(slot)
        self._verdicts.reset(slot)

    def end(self, stream: int) -> None:
        """See the port."""
        slot = self._slot_of.pop(stream, None)
        if slot is not None:
            del self._stream_of[slot], self._inflows[stream]
            self._free.append(slot)

    def feed(self, pieces: Sequence[Piece]) -> list[Finding]:
        """See the port."""
        findings = [Finding(stream, "", "too many streams listen", is_last=True) for stream in self._full]
        self._full.clear()
        inflows = self._inflows
        for stream, codec, gap, octets in pieces:
            inflow = inflows.get(stream)
            if inflow is not None:
                inflow.add(octets if codec == "PCMA" else octets.translate(FROM_ULAW), gap)
        waiting: list[Inflow] = []
        for inflow in inflows.values():
            inflow.tick()
            if inflow.frames:
                waiting.append(inflow)
        for _ in range(FRAMES_A_TICK_MAX):
            if not waiting:
                break
            at = np.array([inflow.slot for inflow in waiting], np.intp)
            self._round(at, [inflow.frames.popleft() for inflow in waiting], findings)
            waiting = [inflow for inflow in waiting if inflow.frames]
        return findings

    def _round(self, at: Indexes, frames: list[bytes], findings: list[Finding]) -> None:
        """One frame of each slot."""
        if min(map(len, frames)) == FRAME_OCTETS:
            is_audio = np.ones(len(at), np.bool_)
            is_lost = is_quiet = ~is_audio
        else:
            is_lost = np.array([frame is LOST for frame in frames], np.bool_)
            is_quiet = np.array([frame is QUIET for frame in frames], np.bool_)
            is_audio = ~(is_lost | is_quiet)
            frames = [NO_SOUND if frame is LOST or frame is QUIET else frame for frame in frames]
        voice, tones, verdicts = self._voice, self._tones, self._verdicts
        spectra = self._spectrum.analyse(at, frames)
        ended = tones.take(at, spectra, self._noise.power[at], is_audio, is_lost, voice.taken[at])
        is_tone = tones.sure(at)
        marks = [(int(at[row]), int(tones.run[at[row]])) for row in np.flatnonzero(is_tone)]
        if ended:
            # This frame still has a rest of the tone in it.
            is_tone |= np.isin(at, [tone.slot for tone in ended])
            marks += [(tone.slot, tone.frames + 1) for tone in ended]
        is_sound, is_quiet = is_audio & ~is_tone, is_quiet | is_tone
        self._noise.take(at, spectra.bands, is_sound, is_quiet, voice.taken[at])
        voice.take(at, spectra.bands, spectra.harmony, is_sound, is_quiet)
        for slot, count in marks:
            voice.mark_tone(slot, count)
        every = self._judge_every
        due = at[(voice.taken[at] + at) % every == 0]  # not all of them in one tick
        voice.judge(due)
        words = [word for word in map(verdicts.hear, ended) if word is not None]
        words += verdicts.look(due)
        for word in words:
            findings.append(Finding(self._stream_of[word.slot], word.what, word.reason, word.is_last))
