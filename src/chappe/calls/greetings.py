"""What callers hear first: a file of the server's, an uploaded one, or a spoken text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

import structlog

from chappe.audio.converter import Converter, ConverterBusy
from chappe.audio.files import sound_by_token
from chappe.audio.sound import CONTENT_BYTES_MAX, RATE_HZ, AudioRefused, Converted
from chappe.calls.numbers import NumberRule
from chappe.speech.port import LanguageUnknown, SpeechUnavailable, TextRefused
from chappe.speech.speaker import Speaker
from chappe.storage.database import Reader
from chappe.storage.store import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

TONE_HZ: Final = 1000
TONE_MS: Final = 240
PAUSE_MS: Final = 200


class GreetingRefused(Exception):
    """A greeting that cannot be played; the text is one clear line."""


class Greetings:
    """`default_lang`: of texts that do not say theirs."""

    def __init__(self, store: Store, speaker: Speaker, converter: Converter, default_lang: str) -> None:
        self._store = store
        self._speaker = speaker
        self._converter = converter
        self._default_lang = default_lang
        self._files: dict[str, Converted] = {}

    async def prepare(self, rules: Iterable[NumberRule]) -> None:
        """Reads the files, and looks whether everything else is there. Raises `GreetingRefused`."""
        for rule in rules:
            try:
                if rule.greeting_file and rule.greeting_file not in self._files:
                    self._files[rule.greeting_file] = await self._convert(Path(rule.greeting_file))
                elif rule.greeting_text:
                    self._speaker.clean_lang(rule.greeting_lang or self._default_lang)
                elif rule.greeting_token and await self._stored(rule.greeting_token) is None:
                    raise GreetingRefused(f"there is no audio file {rule.greeting_token}")
            except GreetingRefused as refused:
                raise GreetingRefused(f"number {rule.number}: {refused}") from refused
            except LanguageUnknown:
                raise GreetingRefused(
                    f"number {rule.number}: nobody speaks {rule.greeting_lang or self._default_lang}"
                ) from None

    async def of(self, rule: NumberRule) -> Converted | None:
        """None where there is none, or it cannot be had now: the call is answered all the same. Before a recording it
        ends with a tone.
        """
        greeting = await self._greeting(rule)
        return with_tone(greeting) if rule.action == "record" else greeting

    async def _greeting(self, rule: NumberRule) -> Converted | None:
        if rule.greeting_file:
            return self._files.get(rule.greeting_file)
        if rule.greeting_token:
            sound = await self._stored(rule.greeting_token)
            if sound is None:
                _log.error("a greeting's audio file is gone", number=rule.number)
            return sound
        if not rule.greeting_text:
            return None
        try:
            lang = self._speaker.clean_lang(rule.greeting_lang or self._default_lang)
            return await self._speaker.speak(rule.greeting_text, lang, 1.0)
        except (SpeechUnavailable, LanguageUnknown, TextRefused) as error:
            _log.error("a greeting cannot be spoken now", number=rule.number, reason=str(error))
            return None

    async def _stored(self, token: str) -> Converted | None:
        def read(reader: Reader) -> Converted | None:
            return sound_by_token(reader, token)

        return await self._store.database.scan(read)

    async def _convert(self, path: Path) -> Converted:
        try:
            return await self._converter.convert(_content(path))
        except AudioRefused as refused:
            raise GreetingRefused(f"{path} is no audio file that can be played: {refused.why}") from refused
        except ConverterBusy as busy:
            raise GreetingRefused(f"{path} could not be read in time") from busy


def with_tone(greeting: Converted | None) -> Converted:
    """The greeting, a moment, then the tone after which is spoken."""
    alaw, ulaw = _tone()
    if greeting is None:
        return Converted(TONE_MS, alaw, ulaw)
    moment = PAUSE_MS * RATE_HZ // 1000
    return Converted(
        greeting.duration_ms + PAUSE_MS + TONE_MS,
        greeting.alaw + b"\xd5" * moment + alaw,
        greeting.ulaw + b"\xff" * moment + ulaw,
    )


@cache
def _tone() -> tuple[bytes, bytes]:
    """A-law and mu-law of 1 kHz, 12 dB under the loudest."""
    import numpy as np

    from chappe.audio import g711

    times = np.arange(TONE_MS * RATE_HZ // 1000) / RATE_HZ
    samples = (8000 * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.int16)
    return g711.encode(samples, "alaw"), g711.encode(samples, "ulaw")


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > CONTENT_BYTES_MAX:
            raise GreetingRefused(f"{path} has more than {CONTENT_BYTES_MAX} octets")
        return path.read_bytes()
    except OSError as error:
        raise GreetingRefused(f"cannot read {path}: {error.strerror}") from error
