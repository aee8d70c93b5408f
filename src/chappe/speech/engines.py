"""The engines that the configuration asks for, in the order in which they are asked."""

from __future__ import annotations

import structlog

from chappe.settings import Settings, SettingsRefused
from chappe.speech.over_http import HttpEngine
from chappe.speech.pico import PicoEngine
from chappe.speech.port import Engine, SpeechUnavailable
from chappe.speech.programs import EspeakEngine, PiperEngine

_log: structlog.stdlib.BoundLogger = structlog.get_logger("speech")


async def configured_engines(settings: Settings) -> list[Engine]:
    """HTTP and Piper where configured, then SVOX Pico, then espeak-ng, as far as they are there.

    None at all is possible: then no text is spoken, and `tts/send` takes audio files only. Raises `SettingsRefused`.
    """
    voice = settings.voice
    engines: list[Engine] = []
    if voice.speech_url:
        engines.append(HttpEngine(voice.speech_url, voice.speech_url_langs))
    if voice.piper_voices:
        folder = settings.data / voice.piper_voices  # an absolute path stays as it is
        if not folder.is_dir():
            raise SettingsRefused(f"[voice] piper_voices: {folder} is no folder")
        engines.append(PiperEngine(voice.piper_program, folder))
    if PicoEngine.is_installed():
        engines.append(PicoEngine())
    if EspeakEngine.is_installed():
        espeak = EspeakEngine()
        try:
            await espeak.prepare()
            engines.append(espeak)
        except SpeechUnavailable as error:
            _log.warning("espeak-ng is there but does not work", reason=str(error))
    if not engines:
        _log.warning(
            "no speech engine: install espeak-ng, or SVOX Pico with a C compiler; texts are refused (LANG_INVALID)"
        )
    return engines
