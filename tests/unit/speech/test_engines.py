"""The engines speak: Pico, espeak-ng, a program like Piper, a server behind HTTP; and what happens when they do not."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from chappe.audio import g711
from chappe.audio.loudness import TARGET_DBOV, active_level_dbov
from chappe.audio.sound import Converted
from chappe.speech.over_http import HttpEngine
from chappe.speech.pico import PicoEngine
from chappe.speech.port import Engine, LanguageUnknown, Piece, SpeechUnavailable, TextRefused
from chappe.speech.programs import EspeakEngine, PiperEngine
from chappe.speech.speaker import Speaker
from chappe.speech.text import pieces_of
from tests.support.peers import need
from tests.unit.audio.sounds import file_of, loudest_hz, tone

TEXT = "Bonjour, votre rendez-vous est confirmé pour demain à quatorze heures trente."


def heard(sound: Converted) -> np.ndarray:
    return g711.decode(sound.alaw, "alaw").astype(np.float32) / 32768


def longest_silence_ms(sound: Converted) -> int:
    wave = heard(sound)
    frames = np.abs(wave[: len(wave) // 80 * 80]).reshape(-1, 80).max(axis=1) < 0.004
    longest = run = 0
    for is_quiet in frames:
        run = run + 1 if is_quiet else 0
        longest = max(longest, run)
    return longest * 10


@pytest.fixture
async def pico() -> AsyncIterator[PicoEngine]:
    assert PicoEngine.is_installed(), "ttspico belongs to the development requirements"
    engine = PicoEngine()
    yield engine
    await engine.stop()


@pytest.mark.parametrize("lang", ["fr", "en", "en-us", "fr-be", "de"])
async def test_pico_speaks_at_the_level_of_every_other_sound(pico: PicoEngine, lang: str) -> None:
    voice = pico.voice(lang)
    assert voice is not None
    sound = await pico.speak(pieces_of(TEXT), voice, 1.0)
    assert 3_500 < sound.duration_ms < 9_000
    assert len(sound.alaw) == len(sound.ulaw) == sound.duration_ms * 8
    assert abs(active_level_dbov(heard(sound)) - TARGET_DBOV) < 2


async def test_six_commas_are_three_seconds_of_silence(pico: PicoEngine) -> None:
    sound = await pico.speak(pieces_of("Bonjour,,,,,, monsieur"), "fr-FR", 1.0)
    assert 3_000 <= longest_silence_ms(sound) <= 3_300


async def test_the_rate_changes_the_duration(pico: PicoEngine) -> None:
    slow, plain, fast = [await pico.speak(pieces_of(TEXT), "fr-FR", rate) for rate in (0.5, 1.0, 2.0)]
    assert slow.duration_ms > 1.4 * plain.duration_ms
    assert fast.duration_ms < 0.75 * plain.duration_ms
    # The rate of one text is not that of the next.
    again = await pico.speak(pieces_of(TEXT), "fr-FR", 1.0)
    assert again.duration_ms == pytest.approx(plain.duration_ms, rel=0.05)


async def test_markup_is_spoken_not_obeyed(pico: PicoEngine) -> None:
    plain = await pico.speak(pieces_of(TEXT), "fr-FR", 1.0)
    tagged = await pico.speak(pieces_of(f"<speed level='20'>{TEXT}</speed>"), "fr-FR", 1.0)
    assert tagged.duration_ms < 2.5 * plain.duration_ms  # obeyed, it would be five times as long


async def test_odd_texts_do_not_end_pico(pico: PicoEngine) -> None:
    for text in ("é" * 500, "日本語", "a" * 2999, "😀 bonjour", "1" * 300, "' \" & ; %s %n", "\u202eabc"):
        try:
            await pico.speak(pieces_of(text), "fr-FR", 2.0)
        except TextRefused:
            pass  # nothing that this voice can say, or over five minutes of it
    assert (await pico.speak(pieces_of("Bonjour"), "fr-FR", 1.0)).duration_ms > 300


async def test_five_minutes_are_the_most_that_is_spoken(pico: PicoEngine) -> None:
    with pytest.raises(TextRefused) as refused:
        await pico.speak([Piece("Bonjour", 299_900)], "fr-FR", 1.0)
    assert refused.value.is_too_long


@pytest.mark.peer
async def test_espeak_speaks() -> None:
    engine = EspeakEngine(need("espeak-ng"))
    await engine.prepare()
    assert engine.voice("fr") == "fr"
    assert engine.voice("en-gb") == "en-gb"
    assert engine.voice("xx") is None
    sound = await engine.speak(pieces_of("-v en, --help, $(id)"), "fr", 1.0)
    assert sound.duration_ms > 2_000
    await engine.stop()


async def test_a_program_like_piper_gets_the_model_the_rate_and_the_text(tmp_path: Path) -> None:
    (tmp_path / "in.wav").write_bytes(file_of(tone(700, 1.0, 22_050), 22_050, "WAV"))
    program = tmp_path / "piper"
    program.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\nhere = pathlib.Path({str(tmp_path)!r})\n"
        "(here / 'asked').write_text(repr(sys.argv[1:]) + sys.stdin.read())\n"
        "sys.stdout.buffer.write((here / 'in.wav').read_bytes())\n"
    )
    program.chmod(0o755)
    (tmp_path / "fr_FR-siwis-medium.onnx").touch()
    engine = PiperEngine(str(program), tmp_path)
    assert engine.voice("en") is None
    assert engine.voice("fr") == engine.voice("fr-fr") == "fr_FR-siwis-medium"
    sound = await engine.speak([Piece("Bonjour", 0)], "fr_FR-siwis-medium", 2.0)
    assert abs(loudest_hz(g711.decode(sound.alaw, "alaw")) - 700) < 5
    model = str(tmp_path / "fr_FR-siwis-medium.onnx")
    asked = ["--model", model, "--length_scale", "0.500", "--output_file", "-"]
    assert (tmp_path / "asked").read_text() == f"{asked!r}Bonjour\n"
    await engine.stop()


@pytest.mark.parametrize("program", ["/nowhere/piper", "/bin/false", "/bin/cat"])
async def test_a_program_that_gives_no_sound_is_unavailable(program: str, tmp_path: Path) -> None:
    engine = PiperEngine(program, tmp_path)
    with pytest.raises(SpeechUnavailable):
        await engine.speak([Piece("Bonjour", 0)], "voice", 1.0)
    await engine.stop()


async def test_a_server_behind_http_speaks_or_is_unavailable() -> None:
    asked: list[object] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body)
        match body["text"]:
            case "error":
                return web.Response(status=500)
            case "page":
                return web.Response(text="<html>")
            case "elsewhere":
                return web.Response(status=302, headers={"Location": "/"})
        return web.Response(body=file_of(tone(900, 1.0, 24_000), 24_000, "MP3"))

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    engine = HttpEngine(f"http://127.0.0.1:{runner.addresses[0][1]}/", ["fr"])
    try:
        assert engine.voice("en") is None
        assert engine.voice("fr-ca") == "fr-ca"
        sound = await engine.speak([Piece("Bonjour", 0)], "fr", 1.5)
        assert abs(loudest_hz(g711.decode(sound.alaw, "alaw")) - 900) < 5
        assert asked == [{"text": "Bonjour", "lang": "fr", "rate": 1.5}]
        for text in ("error", "page", "elsewhere"):
            with pytest.raises(SpeechUnavailable):
                await engine.speak([Piece(text, 0)], "fr", 1.0)
        await runner.cleanup()
        with pytest.raises(SpeechUnavailable):
            await engine.speak([Piece("Bonjour", 0)], "fr", 1.0)
    finally:
        await engine.stop()


class FakeEngine:
    """Counts what it is asked."""

    name = "fake"
    at_once = 1

    def __init__(self, langs: str, seconds: int = 1) -> None:
        self.langs = langs.split()
        self.asked: list[tuple[str, float]] = []
        self.seconds = seconds
        self.fails = False

    def voice(self, lang: str) -> str | None:
        return f"voice-{lang}" if lang in self.langs else None

    async def speak(self, pieces: Sequence[Piece], voice: str, rate: float) -> Converted:
        self.asked.append((pieces[0].text, rate))
        await asyncio.sleep(0)
        if self.fails:
            raise SpeechUnavailable("down")
        octets = bytes(8000 * self.seconds)
        return Converted(1000 * self.seconds, octets, octets)

    async def stop(self) -> None:
        pass


async def test_the_first_engine_with_a_voice_speaks_and_a_text_is_spoken_once() -> None:
    french, other = FakeEngine("fr"), FakeEngine("fr pl")
    engines: list[Engine] = [french, other]
    speaker = Speaker(engines)
    await asyncio.gather(*(speaker.speak("Bonjour", "fr", 1.0) for _ in range(5)))
    await speaker.speak("Bonjour", "fr", 1)
    await speaker.speak("Bonjour", "fr", 7)
    await speaker.speak("Bonjour", "pl", 1)
    assert french.asked == [("Bonjour", 1.0), ("Bonjour", 2.0)]
    assert other.asked == [("Bonjour", 1.0)]
    assert speaker.clean_lang(" fr ") == "fr"
    for lang in ("xx", "fr-FR-x-y", "", "../fr", "français"):
        with pytest.raises(LanguageUnknown):
            speaker.clean_lang(lang)
    await speaker.stop()


async def test_when_an_engine_fails_the_next_one_speaks() -> None:
    broken, other = FakeEngine("fr"), FakeEngine("fr")
    broken.fails = True
    speaker = Speaker([broken, other])
    assert (await speaker.speak("Bonjour", "fr", 1)).duration_ms == 1000
    assert broken.asked == other.asked == [("Bonjour", 1.0)]
    await speaker.stop()


async def test_whoever_has_many_texts_waits_for_himself() -> None:
    engine, other = FakeEngine("fr"), FakeEngine("fr")
    speaker = Speaker([engine, other])
    many = [asyncio.create_task(speaker.speak(f"texte {n}", "fr", 1, 1)) for n in range(50)]
    await asyncio.sleep(0)
    await speaker.speak("un seul", "fr", 1, 2)
    assert [text for text, _ in engine.asked].index("un seul") <= 2
    results = await asyncio.gather(*many, return_exceptions=True)
    # One is spoken while 32 wait; the others are refused, and do not go to the next engine.
    assert [isinstance(result, SpeechUnavailable) for result in results] == [False] * 33 + [True] * 17
    assert other.asked == []
    await speaker.stop()


async def test_a_speech_server_that_never_answers_is_not_waited_for_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chappe.speech.over_http.ANSWER_S_MAX", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = HttpEngine(f"http://127.0.0.1:{silent.getsockname()[1]}/", [])
        for _ in range(6):
            with pytest.raises(SpeechUnavailable):
                await engine.speak([Piece("Bonjour", 0)], "fr", 1.0)
        await engine.stop()
        silent.setblocking(False)
        for _ in range(3):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


async def test_a_text_of_many_slow_pieces_comes_to_an_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("chappe.speech.files.TEXT_S_MAX", 0.2)
    engine = PiperEngine("/bin/cat", tmp_path)
    with pytest.raises(SpeechUnavailable, match=r"over 0\.2 s"):
        engine.file = lambda *_: asyncio.sleep(0.15, b"")  # type: ignore[method-assign,assignment]
        await engine.speak([Piece("Bonjour", 0)] * 400, "voice", 1.0)
    await engine.stop()


async def test_what_failed_is_not_remembered_and_memory_is_bounded() -> None:
    engine = FakeEngine("fr", seconds=10)
    speaker = Speaker([engine], remembered_bytes_max=400_000)  # two sounds and a half
    engine.fails = True
    with pytest.raises(SpeechUnavailable):
        await speaker.speak("un", "fr", 1)
    engine.fails = False
    for text in ("un", "deux", "un", "trois", "un", "deux"):
        await speaker.speak(text, "fr", 1)
    assert [text for text, _ in engine.asked] == ["un", "un", "deux", "trois", "deux"]
    await speaker.stop()
