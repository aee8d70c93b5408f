"""Whether a stored file is still needed."""

from __future__ import annotations

from chappe.storage.database import Reader


def campaign_plays(reader: Reader, audio_id: int) -> bool:
    """Whether a campaign that has not ended plays this file."""
    row = reader.one(
        "SELECT 1 FROM campaigns WHERE audio_id = ? AND ended_at_ms IS NULL LIMIT 1", (audio_id,)
    )
    return row is not None
