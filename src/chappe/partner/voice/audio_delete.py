"""DELETE /v1/audio-file/delete/{apiKey}/{tokenAudio}: deletes an audio file. The documentation has no such call."""

from __future__ import annotations

from chappe.audio.files import AudioFileUnknown, delete_file
from chappe.calls.playing import campaign_plays
from chappe.partner.catalogue import refuse
from chappe.partner.endpoint import Call, Endpoint, Field, Payload
from chappe.partner.errors import Message
from chappe.partner.page import Page
from chappe.storage.database import Transaction

PAGE = Page(
    product="voice",
    name="audio-file/delete",
    methods=("DELETE",),
    paths=("/audio-file/delete", "/audio-file/delete/{apiKey}/{tokenAudio}"),
    family="send",
    errors={
        "AUDIO_FILE_IN_USE": Message(
            "Le fichier audio est utilisé par un envoi en cours",
            "The audio file is used by a campaign under way",
            409,
        ),
    },
)


async def delete(call: Call) -> Payload:
    """Deletes a file with its sound, unless a campaign that has not ended plays it."""
    token = call.parameters.text("tokenAudio")
    if token is None:
        raise refuse(PAGE, "TOKEN_AUDIO_REQUIRED")
    token = token.strip()
    store, account_id = call.services.store, call.account.id
    now_ms = store.clock.now_ms()

    def unit(tx: Transaction) -> None:
        if campaign_plays(tx, delete_file(tx, account_id, token, now_ms)):
            raise refuse(PAGE, "AUDIO_FILE_IN_USE")  # the unit is taken back

    try:
        await store.database.write(unit)
    except AudioFileUnknown:
        raise refuse(PAGE, "AUDIO_FILE_NOT_FOUND") from None
    return {"success": True, "tokenAudio": token}


ENDPOINT = Endpoint(
    PAGE,
    delete,
    title="Supprimer un fichier audio",
    example={"success": True, "tokenAudio": "5e0c1b7f2a9d4c3e8b6a7d1f0e9c8b7a"},
    fields=(Field("tokenAudio", "The file", required=True),),
)
