"""Engines that are programs: espeak-ng, and Piper with a folder of voices. A process a piece, the text on its input."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chappe.audio.sound import CONTENT_BYTES_MAX
from chappe.speech.files import FileEngine
from chappe.speech.port import Piece, SpeechUnavailable

PIECE_S_MAX: Final = 30.0
WORDS_A_MINUTE: Final = 165
"""espeak-ng's own 175 is fast for a telephone."""


async def run_program(arguments: Sequence[str], text: str) -> bytes:
    """What a program writes to its standard output, given `text` on its input; raises `SpeechUnavailable`."""
    program = arguments[0]
    # A file, not a pipe: a program that ends without reading it is no error of ours.
    with tempfile.TemporaryFile() as given:
        given.write(text.encode() + b"\n")
        given.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments, stdin=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise SpeechUnavailable(f"cannot run {program}: {error.strerror}") from error
    try:
        async with asyncio.timeout(PIECE_S_MAX):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise SpeechUnavailable(f"{program} took over {PIECE_S_MAX:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0 or not output or len(output) > CONTENT_BYTES_MAX:
        raise SpeechUnavailable(f"{program} ended with {process.returncode} and gave no sound")
    return output


class EspeakEngine(FileEngine):
    """The program `espeak-ng`: over a hundred languages, understood by everybody, loved by nobody."""

    name = "espeak"

    def __init__(self, program: str = "espeak-ng") -> None:
        super().__init__()
        self._program = program
        self._languages: frozenset[str] | None = None

    @staticmethod
    def is_installed(program: str = "espeak-ng") -> bool:
        """Whether the program is there."""
        return shutil.which(program) is not None

    async def prepare(self) -> None:
        """Asks the program which languages it speaks; raises `SpeechUnavailable`."""
        listed = (await run_program([self._program, "--voices"], "")).decode("utf-8", "replace")
        self._languages = frozenset(
            line.split()[1].lower() for line in listed.splitlines()[1:] if line.split()
        )

    def voice(self, lang: str) -> str | None:
        """The region if the program names it, else the language: `-v fr` is the best voice of French."""
        known = self._languages or frozenset()
        language = lang.partition("-")[0]
        if lang in known:
            return lang
        has_one = any(name == language or name.startswith(f"{language}-") for name in known)
        return language if has_one else None

    async def file(self, piece: Piece, voice: str, rate: float) -> bytes:
        """A WAV file."""
        words = str(round(WORDS_A_MINUTE * rate))
        return await run_program([self._program, "-v", voice, "-s", words, "--stdin", "--stdout"], piece.text)


class PiperEngine(FileEngine):
    """The program `piper` (or another of its kind) with the operator's voices: files `fr_FR-name.onnx` in a folder."""

    name = "piper"

    def __init__(self, program: str, voices: Path) -> None:
        super().__init__()
        self._program = program
        self._voices = voices

    def voice(self, lang: str) -> str | None:
        """The first voice of the region, else of the language, by name."""
        names = sorted(path.stem for path in self._voices.glob("*.onnx"))
        language, _, region = lang.partition("-")
        for beginning in (
            f"{language}_{region.upper()}-" if region else None,
            f"{language}_",
            f"{language}-",
        ):
            found = next((name for name in names if beginning and name.startswith(beginning)), None)
            if found is not None:
                return found
        return None

    async def file(self, piece: Piece, voice: str, rate: float) -> bytes:
        """A WAV file. `length_scale` is how long a sound is: the inverse of the rate."""
        model = str(self._voices / f"{voice}.onnx")
        scale = f"{1 / rate:.3f}"
        return await run_program(
            [self._program, "--model", model, "--length_scale", scale, "--output_file", "-"], piece.text
        )
