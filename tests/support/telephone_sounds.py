"""`python -m tests.support.telephone_sounds`: makes what the built-in telephones say (src/chappe/simulator/recordings).

A-law, 8,000 octets a second, without a header. They are kept in the repository, so that the simulator needs no engine
that speaks, and every server says the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from chappe.audio import g711
from chappe.simulator import sounds
from chappe.speech.pico import PicoEngine
from chappe.speech.port import Piece

RATE_HZ = 8000
BEEP_HZ = 1000


def tone(hz: float, seconds: float, level: float = 0.25) -> bytes:
    """With soft edges: a click is no part of a beep."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    edge = np.minimum(1, np.minimum(times, times[::-1]) / 0.005)
    return g711.encode((32767 * level * edge * np.sin(2 * np.pi * hz * times)).astype(np.int16), "alaw")


def silence(seconds: float) -> bytes:
    return g711.encode(np.zeros(round(seconds * RATE_HZ), np.int16), "alaw")


async def spoken(engine: PicoEngine, text: str) -> bytes:
    return (await engine.speak([Piece(text, 0)], "fr-FR", 1.0)).alaw


async def main() -> None:
    folder = Path(sounds.__file__).parent / "recordings"
    folder.mkdir(exist_ok=True)
    engine = PicoEngine()
    hello = await spoken(engine, "Allô ?")
    greeting = await spoken(engine, "Bonjour, laissez-moi un message après le bip.")
    mailbox = await spoken(engine, "Messagerie vocale.")
    await engine.stop()
    beep = silence(0.2) + tone(BEEP_HZ, 0.4)
    for name, sound in (("hello", hello), ("greeting", greeting + beep), ("mailbox", mailbox + beep)):
        (folder / f"{name}.alaw").write_bytes(sound)
        print(f"{name}: {len(sound) / RATE_HZ:.2f} s")


if __name__ == "__main__":
    asyncio.run(main())
