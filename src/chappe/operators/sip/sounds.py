"""The sounds that the media process has: loaded once for all calls that play them, unloaded after the last."""

from __future__ import annotations

from chappe.audio.sound import Converted
from chappe.operators.sip.media.client import MediaProcess
from chappe.operators.sip.sdp.audio import CodecName


class Sounds:
    def __init__(self, media: MediaProcess) -> None:
        self._media = media
        self._held: dict[tuple[int, CodecName], tuple[int, int, Converted]] = {}
        """By the sound's identity and codec: its number there, how many hold it, the sound (so that no other can have
        its identity).
        """

    def hold(self, sound: Converted, codec: CodecName) -> int:
        """Its number in the media process, until `release`."""
        key = (id(sound), codec)
        number, holders, _ = self._held.get(key, (0, 0, sound))
        if not holders:
            number = self._media.load({codec: sound.alaw if codec == "PCMA" else sound.ulaw})
        self._held[key] = (number, holders + 1, sound)
        return number

    def release(self, sound: Converted, codec: CodecName) -> None:
        key = (id(sound), codec)
        number, holders, _ = self._held[key]
        if holders > 1:
            self._held[key] = (number, holders - 1, sound)
        else:
            del self._held[key]
            self._media.unload(number)
