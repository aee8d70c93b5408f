"""G.711 against the values of the recommendation (ITU-T G.711, tables 1 and 2)."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from chappe.audio import g711
from chappe.audio.sound import Law

ALL = bytes(range(256))
LINEAR = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_every_octet_comes_back_as_itself(law: Law) -> None:
    again = g711.encode(g711.decode(ALL, law), law)
    # mu-law has two zeros; they sound alike.
    assert [octet for octet in ALL if again[octet] != octet] == ([127] if law == "ulaw" else [])


@pytest.mark.parametrize(
    ("law", "octet", "linear"),
    [
        # The smallest and the largest of both signs, and a step of the middle (the tables' decoder values, at 16 bits).
        ("alaw", 0xD5, 8),
        ("alaw", 0x55, -8),
        ("alaw", 0xAA, 32256),
        ("alaw", 0x2A, -32256),
        ("alaw", 0x80 ^ 0x55 ^ 0x10, 264),
        ("ulaw", 0xFF, 0),
        ("ulaw", 0x80, 32124),
        ("ulaw", 0x00, -32124),
        ("ulaw", 0xEF, 132),
    ],
)
def test_octets_mean_what_the_tables_say(law: Law, octet: int, linear: int) -> None:
    assert g711.decode(bytes([octet]), law)[0] == linear


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_every_sample_gets_the_step_it_lies_in(law: Law) -> None:
    decoded = g711.decode(g711.encode(LINEAR, law), law).astype(int)
    error = np.abs(decoded - LINEAR.astype(int))
    # Half a step: 1/33 of the value, 8 near zero; above the last decision value there is one step only.
    allowed = np.maximum(
        (np.abs(LINEAR.astype(int)) + 132) // 32 + 4, 8
    )  # mu-law adds 132 before the logarithm
    inside = np.abs(LINEAR.astype(int)) < 32000
    assert np.all(error[inside] <= allowed[inside])
    assert np.all(np.diff(decoded) >= 0)


def test_a_wav_file_of_ours_is_read_by_others() -> None:
    samples = (np.sin(np.arange(800) / 5) * 12000).astype(np.int16)
    read, rate_hz = soundfile.read(io.BytesIO(g711.wav(samples)), dtype="int16")
    assert rate_hz == 8000
    assert np.array_equal(read, samples)


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_silence_is_silent(law: Law) -> None:
    assert abs(int(g711.decode(bytes([g711.SILENCE[law]]), law)[0])) <= 8
