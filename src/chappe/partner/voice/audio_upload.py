"""POST /v1/audio-file/upload: stores an audio file. The documentation has no such call, only a web page.

multipart/form-data: WAV, MP3, FLAC or OGG, told by their content, at most 25 MiB and five minutes.
"""

from __future__ import annotations

from chappe.audio.converter import ConverterBusy
from chappe.audio.files import AudioFile, TooManyFiles, add_file, clean_name, name_of_file
from chappe.audio.sound import CONTENT_BYTES_MAX, DURATION_S_MAX, AudioRefused
from chappe.partner import catalogue_server
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page
from chappe.partner.voice.shown import duration_text, size_text
from chappe.storage.database import Transaction

FORM_BYTES_MAX = 64 << 10

PAGE = Page(
    product="voice",
    name="audio-file/upload",
    methods=("POST",),
    paths=("/audio-file/upload",),
    family="send",
    errors={
        "AUDIO_FILE_REQUIRED": Message("Le fichier audio est requis", "The audio file is required"),
        "AUDIO_FILE_INVALID": Message(
            "Le fichier audio doit être un fichier WAV, MP3, FLAC ou OGG lisible",
            "The audio file must be a readable WAV, MP3, FLAC or OGG file",
        ),
        "AUDIO_FILE_TOO_LONG": Message(
            "Le fichier audio dépasse 5 minutes", "The audio file is longer than 5 minutes"
        ),
        "AUDIO_FILE_TOO_SHORT": Message("Le fichier audio est trop court", "The audio file is too short"),
        "AUDIO_FILE_LIMIT": Message(
            "Le nombre de fichiers audio est limité à 200", "The number of audio files is limited to 200"
        ),
    },
    limit=Limit(requests=60, seconds=60),
    body_max_bytes=CONTENT_BYTES_MAX + FORM_BYTES_MAX,
    accepts_multipart=True,
)

_CODES = {
    "format": "AUDIO_FILE_INVALID",
    "damaged": "AUDIO_FILE_INVALID",
    "too long": "AUDIO_FILE_TOO_LONG",
    "too short": "AUDIO_FILE_TOO_SHORT",
}


async def upload(call: Call) -> Payload:
    """Converts and stores a file; with moderation on, it is listed once the operator of the server has validated it."""
    file = call.parameters.file("file")
    if file is None:
        raise refuse(PAGE, "AUDIO_FILE_REQUIRED")
    given = call.parameters.text("filename")
    name = name_of_file(file.filename) if given is None else clean_name(given)
    if name is None:
        raise refuse(PAGE, "FILENAME_INVALID")
    services = call.services

    def also(tx: Transaction, stored: AudioFile) -> None:
        if call.remember is not None:
            call.remember(tx, _payload(stored))

    try:
        converted = await services.voice.converter.convert(file.content, call.account.id)
        stored = await add_file(
            services.store,
            call.account.id,
            name,
            len(file.content),
            converted,
            is_moderated=services.voice.is_audio_moderated,
            also=also,
        )
    except AudioRefused as refused:
        raise refuse(PAGE, _CODES[refused.why]) from None
    except TooManyFiles:
        raise refuse(PAGE, "AUDIO_FILE_LIMIT") from None
    except ConverterBusy:
        raise catalogue_server.unavailable() from None
    return _payload(stored)


def _payload(stored: AudioFile) -> Payload:
    return {
        "success": True,
        "tokenAudio": stored.token,
        "filename": stored.name,
        "size": size_text(stored.size_bytes),
        "duration": duration_text(stored.duration_ms),
    }


ENDPOINT = Endpoint(
    PAGE,
    upload,
    title="Ajouter un fichier audio",
    example={
        "success": True,
        "tokenAudio": "5e0c1b7f2a9d4c3e8b6a7d1f0e9c8b7a",
        "filename": "rappel-rdv",
        "size": "98.2Ko",
        "duration": "0:12",
    },
    fields=(
        Field(
            "file",
            f"WAV, MP3, FLAC or OGG in multipart/form-data, at most 25 MiB and {DURATION_S_MAX} s",
            "file",
            required=True,
        ),
        Field("filename", "Its name, 3 to 50 characters; by default that of the file"),
    ),
)
