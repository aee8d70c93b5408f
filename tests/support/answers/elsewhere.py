"""Calls made in another way than `calls.py` makes them: other voices, words, noises, levels, and packets that are lost.

A detector that was fitted to one maker of calls shows here. There are two parts, which share no voice, no text and no
other people's voices; the second one is held out like the voices that are so there.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from chappe.audio import g711
from chappe.audio.loudness import active_level_dbov, as_samples
from chappe.audio.sound import RATE_HZ, Law
from tests.support.answers.calls import MS, Answer, beep, silence
from tests.support.answers.voices import Voice, Wave, said

KINDS = ("white", "pink", "brown", "street", "babble", "café")
GREETING_MS = (2_000, 20_000)
ROOMS = 10
LOST = (0.0, 0.0, 0.01, 0.03, 0.06)
"""Of the packets of a call."""

_VOICES: dict[bool, tuple[Voice, ...]] = {
    False: (
        Voice("pico", "de-DE", "de"),
        Voice("espeak", "fr+m1", "fr", pitch=30),
        Voice("espeak", "fr+f5", "fr", pitch=75),
        Voice("espeak", "fr-be+Alicia", "fr"),
        Voice("espeak", "fr+klatt2", "fr", pitch=45),
        Voice("espeak", "en-us-nyc+m5", "en", pitch=35),
        Voice("espeak", "en-029+f1", "en", pitch=55),
        Voice("espeak", "en-gb+Andy", "en"),
        Voice("espeak", "de+f3", "de", pitch=60),
        Voice("espeak", "es+m7", "es", pitch=40),
        Voice("pico", "en-GB", "en", pitch=65),
        Voice("pico", "en-US", "en", pitch=40),
        Voice("pico", "de-DE", "de", pitch=70),
        Voice("espeak", "fr+f1", "fr", pitch=45),
        Voice("espeak", "fr-be+m2", "fr", pitch=60),
        Voice("espeak", "fr-ch+antonio", "fr"),
        Voice("espeak", "fr+aunty", "fr", pitch=55),
        Voice("espeak", "fr-be+david", "fr", pitch=25),
        Voice("espeak", "fr+klatt4", "fr", pitch=70),
        Voice("espeak", "fr-ch+anika", "fr", pitch=50),
        Voice("espeak", "fr+edward", "fr", pitch=35),
        Voice("espeak", "en-us+f5", "en", pitch=85),
        Voice("espeak", "en-gb+benjamin", "en", pitch=30),
        Voice("espeak", "en-gb-scotland+sandro", "en", pitch=50),
        Voice("espeak", "en-us+zac", "en", pitch=40),
        Voice("espeak", "en-029+grandma", "en", pitch=60),
        Voice("espeak", "de+m1", "de", pitch=20),
        Voice("espeak", "de+klatt3", "de", pitch=55),
        Voice("espeak", "es-419+f2", "es", pitch=75),
        Voice("espeak", "es+caleb", "es", pitch=45),
        Voice("espeak", "nl+m3", "nl", pitch=40),
        Voice("espeak", "nl+f4", "nl", pitch=65),
    ),
    True: (
        Voice("pico", "es-ES", "es"),
        Voice("pico", "it-IT", "it"),
        Voice("espeak", "fr-ch+m6", "fr", pitch=35),
        Voice("espeak", "fr+Annie", "fr", pitch=65),
        Voice("espeak", "fr-be+belinda", "fr", pitch=80),
        Voice("espeak", "fr+max", "fr", pitch=20),
        Voice("espeak", "en-us+linda", "en", pitch=70),
        Voice("espeak", "en-gb-x-gbclan+m8", "en", pitch=25),
        Voice("espeak", "en-gb-x-gbcwmd+steph", "en"),
        Voice("espeak", "it+m4", "it", pitch=50),
    ),
}

_PEOPLE: dict[tuple[str, bool], list[str]] = {
    ("fr", False): [
        "Allô !",
        "Oui allô.",
        "Bonjour, c'est qui ?",
        "Claire Fontaine, bonjour.",
        "Oui, bonjour ?",
        "Atelier Renaud, je vous écoute.",
    ],
    ("en", False): [
        "Hello!",
        "Hello, Peter here.",
        "Yes, good morning.",
        "Who is it?",
        "Miller's bakery, hello.",
    ],
    ("de", False): ["Ja bitte?", "Hallo?", "Schneider.", "Guten Tag, hier ist Anna."],
    ("es", False): ["¿Dígame?", "¿Sí?", "Hola, buenos días."],
    ("nl", False): ["Hallo?", "Met Jansen.", "Goedemorgen, met Anna de Vries.", "Ja?"],
    ("fr", True): [
        "Allô ?",
        "Oui bonjour.",
        "Allô, j'écoute ?",
        "Oui ? Qui est là ?",
        "Philippe à l'appareil.",
        "Bonsoir, Laurence Masson.",
        "Restaurant la Tour, bonsoir, j'écoute.",
    ],
    ("en", True): [
        "Hello?",
        "Hello, John speaking.",
        "Hiya.",
        "Good morning, Susan speaking.",
        "Yep, who's that?",
        "Riverside dental practice, Kate speaking.",
    ],
    ("es", True): ["¿Diga?", "¿Quién es?", "Buenas tardes, le atiende Marta."],
    ("it", True): ["Pronto?", "Sì, chi parla?", "Pronto, buongiorno."],
}

_GREETINGS: dict[tuple[str, bool], list[str]] = {
    ("fr", False): [
        "Bonjour, ici le répondeur de Claire.",
        "Je suis en réunion ou en déplacement.",
        "Essayez de me joindre un peu plus tard.",
        "Nos bureaux ouvrent à huit heures trente.",
        "Parlez après le bip.",
        "Indiquez votre nom et votre numéro de téléphone.",
    ],
    ("en", False): [
        "Hi, you have reached Peter's phone.",
        "I am either away from my desk or on another call.",
        "We will be back on Monday morning.",
        "Leave your details and the reason for your call.",
        "Speak after the beep.",
    ],
    ("de", False): [
        "Guten Tag, dies ist der Anrufbeantworter der Familie Schneider.",
        "Wir sind zur Zeit nicht erreichbar.",
        "Bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
        "Wir rufen Sie so bald wie möglich zurück.",
    ],
    ("es", False): [
        "Hola, en este momento no puedo atenderte.",
        "Deja tu mensaje después de la señal.",
        "Te llamaré en cuanto pueda.",
    ],
    ("nl", False): [
        "Dit is het antwoordapparaat van de familie Jansen.",
        "Wij zijn er op dit moment niet.",
        "Spreek een bericht in na de piep.",
        "Ons kantoor is open van negen tot vijf.",
    ],
    ("fr", True): [
        "Vous êtes sur la messagerie de Philippe Marchand.",
        "Je ne peux pas prendre votre appel.",
        "Merci de rappeler entre dix heures et midi.",
        "Le service est fermé aujourd'hui.",
        "Laissez vos coordonnées après le signal.",
        "Je vous recontacterai dans la journée.",
    ],
    ("en", True): [
        "This is the voice mailbox of Susan Clarke.",
        "I'm unable to answer the telephone just now.",
        "If it is urgent, please ring the main office.",
        "Record your message at the tone.",
        "I'll call you back later today.",
    ],
    ("es", True): [
        "Está llamando a la consulta del doctor Romero.",
        "Ahora mismo no hay nadie.",
        "Grabe su mensaje cuando oiga el tono.",
        "Nuestro horario es de nueve a dos.",
    ],
    ("it", True): [
        "Questa è la segreteria telefonica di Paolo Conti.",
        "Non sono in casa, o non posso rispondere.",
        "Lasciate un messaggio dopo il segnale acustico.",
        "Vi richiamerò appena possibile.",
    ],
}


def answers_elsewhere(count: int, seed: int, *, held_out: bool) -> list[Answer]:
    """Half people, half machines, all of which beep but one in twenty."""
    random = np.random.default_rng([seed, held_out, 7])
    return [(_person if number % 2 else _machine)(random, held_out) for number in range(count)]


def _person(random: np.random.Generator, held_out: bool) -> Answer:
    voice, rate = _speaker(random, held_out)
    texts = _PEOPLE[voice.lang, held_out]
    text = texts[random.integers(len(texts))]
    first = said(voice, text, rate)
    wave = np.concatenate([silence(random.exponential(700) + 50), first])
    said_ms = len(wave) // MS
    while len(wave) < 12_000 * MS:
        again = said(voice, _PEOPLE[voice.lang, held_out][0], rate) if random.random() < 0.5 else silence(500)
        wave = np.concatenate([wave, silence(random.uniform(3000, 6000)), again])
    return _carried(random, held_out, "person", wave, first, said_ms, None, f"{voice.name}: {text}")


def _machine(random: np.random.Generator, held_out: bool) -> Answer:
    voice, rate = _speaker(random, held_out)
    texts = _GREETINGS[voice.lang, held_out]
    wanted = int(np.exp(random.uniform(*np.log(GREETING_MS)))) * MS
    at = int(random.integers(len(texts)))
    greeting = said(voice, texts[at], rate)
    while len(greeting) < wanted:
        at += 1
        pause = silence(random.uniform(100, 900))
        greeting = np.concatenate([greeting, pause, said(voice, texts[at % len(texts)], rate)])
    greeting = greeting[: GREETING_MS[1] * MS]
    wave = np.concatenate([silence(random.uniform(0, 2000)), greeting])
    said_ms = len(wave) // MS
    beep_ms = None
    if random.random() < 0.95:
        hz, ms = random.uniform(400, 2100), int(np.exp(random.uniform(*np.log((100, 1500)))))
        level = 10 ** ((active_level_dbov(greeting) - 3.01 + random.uniform(-3, 6)) / 20)
        wave = np.concatenate([wave, silence(random.uniform(100, 1500)), np.float32(level) * beep(hz, ms)])
        beep_ms = len(wave) // MS
    wave = np.concatenate([wave, silence(7000)])
    label = f"{voice.name}: {len(greeting) // MS} ms of greeting"
    return _carried(random, held_out, "machine", wave, greeting, said_ms, beep_ms, label)


def _speaker(random: np.random.Generator, held_out: bool) -> tuple[Voice, int]:
    voices = _VOICES[held_out]
    return voices[random.integers(len(voices))], int(random.choice([80, 95, 110, 125]))


def _carried(random, held_out, who, wave: Wave, speech: Wave, said_ms, beep_ms, label: str) -> Answer:
    """With noise from the beginning to the end, in a telephone's band or not, in G.711, in packets that may be lost."""
    snr_db = float(random.uniform(0, 20))
    kind = str(random.choice(KINDS))
    level = 10 ** ((active_level_dbov(speech) - 3.01 - snr_db) / 20)
    wave = wave + np.float32(level) * _noise(kind, len(wave), random, held_out)
    if random.random() < 0.5:
        wave = _in_band(wave)
    gain = 10 ** ((random.uniform(-32, -14) - active_level_dbov(speech)) / 20)
    law: Law = "alaw" if random.random() < 0.5 else "ulaw"
    octets = g711.encode(as_samples((wave * np.float32(gain)).astype(np.float32)), law)
    lost = _lost(random, float(random.choice(LOST)), len(octets) // g711.FRAME_SAMPLES)
    return Answer(who, law, octets, said_ms, beep_ms, snr_db, kind, label, lost)


def _lost(random: np.random.Generator, share: float, frames: int) -> frozenset[int]:
    """Bursts of one to four packets."""
    starts = np.flatnonzero(random.random(frames) < share / 2.5)
    return frozenset(
        int(start) + further for start in starts for further in range(int(random.integers(1, 5)))
    )


def _in_band(wave: Wave) -> Wave:
    """300 to 3,400 Hz, with slopes of 100 Hz."""
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(len(wave), 1 / RATE_HZ)
    spectrum *= np.clip((hz - 200) / 100, 0, 1) * np.clip((3500 - hz) / 100, 0, 1)
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


def _noise(kind: str, samples: int, random: np.random.Generator, held_out: bool) -> Wave:
    """A root mean square of 1."""
    if kind in ("babble", "café"):
        room = _room(held_out, int(random.integers(ROOMS)))
        wave = np.resize(np.roll(room, -int(random.integers(len(room)))), samples).astype(np.float64)
        if kind == "café":
            wave = wave / np.sqrt(np.mean(wave * wave)) + 0.7 * _coloured(random, samples, 0.5)
            wave += _clatter(random, samples)
    elif kind == "street":
        # Cars come and go.
        time_s = np.arange(samples) / RATE_HZ
        swell_db = sum(
            random.uniform(1, 4)
            * np.sin(2 * np.pi * random.uniform(0.05, 0.4) * time_s + random.uniform(0, 6.3))
            for _ in range(3)
        )
        wave = _coloured(random, samples, 0.8) * 10 ** (swell_db / 20)
    else:
        wave = _coloured(random, samples, {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind])
    return (wave / np.sqrt(np.mean(wave * wave))).astype(np.float32)


def _coloured(random: np.random.Generator, samples: int, slope: float) -> np.ndarray:
    """Amplitude falls with the frequency to the power of `slope`."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / RATE_HZ), 40)
    wave = np.fft.irfft(spectrum / hz**slope, samples)
    return wave / np.sqrt(np.mean(wave * wave))


def _clatter(random: np.random.Generator, samples: int) -> np.ndarray:
    """Cups: short, and gone."""
    wave = np.zeros(samples)
    for start in random.integers(0, samples, int(samples / RATE_HZ * 0.7)):
        ms = int(random.uniform(10, 60))
        ring = random.standard_normal(ms * MS) * np.exp(-np.arange(ms * MS) / (ms * MS / 5))
        piece = wave[start : start + len(ring)]
        piece += random.uniform(1, 3) * ring[: len(piece)]
    return wave


@cache
def _room(held_out: bool, number: int) -> Wave:
    """Three to seven voices at once, each with its own pauses, nearer or farther."""
    random = np.random.default_rng([5, held_out, number])
    mixed = np.zeros(40 * RATE_HZ, np.float32)
    for voice in random.permutation(np.array(_VOICES[held_out], object))[: 3 + number % 5]:
        parts: list[Wave] = []
        while sum(map(len, parts)) < len(mixed):
            for text in _GREETINGS[voice.lang, held_out]:
                parts += [said(voice, text), silence(random.uniform(100, 1000))]
        whole = np.concatenate(parts)
        whole = whole / np.sqrt(np.mean(whole * whole)) * np.float32(random.uniform(0.5, 1.2))
        mixed += np.roll(np.resize(whole, len(mixed)), int(random.integers(len(mixed))))
    return mixed
