"""What customers are told of calls (page "Gestion des webhooks"; voice-and-mail-partner-api.md section 2.7). Pure functions."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

import msgspec

from chappe.hours.dates import paris_text
from chappe.hours.zones import PARIS

_encode = msgspec.json.Encoder().encode


def speech_payload(
    token: str,
    number: int,
    *,
    is_delivered: bool,
    sent_at_ms: int,
    done_at_ms: int,
    duration_s: int,
    left_a_file: bool | None,
) -> str:
    """The outcome of one callee of a voice SMS, to be posted. `left_a_file` is None where no file was attached.

    `phoneNumber` begins with 00, as documented; `duration` is in started seconds.
    """
    body: dict[str, object] = {
        "campaignId": token,
        "status": "delivered" if is_delivered else "undelivered",
        "additionnal_status": "VOICE_ANSWERED" if is_delivered else "VOICE_NOT_ANSWERED",
        "phoneNumber": f"00{number}",
        "sendAt": paris_text(sent_at_ms),
        "doneAt": paris_text(done_at_ms),
        "duration": duration_s,
    }
    if left_a_file is not None:
        body["audioFileComplementaire"] = {"status": "Deposit" if left_a_file else "No deposit"}
    return _encode(body).decode()


def deposit_url(
    notify_url: str, token: str, campaign_id: int, created_at_ms: int, delivered: int, total: int
) -> str:
    """The address that is asked for by GET when a campaign of deposits has ended."""
    day = datetime.fromtimestamp(created_at_ms // 1000, PARIS).strftime("%Y%m%d")
    query = urlencode(
        {
            "campaign_token": token,
            "campaign_id": f"NDA_{day}_{campaign_id % 100_000:05}",
            "delivered_quantity": delivered,
            "total_quantity": total,
        }
    )
    address, mark, fragment = notify_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{query}{mark}{fragment}"
