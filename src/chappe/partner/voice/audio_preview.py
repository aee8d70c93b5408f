"""GET /v1/audio-file/preview/{apiKey}/{tokenAudio}: what a file sounds like on the telephone. Not in the documentation."""

from __future__ import annotations

from chappe.audio.files import file_by_token, preview, sound_of
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Sound
from chappe.partner.limits import Limit
from chappe.partner.page import Page
from chappe.storage.database import Reader

PAGE = Page(
    product="voice",
    name="audio-file/preview",
    methods=("GET",),
    paths=("/audio-file/preview", "/audio-file/preview/{apiKey}/{tokenAudio}"),
    family="send",
    limit=Limit(requests=60, seconds=60),
)


async def listen(call: Call) -> Sound:
    """A WAV file of what will be heard; also of a file that waits for the operator of the server."""
    token = call.parameters.text("tokenAudio")
    if token is None:
        raise refuse(PAGE, "TOKEN_AUDIO_REQUIRED")
    token, account_id = token.strip(), call.account.id

    def read(reader: Reader) -> bytes | None:
        file = file_by_token(reader, account_id, token)
        sound = None if file is None else sound_of(reader, file.id)
        return None if sound is None else preview(sound)

    wav = await call.services.store.database.scan(read)
    if wav is None:
        raise refuse(PAGE, "AUDIO_FILE_NOT_FOUND")
    return Sound(wav)


ENDPOINT = Endpoint(
    PAGE,
    listen,
    title="Écouter un fichier audio",
    example=None,
    fields=(Field("tokenAudio", "The file", required=True),),
)
