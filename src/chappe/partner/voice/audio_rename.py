"""Voice Partner, "Renommer un fichier audio": POST /v1/audio-file/rename (voice-and-mail-partner-api.md section 2.3)."""

from __future__ import annotations

from chappe.audio.files import AudioFileUnknown, clean_name, rename_file
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.limits import Limit
from chappe.partner.page import Page

PAGE = Page(
    product="voice",
    name="audio-file/rename",
    methods=("POST",),
    paths=("/audio-file/rename",),
    family="send",
    limit=Limit(requests=5, seconds=60),
)


async def rename(call: Call) -> Payload:
    """Gives a file another name, also one that waits to be validated."""
    token = call.parameters.text("tokenAudio")
    if token is None:
        raise refuse(PAGE, "TOKEN_AUDIO_REQUIRED")
    name = clean_name(call.parameters.text("filename") or "")
    if name is None:
        raise refuse(PAGE, "FILENAME_INVALID")
    token = token.strip()
    try:
        await rename_file(call.services.store, call.account.id, token, name)
    except AudioFileUnknown:
        raise refuse(PAGE, "AUDIO_FILE_NOT_FOUND") from None
    return {"success": True, "filename": name, "tokenAudio": token}


ENDPOINT = Endpoint(
    PAGE,
    rename,
    title="Renommer un fichier audio",
    example={"success": True, "filename": "Rappel de mars", "tokenAudio": "5e0c1b7f2a9d4c3e8b6a7d1f0e9c8b7a"},
    fields=(
        Field("tokenAudio", "The file", required=True),
        Field("filename", "The new name, 3 to 50 characters", required=True),
    ),
)
