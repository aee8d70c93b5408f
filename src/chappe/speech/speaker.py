"""Speaks a text once: what was spoken lately is remembered by engine, voice, rate and text."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import structlog

from chappe.audio.sound import Converted
from chappe.logs import Sparing
from chappe.speech.port import Engine, LanguageUnknown, Piece, SpeechUnavailable
from chappe.speech.text import clamped_rate, pieces_of
from chappe.turns import Turns, TurnsBusy

REMEMBERED_BYTES_MAX: Final = 64 << 20
WAITING_MAX: Final = 512
"""Texts that wait for one engine."""
WAITING_OF_ONE_MAX: Final = 32
_log: structlog.stdlib.BoundLogger = structlog.get_logger("speech")
_LANG: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")


class Speaker:
    """Asks `engines` in their order: the first that has a voice for the language and works speaks."""

    def __init__(
        self, engines: Sequence[Engine], *, remembered_bytes_max: int = REMEMBERED_BYTES_MAX
    ) -> None:
        self._engines = tuple(engines)
        self._bytes_max = remembered_bytes_max
        self._bytes = 0
        self._known: OrderedDict[bytes, Converted] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[Converted]] = {}
        self._is_stopped = False
        self._unspoken = Sparing()
        self._turns = {
            id(engine): Turns(engine.at_once, waiting_max_of_one=WAITING_OF_ONE_MAX, waiting_max=WAITING_MAX)
            for engine in self._engines
        }

    def clean_lang(self, lang: str) -> str:
        """`fr`, `fr-FR`, `fr_FR` as "fr", "fr-fr", "fr-fr"; raises `LanguageUnknown` when nobody speaks it."""
        cleaned = lang.strip().lower().replace("_", "-")
        if _LANG.fullmatch(cleaned) is None or not self._choices(cleaned):
            raise LanguageUnknown
        return cleaned

    async def speak(self, text: str, lang: str, rate: float, owner: int = 0) -> Converted:
        """`lang` is a `clean_lang`. Accounts (`owner`) take turns. Raises `LanguageUnknown`, `TextRefused` or
        `SpeechUnavailable`.
        """
        pieces = pieces_of(text)
        rate = clamped_rate(rate)
        failed: SpeechUnavailable | None = None
        for engine, voice in self._choices(lang):
            try:
                return await self._spoken_by(engine, voice, pieces, rate, owner)
            except SpeechUnavailable as error:
                kept_back = self._unspoken.kept_back(asyncio.get_running_loop().time())
                if kept_back is not None:
                    _log.warning(
                        "an engine does not speak; the next one is asked",
                        engine=engine.name,
                        reason=str(error),
                        kept_back=kept_back,
                    )
                failed = error
            except TurnsBusy as error:
                raise SpeechUnavailable("too many texts wait to be spoken") from error
        raise failed or LanguageUnknown

    async def _spoken_by(
        self, engine: Engine, voice: str, pieces: list[Piece], rate: float, owner: int
    ) -> Converted:
        spelled = repr((engine.name, voice, rate, [(piece.text, piece.pause_ms) for piece in pieces]))
        key = blake2b(spelled.encode(), digest_size=32).digest()
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        task = self._under_way.get(key)
        if task is None:
            # A task of its own: one customer who goes away does not end what another one waits for.
            task = self._under_way[key] = asyncio.create_task(
                self._in_turn(engine, voice, pieces, rate, owner)
            )
            task.add_done_callback(lambda done: self._spoken(key, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._is_stopped:
                raise SpeechUnavailable("the server stops") from None
            raise

    async def _in_turn(
        self, engine: Engine, voice: str, pieces: list[Piece], rate: float, owner: int
    ) -> Converted:
        async with self._turns[id(engine)].of(owner):
            return await engine.speak(pieces, voice, rate)

    def end_waiting(self) -> None:
        """The server stops: what waits for its turn is refused, nothing new is spoken."""
        for turns in self._turns.values():
            turns.close()

    async def stop(self) -> None:
        """Ends the engines."""
        self._is_stopped = True
        self.end_waiting()
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        for engine in self._engines:
            await engine.stop()

    def _choices(self, lang: str) -> list[tuple[Engine, str]]:
        voices = [(engine, engine.voice(lang)) for engine in self._engines]
        return [(engine, voice) for engine, voice in voices if voice is not None]

    def _spoken(self, key: bytes, task: asyncio.Task[Converted]) -> None:
        del self._under_way[key]
        if task.cancelled() or task.exception() is not None:
            return
        sound = task.result()
        self._known[key] = sound
        self._bytes += len(sound.alaw) + len(sound.ulaw)
        while self._bytes > self._bytes_max and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._bytes -= len(oldest.alaw) + len(oldest.ulaw)
