"""Anyone's audio file: what is taken, what it sounds like after, what is refused, and nothing else."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.audio import convert as module
from chappe.audio import g711
from chappe.audio.convert import convert
from chappe.audio.loudness import TARGET_DBOV, active_level_dbov, evened
from chappe.audio.sound import AudioRefused, Converted
from tests.unit.audio.sounds import file_of, loudest_hz, tone

FORMATS = [
    ("WAV", "PCM_16", 44_100),
    ("WAV", "PCM_24", 48_000),
    ("WAV", "FLOAT", 96_000),
    ("WAV", "ALAW", 8_000),
    ("WAV", "IMA_ADPCM", 22_050),
    ("MP3", None, 44_100),
    ("FLAC", None, 32_000),
    ("OGG", "VORBIS", 44_100),
    ("OGG", "OPUS", 48_000),
]


def why(content: bytes) -> str:
    with pytest.raises(AudioRefused) as refused:
        convert(content)
    return refused.value.why


@pytest.mark.parametrize(
    ("kind", "subtype", "rate_hz"), FORMATS, ids=[f"{k} {s or ''}" for k, s, _ in FORMATS]
)
def test_every_format_is_heard_at_the_same_pitch_and_length(
    kind: str, subtype: str | None, rate_hz: int
) -> None:
    both = np.stack([tone(1000, 2.0, rate_hz), tone(1000, 2.0, rate_hz)], axis=1)
    converted = convert(file_of(both, rate_hz, kind, subtype))
    assert len(converted.alaw) == len(converted.ulaw)
    assert abs(converted.duration_ms - 2000) <= 120  # codecs pad
    for law, octets in (("alaw", converted.alaw), ("ulaw", converted.ulaw)):
        assert abs(loudest_hz(g711.decode(octets, law)) - 1000) < 5


def test_what_is_above_four_kilohertz_does_not_fold_back() -> None:
    # 5 kHz would be heard at 3 kHz without a filter. A quiet tone beside it shows the scale.
    wave = tone(5000, 1.0, 16_000, 0.4) + tone(500, 1.0, 16_000, 0.1)
    samples = g711.decode(convert(file_of(wave, 16_000, "WAV", "FLOAT")).alaw, "alaw")
    spectrum = np.abs(np.fft.rfft(samples[800:-800].astype(float)))
    hz = np.fft.rfftfreq(len(samples[800:-800]), 1 / 8000)
    folded = spectrum[(hz > 2900) & (hz < 3100)].max()
    heard = spectrum[(hz > 450) & (hz < 550)].max()
    assert folded < heard / 100


@pytest.mark.parametrize("amplitude", [0.02, 0.1, 0.5, 0.99])
def test_loud_and_quiet_recordings_are_heard_alike(amplitude: float) -> None:
    speech = np.concatenate([tone(300, 0.5, amplitude=amplitude), np.zeros(4000, np.float32)] * 3)
    level = active_level_dbov(evened(speech))
    assert abs(level - TARGET_DBOV) < 1.0


def test_noise_is_not_raised_to_the_level_of_speech() -> None:
    quiet = tone(300, 1.0, amplitude=0.003)
    assert active_level_dbov(evened(quiet)) == pytest.approx(active_level_dbov(quiet) + 20, abs=0.2)


def test_one_bang_does_not_silence_a_message() -> None:
    speech = tone(300, 3.0, amplitude=0.02)
    speech[12_000:12_040] = 1.0
    heard = evened(speech.copy())
    assert np.abs(heard).max() <= 1.0
    assert active_level_dbov(heard[:8000]) > TARGET_DBOV - 6


def test_silence_stays_silent() -> None:
    converted = convert(file_of(np.zeros(8000, np.float32), 8000, "WAV"))
    assert np.abs(g711.decode(converted.alaw, "alaw")).max() <= 8


def test_a_file_that_is_no_sound_is_refused() -> None:
    for content in (b"", b"hello", b"<html>", b"%PDF-1.7" + bytes(100), b"RIFF\0\0\0\0AVI LIST", bytes(1000)):
        assert why(content) == "format"


def test_formats_that_libraries_know_and_we_do_not_take_are_refused() -> None:
    wave = tone(440, 1.0)
    for kind in ("AIFF", "AU", "CAF", "W64", "VOC"):
        assert why(file_of(wave, 8000, kind)) == "format"


def test_hours_of_sound_in_a_small_file_are_given_up() -> None:
    # 301 s of silence are a few kilobytes of FLAC.
    content = file_of(np.zeros(301 * 8000, np.float32), 8000, "FLAC")
    assert len(content) < 100_000
    assert why(content) == "too long"
    assert convert(file_of(np.zeros(300 * 8000, np.float32), 8000, "FLAC")).duration_ms == 300_000


def test_nothing_to_hear_is_refused() -> None:
    assert why(file_of(tone(440, 0.1), 8000, "WAV")) == "too short"
    assert why(file_of(np.zeros(0, np.float32), 8000, "WAV")) == "too short"


def test_a_head_that_lies_about_the_length_is_not_believed() -> None:
    content = bytearray(file_of(tone(440, 1.0), 8000, "WAV", "PCM_16"))
    content[40:44] = struct.pack("<I", 0xFFFF_FFF0)  # the data chunk: four gigabytes
    assert convert(bytes(content)).duration_ms <= 1_010


def test_samples_that_are_no_numbers_are_silence() -> None:
    wave = tone(440, 1.0)
    wave[100:200], wave[300], wave[301] = np.nan, np.inf, 3e38
    content = file_of(np.zeros(8000, np.float32), 8000, "WAV", "FLOAT")
    head = content[: content.index(b"data") + 8]
    converted = convert(head + wave.astype("<f4").tobytes())
    assert converted.duration_ms == 1000


def test_rates_and_channels_out_of_bounds_are_refused() -> None:
    assert why(file_of(tone(100, 1.0, 2000), 2000, "WAV")) == "format"
    assert why(file_of(np.zeros((8000, 9), np.float32), 8000, "WAV")) == "format"


def test_more_octets_than_allowed_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTENT_BYTES_MAX", 100)
    assert why(file_of(tone(440, 1.0), 8000, "WAV")) == "format"


SEEDS = [file_of(tone(440, 0.5, 8000 if s == "ALAW" else 48_000), 8000 if s == "ALAW" else 48_000, k, s)[:6000]
         for k, s, _ in FORMATS]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5999), st.integers(0, 255)), max_size=20),
    st.integers(0, 6000),
)
def test_damaged_files_give_our_refusal_or_a_sound(
    seed: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    content = bytearray(seed)
    for place, octet in changes:
        if place < len(content):
            content[place] = octet
    try:
        converted = convert(bytes(content[:length]))
    except AudioRefused:
        return
    assert isinstance(converted, Converted)
    assert 200 <= converted.duration_ms <= 300_000
