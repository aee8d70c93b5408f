"""Every endpoint that stands; docs/compatibility.md has a row for each page of the documentation."""

from __future__ import annotations

from chappe.partner.endpoint import Endpoint
from chappe.partner.mail import credits as mail_credits
from chappe.partner.sms import bulk_status, message_cancel, message_status, send
from chappe.partner.sms import credits as sms_credits
from chappe.partner.voice import (
    audio_delete,
    audio_preview,
    audio_rename,
    audio_upload,
    audios,
    campaign_cancel,
    campaign_send,
    tts_send,
)
from chappe.partner.voice import credits as voice_credits

ENDPOINTS: tuple[Endpoint, ...] = (
    sms_credits.ENDPOINT,
    send.ENDPOINT,
    message_cancel.ENDPOINT,
    message_status.ENDPOINT,
    bulk_status.ENDPOINT,
    voice_credits.ENDPOINT,
    audios.ENDPOINT,
    audio_rename.ENDPOINT,
    audio_upload.ENDPOINT,
    audio_preview.ENDPOINT,
    audio_delete.ENDPOINT,
    campaign_send.ENDPOINT,
    tts_send.ENDPOINT,
    campaign_cancel.ENDPOINT,
    mail_credits.ENDPOINT,
)
