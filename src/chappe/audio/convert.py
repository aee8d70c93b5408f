"""Reads an audio file of anyone's and gives what the telephone network carries: 8 kHz, mono, evened, A-law and mu-law.

What a file is, is told by its first octets, never by its name. It is decoded in blocks and given up as soon as it is
too long: 25 MiB of MP3 can be hours. Runs in a process of its own (`Converter`), never in the server's.
"""

from __future__ import annotations

import io
from typing import Any, Final

import msgspec
import numpy as np

from chappe.audio import g711
from chappe.audio.loudness import Wave, as_samples, evened
from chappe.audio.sound import CONTENT_BYTES_MAX, DURATION_S_MAX, Answer, AudioRefused, Converted

DURATION_MS_MIN: Final = 200
CHANNELS_MAX: Final = 8
RATE_HZ_MIN: Final = 4000
RATE_HZ_MAX: Final = 192_000
BLOCK_FRAMES: Final = 65_536
SAMPLE_MAX: Final = 16.0
"""Files of floating point may hold anything; louder than 24 dB above full scale is no sound."""

_FORMATS: Final = {"WAV", "WAVEX", "MP3", "FLAC", "OGG"}


def looks_like_audio(content: bytes) -> bool:
    """Whether the first octets are those of WAV, FLAC, OGG or MP3: nothing else reaches a decoder."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return True
    if content[:4] in (b"fLaC", b"OggS") or content[:3] == b"ID3":
        return True
    # An MPEG audio frame: 11 bits of sync, a layer that is not reserved (ISO/IEC 11172-3 section 2.4.1.3).
    return len(content) > 2 and content[0] == 0xFF and content[1] & 0xE0 == 0xE0 and content[1] & 0x06 != 0


def convert(content: bytes) -> Converted:
    """Raises `AudioRefused`."""
    return encoded(evened(decoded(content)))


def encoded(wave: Wave) -> Converted:
    """What 8 kHz mono `wave` (full scale 1) is on the network."""
    samples = as_samples(wave)
    return Converted(
        duration_ms=len(samples) * 1000 // g711.RATE_HZ,
        alaw=g711.encode(samples, "alaw"),
        ulaw=g711.encode(samples, "ulaw"),
    )


def resampled(wave: Wave, rate_hz: int) -> Wave:
    """`wave` at 8 kHz; what would fold back from above 4 kHz is filtered out."""
    if rate_hz == g711.RATE_HZ:
        return wave
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    return np.asarray(soxr.resample(wave, rate_hz, g711.RATE_HZ, quality="HQ"), dtype=np.float32)  # pyright: ignore[reportUnknownMemberType]


def decoded(content: bytes) -> Wave:
    """The whole file as 8 kHz mono; raises `AudioRefused`."""
    if len(content) > CONTENT_BYTES_MAX or not looks_like_audio(content):
        raise AudioRefused("format")
    # libsndfile has no types; everything that comes from it is checked here.
    import soundfile  # pyright: ignore[reportMissingTypeStubs]

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            return _read(file)
    except (soundfile.SoundFileError, ValueError, TypeError, OverflowError) as error:
        raise AudioRefused("damaged") from error


def _read(file: Any) -> Wave:
    rate_hz, channels = int(file.samplerate), int(file.channels)
    if file.format not in _FORMATS:
        raise AudioRefused("format")
    if not (RATE_HZ_MIN <= rate_hz <= RATE_HZ_MAX and 1 <= channels <= CHANNELS_MAX):
        raise AudioRefused("format")
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    stream = soxr.ResampleStream(rate_hz, g711.RATE_HZ, 1, dtype="float32", quality="HQ")
    blocks: list[Wave] = []
    left = DURATION_S_MAX * rate_hz
    while True:
        # Not what the head says: it may say anything.
        block = np.asarray(file.read(BLOCK_FRAMES, dtype="float32", always_2d=True), dtype=np.float32)
        if len(block) == 0:
            break
        left -= len(block)
        if left < 0:
            raise AudioRefused("too long")
        block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        mono = np.clip(np.mean(block, axis=1, dtype=np.float32), -SAMPLE_MAX, SAMPLE_MAX)
        blocks.append(np.asarray(stream.resample_chunk(mono), dtype=np.float32))  # pyright: ignore[reportUnknownMemberType]
    if not blocks:
        raise AudioRefused("too short")
    blocks.append(
        np.asarray(stream.resample_chunk(np.zeros(0, np.float32), last=True), dtype=np.float32)  # pyright: ignore[reportUnknownMemberType]
    )
    wave = np.concatenate(blocks)
    if len(wave) * 1000 < DURATION_MS_MIN * g711.RATE_HZ:
        raise AudioRefused("too short")
    return wave


def work(content: bytes) -> bytes:
    """`convert` from bytes to bytes, for the isolated process."""
    try:
        answer = Answer(converted=convert(content))
    except AudioRefused as refused:
        answer = Answer(why=refused.why)
    return msgspec.msgpack.encode(answer)
