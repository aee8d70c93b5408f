"""Any engine behind HTTP: POST {"text", "lang", "rate"} as JSON, an audio file in the answer (WAV, MP3, FLAC or OGG)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import aiohttp
import msgspec

from chappe.audio.sound import CONTENT_BYTES_MAX
from chappe.speech.files import FileEngine
from chappe.speech.port import Piece, SpeechUnavailable

ANSWER_S_MAX: Final = 30.0
SILENT_MAX: Final = 3
"""Texts in a row without an answer, after which nobody waits for the server for `REST_S`."""
REST_S: Final = 30.0


class HttpEngine(FileEngine):
    """The server at `url`, which the operator of this server has chosen: it may be on a private address.

    `langs` are the languages that it speaks; empty: every one. It may answer 404 to the others.
    """

    name = "http"
    at_once = 8

    def __init__(self, url: str, langs: Sequence[str]) -> None:
        super().__init__()
        self._url = url
        self._langs = frozenset(langs)
        self._session: aiohttp.ClientSession | None = None
        self._silent = 0
        self._rests_until_s = 0.0

    def voice(self, lang: str) -> str | None:
        """The language itself."""
        known = not self._langs or lang in self._langs or lang.partition("-")[0] in self._langs
        return lang if known else None

    async def file(self, piece: Piece, voice: str, rate: float) -> bytes:
        """What the server answers."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._rests_until_s:
            raise SpeechUnavailable("the speech server has not answered lately")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX), trust_env=False, auto_decompress=False
            )
        body = msgspec.json.encode({"text": piece.text, "lang": voice, "rate": rate})
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise SpeechUnavailable(f"the speech server answered HTTP {response.status}")
                content = await response.content.read(CONTENT_BYTES_MAX + 1)
                while len(content) <= CONTENT_BYTES_MAX and (more := await response.content.readany()):
                    content += more
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, TimeoutError):
                self._silent += 1
                if self._silent >= SILENT_MAX:
                    self._rests_until_s = asyncio.get_running_loop().time() + REST_S
            raise SpeechUnavailable(f"the speech server does not answer: {type(error).__name__}") from error
        self._silent = 0
        if len(content) > CONTENT_BYTES_MAX:
            raise SpeechUnavailable("the speech server answered more than an audio file may have")
        return content

    async def stop(self) -> None:
        """Ends the connections and the process."""
        if self._session is not None:
            await self._session.close()
        await super().stop()
