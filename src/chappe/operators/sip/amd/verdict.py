"""What follows from speech, silence and tones: the only place that says who answered. Arrays with one row a slot.

    listening -> person                                          (a late beep: -> machine, ready)
    listening -> machine -> ready                                (a later beep: ready once more)
    listening -> nobody                                          (a fax, a busy tone, an announcement of the network)

Unsure is a person.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.amd.spectrum import Indexes
from chappe.operators.sip.amd.tones import Tone, Tones
from chappe.operators.sip.amd.voice import FRAME_MS, Ints, Voice

TONES_KEPT: Final = 4
VOWEL_EDGE_FRAMES: Final = 4
"""So long after a tone there may be a rest of it that is taken for speech."""


class State(IntEnum):
    """Of a stream."""

    LISTENING = 0
    PERSON = 1
    MACHINE = 2
    READY = 3
    OVER = 4


class Word(NamedTuple):
    """What is told of a slot."""

    slot: int
    what: str
    reason: str
    is_last: bool = False


class Verdicts:
    """`hear` tones as they end, `look` once in each 20 ms."""

    def __init__(self, parameters: Parameters, voice: Voice, tones: Tones, slots: int) -> None:
        self._parameters = parameters
        self._voice = voice
        self._tones = tones
        self.state: Ints = np.zeros(slots, np.int32)
        self._beep_end: Ints = np.full(slots, -1, np.int32)
        """The frame in which the last beep ended; -1: none, or it said nothing."""
        self._since: Ints = np.zeros(slots, np.int32)
        """The frame from which times count: the end of the last ringing, while nobody has spoken."""
        self._decided: Ints = np.zeros(slots, np.int32)
        self._heard: dict[int, list[Tone]] = {}
        self._spans = [ms // FRAME_MS for ms in parameters.person_spans_ms]
        self._waits = [ms // FRAME_MS for ms in parameters.person_waits_ms]

    def reset(self, slot: int) -> None:
        self.state[slot] = State.LISTENING
        self._beep_end[slot] = -1
        self._decided[slot] = self._since[slot] = 0
        self._heard.pop(slot, None)

    def hear(self, tone: Tone) -> Word | None:
        """A tone has ended."""
        slot, voice = tone.slot, self._voice
        if self.state[slot] == State.OVER:
            return None
        heard = self._heard.setdefault(slot, [])
        heard.append(tone)
        del heard[:-TONES_KEPT]
        why = nobody(heard, has_spoken=voice.first[slot] >= 0)
        if why and self.state[slot] in (State.LISTENING, State.MACHINE):
            self.state[slot] = State.OVER
            return Word(slot, "nobody", why, is_last=True)
        is_late = self.state[slot] in (State.PERSON, State.READY)
        if is_late and tone.frames * FRAME_MS < self._parameters.late_beep_ms:
            return None
        if is_ringing(tone) and voice.first[slot] < 0:
            self._since[slot] = tone.end
        else:
            self._beep_end[slot] = tone.end
        return None

    def look(self, at: Indexes) -> list[Word]:
        """What can be said by now of the slots `at`."""
        words: list[Word] = []
        self._look_listening(at[self.state[at] == State.LISTENING], words)
        self._look_at_beeps(at, words)
        self._look_machine(at[self.state[at] == State.MACHINE], words)
        self._look_over(at[self.state[at] >= State.PERSON], words)
        return words

    def _look_listening(self, at: Indexes, words: list[Word]) -> None:
        parameters, voice = self._parameters, self._voice
        now, first, last = voice.taken[at], voice.first[at], voice.last[at]
        has_spoken = voice.voiced[at] >= parameters.least_ms // FRAME_MS
        span = np.where(has_spoken, last - first + 1, 0)
        quiet = np.where(has_spoken, now - 1 - last, 0)
        wait = np.interp(span, self._spans, self._waits)
        is_weak = (voice.strength[at] < parameters.weak_strength) & (
            voice.spread_db[at] < parameters.weak_spread_db
        )
        wait = np.where(is_weak, np.maximum(wait, parameters.weak_wait_ms // FRAME_MS), wait)
        is_long = span >= parameters.machine_ms // FRAME_MS
        share = voice.strong[at] / np.maximum(1, span)
        since = now - self._since[at]
        is_unsure = since >= parameters.unsure_ms // FRAME_MS
        is_plain = voice.noise_harmony[at] < parameters.plain_harmony
        least = np.where(is_unsure, parameters.unsure_part, parameters.machine_part)
        is_machine = is_long & (share >= np.where(is_plain, parameters.plain_part, least))
        wait = np.where(is_long, parameters.gone_ms // FRAME_MS, wait)
        is_person = has_spoken & (quiet >= wait) & ~is_machine
        is_silent = ~has_spoken & (since >= parameters.silence_ms // FRAME_MS)
        for row in np.flatnonzero(is_person | is_machine | is_silent | is_unsure):
            slot = int(at[row])
            if self._beep_end[slot] >= 0 or self._tones.run[slot] >= parameters.beep_frames[0]:
                continue  # the tone decides
            spoken = f"{int(span[row]) * FRAME_MS} ms of speech"
            if is_machine[row]:
                words.append(self._decide(slot, State.MACHINE, "machine", spoken))
            elif is_person[row]:
                reason = f"{spoken}, then silence"
                words.append(self._decide(slot, State.PERSON, "person", reason))
            else:
                reason = "silence" if is_silent[row] else "unsure"
                words.append(self._decide(slot, State.PERSON, "person", reason))

    def _look_at_beeps(self, at: Indexes, words: list[Word]) -> None:
        """A beep, and nothing more since: the machine records."""
        parameters, voice = self._parameters, self._voice
        for slot in map(int, at[self._beep_end[at] >= 0]):
            since_ms = int(voice.taken[slot] - self._beep_end[slot]) * FRAME_MS
            is_first = voice.first[slot] < 0 or voice.first[slot] >= self._beep_end[slot]
            if is_first and voice.first[slot] >= 0:
                self._beep_end[slot] = -1  # a beep, then speech: it only said that the line is there
                continue
            tone = self._heard[slot][-1]
            if is_vowel(tone, parameters) and voice.last[slot] > self._beep_end[slot] + VOWEL_EDGE_FRAMES:
                self._beep_end[slot] = -1  # who had sung it went on speaking
                continue
            guard_ms = parameters.first_beep_guard_ms if is_first else parameters.beep_guard_ms
            if since_ms < guard_ms or self._tones.run[slot] >= parameters.beep_frames[0]:
                continue
            self._beep_end[slot] = -1
            reason = f"a beep of {tone.hz:.0f} Hz, {tone.frames * FRAME_MS} ms"
            if self.state[slot] in (State.LISTENING, State.PERSON):
                words.append(self._decide(slot, State.MACHINE, "machine", reason))
            if self.state[slot] in (State.MACHINE, State.READY):
                words.append(self._decide(slot, State.READY, "ready", reason))

    def _look_machine(self, at: Indexes, words: list[Word]) -> None:
        """The greeting has ended without a beep."""
        voice = self._voice
        quiet = voice.taken[at] - 1 - voice.last[at]
        for row in np.flatnonzero(quiet >= self._parameters.ready_silence_ms // FRAME_MS):
            slot = int(at[row])
            if self._beep_end[slot] < 0 and self._tones.run[slot] < self._parameters.beep_frames[0]:
                words.append(self._decide(slot, State.READY, "ready", "silence after the greeting"))

    def _look_over(self, at: Indexes, words: list[Word]) -> None:
        """Late beeps are waited for so long."""
        age = self._voice.taken[at] - self._decided[at]
        for row in np.flatnonzero(age >= self._parameters.late_ms // FRAME_MS):
            slot = int(at[row])
            if self.state[slot] in (State.PERSON, State.READY):
                self.state[slot] = State.OVER
                words.append(Word(slot, "", "", is_last=True))

    def _decide(self, slot: int, state: State, what: str, reason: str) -> Word:
        self.state[slot] = state
        self._decided[slot] = self._voice.taken[slot]
        return Word(slot, what, reason)


def is_vowel(tone: Tone, parameters: Parameters) -> bool:
    """What may also be one that is held: low, and short."""
    return tone.hz < parameters.vowel_hz and tone.frames < parameters.vowel_frames


def is_ringing(tone: Tone) -> bool:
    """The tone that a caller hears while it rings (ITU-T E.180, national: 400 to 480 Hz, 0.4 to 2 s)."""
    return 395 <= tone.hz <= 485 and tone.frames * FRAME_MS >= 400


def nobody(heard: list[Tone], *, has_spoken: bool) -> str:
    """Why nobody is there, by the last tones; "" if that does not follow from them."""
    last = heard[-1]
    if not has_spoken and abs(last.hz - 2100) <= 20 and last.frames * FRAME_MS >= 1500:
        return "a fax"  # ITU-T T.30, 4.3.3.2: the answering tone, 2.6 to 4 s
    if len(heard) < 3:
        return ""
    three = heard[-3:]
    gaps = [(after.end - after.frames - before.end) * FRAME_MS for before, after in pairwise(three)]
    lengths = [tone.frames * FRAME_MS for tone in three]
    is_announcement = all(
        low <= tone.hz <= high
        for tone, (low, high) in zip(three, ((890, 1010), (1345, 1455), (1750, 1805)), strict=True)
    )
    if is_announcement and max(gaps) <= 100:
        return "an announcement of the network"  # ITU-T Q.35, E.180: special information tone
    is_even = max(lengths) - min(lengths) <= 60 and abs(gaps[0] - gaps[1]) <= 60
    is_same = max(tone.hz for tone in three) - min(tone.hz for tone in three) <= 10
    if is_even and is_same and 150 <= min(lengths) <= 600 and min(gaps) >= 150 and max(gaps) <= 600:
        return "a busy tone"
    return ""
