"""Voice Partner, "Liste des fichiers audio": GET /v1/audios/{apiKey} (voice-and-mail-partner-api.md section 2.2)."""

from __future__ import annotations

from chappe.audio.files import AudioFile, valid_files
from chappe.partner.endpoint import Call, Endpoint, Payload
from chappe.partner.limits import Limit
from chappe.partner.page import Page
from chappe.partner.voice.shown import duration_text, php_date, size_text

PAGE = Page(
    product="voice",
    name="audios",
    methods=("GET",),
    paths=("/audios", "/audios/{apiKey}"),
    limit=Limit(requests=360, seconds=60),
)


async def audios(call: Call) -> Payload:
    """The files that may be played, newest first; as documented without `success`."""
    files = await call.services.store.database.read(lambda reader: valid_files(reader, call.account.id))
    return {"nb_datas": len(files), "datas": [_item(file) for file in files]}


def _item(file: AudioFile) -> dict[str, object]:
    return {
        "name": file.name,
        "token": file.token,
        "size": size_text(file.size_bytes),
        "duration": duration_text(file.duration_ms),
        "created_at": php_date(file.created_at_ms),
    }


ENDPOINT = Endpoint(
    PAGE,
    audios,
    title="Liste des fichiers audio",
    example={
        "nb_datas": 1,
        "datas": [
            {
                "name": "rappel-rdv",
                "token": "5e0c1b7f2a9d4c3e8b6a7d1f0e9c8b7a",
                "size": "98.2Ko",
                "duration": "0:12",
                "created_at": {
                    "date": "2026-01-05 09:12:44.000000",
                    "timezone_type": 3,
                    "timezone": "Europe/Paris",
                },
            }
        ],
    },
)
