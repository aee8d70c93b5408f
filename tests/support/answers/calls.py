"""Calls that are answered: what is heard from the answer on, and the truth about it. The same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chappe.audio import g711
from chappe.audio.loudness import active_level_dbov, as_samples
from chappe.audio.sound import RATE_HZ, Law
from tests.support.answers.noise import KINDS, noise
from tests.support.answers.texts import MACHINES, PEOPLE
from tests.support.answers.voices import VOICES, Wave, said

BEEPS_HZ = (350, 400, 425, 440, 480, 620, 750, 800, 852, 950, 1000, 1100, 1200, 1400, 1633, 2000, 2250, 2500)
MS = RATE_HZ // 1000


@dataclass(frozen=True)
class Answer:
    """`octets` in `law`. `said_ms`: when the first thing said ends (a person) or the greeting (a machine).

    `beep_ms`: where the last beep ends; None without one, and for people.
    """

    who: Literal["person", "machine"]
    law: Law
    octets: bytes
    said_ms: int
    beep_ms: int | None
    snr_db: float
    noise: str
    label: str
    lost: frozenset[int] = frozenset()
    """Packets of 20 ms that do not come."""


def answers(count: int, seed: int, *, held_out: bool, beeps: float = 0.9) -> list[Answer]:
    """Half people, half machines. `beeps`: the share of machines that have one."""
    random = np.random.default_rng([seed, held_out])
    return [
        (_person if number % 2 else _machine)(random, held_out=held_out, beeps=beeps)
        for number in range(count)
    ]


def beep(hz: float, ms: int) -> Wave:
    """With edges of 4 ms; its root mean square is 1."""
    wave = np.sqrt(2) * np.sin(2 * np.pi * hz * np.arange(ms * MS) / RATE_HZ)
    edge = np.minimum(1, np.arange(ms * MS) / (4 * MS))
    return (wave * edge * edge[::-1]).astype(np.float32)


def silence(ms: float) -> Wave:
    return np.zeros(int(ms) * MS, np.float32)


def _person(random: np.random.Generator, *, held_out: bool, beeps: float) -> Answer:
    """Says who it is, waits, asks again."""
    del beeps
    voice, text, rate = _speaker(random, PEOPLE, held_out)
    first = _paused([said(voice, piece, rate) for piece in text], random, 100, 500)
    before = silence(random.uniform(100, 900) if random.random() < 0.85 else random.uniform(900, 3500))
    again = said(voice, "Allô ?" if voice.lang == "fr" else "Hello?", rate)
    wave = np.concatenate([before, first])
    said_ms = len(wave) // MS
    while len(wave) < 12_000 * MS:
        wave = np.concatenate([wave, silence(random.uniform(2500, 4500)), again])
    return _carried(random, "person", wave, first, len(wave), said_ms, None, f"{voice.name}: {text[0]}")


def _machine(random: np.random.Generator, *, held_out: bool, beeps: float) -> Answer:
    voice, text, rate = _speaker(random, MACHINES, held_out)
    greeting = _paused([said(voice, piece, rate) for piece in text], random, 200, 1000)
    wave = np.concatenate([silence(random.uniform(100, 1500)), greeting])
    said_ms = len(wave) // MS
    beep_ms = None
    if random.random() < beeps:
        level = np.float32(10 ** ((active_level_dbov(greeting) - 3.01 + random.uniform(-3, 6)) / 20))
        tone = level * _beeps(random)
        wave = np.concatenate([wave, silence(random.uniform(100, 2000)), tone])
        beep_ms = len(wave) // MS
    noisy = len(wave)
    wave = np.concatenate([wave, silence(7000)])
    if random.random() < 0.5:
        noisy = len(wave)  # the noise is of the line, not of the recording
    return _carried(
        random, "machine", wave, greeting, noisy, said_ms, beep_ms, f"{voice.name}: {' '.join(text)[:40]}"
    )


def _beeps(random: np.random.Generator) -> Wave:
    """One, or two short ones."""
    hz = float(random.choice(BEEPS_HZ)) * random.uniform(0.99, 1.01)
    if random.random() < 0.15:
        one = beep(hz, int(random.uniform(80, 250)))
        return np.concatenate([one, silence(random.uniform(80, 300)), one])
    longest = 3000 if random.random() < 0.1 else 1000
    return beep(hz, int(random.uniform(80 if random.random() < 0.2 else 200, longest)))


def _speaker(random: np.random.Generator, texts: dict[tuple[str, bool], list[list[str]]], held_out: bool):
    voices = [voice for voice in VOICES if voice.held_out == held_out]
    voice = voices[random.integers(len(voices))]
    of_lang = texts[voice.lang, held_out]
    return voice, of_lang[random.integers(len(of_lang))], int(random.choice([85, 100, 115]))


def _paused(pieces: list[Wave], random: np.random.Generator, least_ms: int, most_ms: int) -> Wave:
    parts = pieces[:1]
    for piece in pieces[1:]:
        parts += [silence(random.uniform(least_ms, most_ms)), piece]
    return np.concatenate(parts)


def _carried(random, who, wave: Wave, speech: Wave, noisy: int, said_ms, beep_ms, label: str) -> Answer:
    """At a level, with noise in the first `noisy` samples, in G.711."""
    # Speech levels are those of P.56; a sine of full scale has 0 dBov.
    gain = 10 ** ((random.uniform(-35, -15) - active_level_dbov(speech)) / 20)
    level = 10 ** ((active_level_dbov(speech) - 3.01) / 20)
    snr_db = float(random.uniform(0, 20))
    kind = str(random.choice(KINDS))
    wave = wave.copy()
    wave[:noisy] += np.float32(level * 10 ** (-snr_db / 20)) * noise(kind, noisy, random)
    law: Law = "alaw" if random.random() < 0.5 else "ulaw"
    octets = g711.encode(as_samples(wave * np.float32(gain)), law)
    return Answer(who, law, octets, said_ms, beep_ms, snr_db, kind, label)
