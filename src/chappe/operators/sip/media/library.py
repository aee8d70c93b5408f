"""Sounds cut into the payloads that are sent: once for all streams that play them."""

from __future__ import annotations

from typing import Final

from chappe.operators.sip.sdp.audio import CodecName

OCTETS_MAX: Final = 256 << 20
"""All sounds together, as they were loaded."""
SILENCE: Final[dict[CodecName, int]] = {"PCMA": 0xD5, "PCMU": 0xFF}
OCTETS_PER_MS: Final = 8


class Library:
    """Frames are shared, so they are never changed."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, CodecName], list[bytes]] = {}
        """Of sounds that are not complete."""
        self._sounds: dict[tuple[int, CodecName], bytes] = {}
        self._frames: dict[tuple[int, CodecName, int], tuple[bytes, ...]] = {}
        self._silence: dict[tuple[CodecName, int], bytes] = {}
        self._octets = 0

    def load(self, sound: int, codec: CodecName, octets: bytes, *, is_last: bool) -> bool:
        """False where there is no room: the sound then is not there."""
        if self._octets + len(octets) > OCTETS_MAX:
            self.unload(sound)
            return False
        pieces = self._pieces.setdefault((sound, codec), [])
        pieces.append(octets)
        self._octets += len(octets)
        if is_last:
            del self._pieces[sound, codec]
            self._octets -= len(self._sounds.get((sound, codec), b""))
            self._sounds[sound, codec] = b"".join(pieces)
        return True

    def unload(self, sound: int) -> None:
        for key in [key for key in self._sounds if key[0] == sound]:
            self._octets -= len(self._sounds.pop(key))
        for key in [key for key in self._pieces if key[0] == sound]:
            self._octets -= sum(map(len, self._pieces.pop(key)))
        for frames_key in [key for key in self._frames if key[0] == sound]:
            del self._frames[frames_key]

    def frames(self, sound: int, codec: CodecName, ptime_ms: int) -> tuple[bytes, ...] | None:
        """The payloads of a sound, the last one filled up with silence; None for a sound that is not there."""
        key = (sound, codec, ptime_ms)
        frames = self._frames.get(key)
        if frames is None:
            octets = self._sounds.get((sound, codec))
            if octets is None:
                return None
            size = ptime_ms * OCTETS_PER_MS
            octets += self.silence(codec, ptime_ms)[: -len(octets) % size]
            frames = tuple(octets[start : start + size] for start in range(0, len(octets), size))
            self._frames[key] = frames
        return frames

    def silence(self, codec: CodecName, ptime_ms: int) -> bytes:
        key = (codec, ptime_ms)
        frame = self._silence.get(key)
        if frame is None:
            frame = self._silence[key] = bytes([SILENCE[codec]]) * (ptime_ms * OCTETS_PER_MS)
        return frame
