"""What the dispatcher and the outcomes need of a campaign, and what it sounds like, kept for those lately used."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from chappe.audio.files import sound_of
from chappe.audio.sound import Converted
from chappe.calls.port import Script
from chappe.calls.request import Kind
from chappe.speech.speaker import Speaker
from chappe.storage.database import Reader
from chappe.storage.store import Store

KNOWN_MAX: Final = 1_000
SOUNDS_MAX: Final = 16

_BY_ID: Final = (
    "SELECT id, token, account_id, kind, text, lang, rate_percent, audio_id, sender, notify_url, email, is_marketing,"
    " quoted_s, retries, retry_delay_s, callee_count, created_at_ms FROM campaigns WHERE id = ?"
)


class Campaign(msgspec.Struct, frozen=True, gc=False):
    """The columns of `campaigns` that do not change once accepted, but for a sender that its account lost before the date."""

    id: int
    token: str
    account_id: int
    kind: Kind
    text: str
    lang: str
    rate_percent: int
    audio_id: int | None
    sender: str
    notify_url: str
    email: str
    is_marketing: int
    quoted_s: int
    retries: int
    retry_delay_s: int
    callee_count: int
    created_at_ms: int


class CampaignCache:
    """Campaigns by id; bounded, the least recently used goes first."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Campaign] = OrderedDict()

    def get(self, reader: Reader, campaign_id: int) -> Campaign:
        """The campaign; it must exist, for callees name it."""
        campaign = self._known.get(campaign_id)
        if campaign is not None:
            self._known.move_to_end(campaign_id)
            return campaign
        row = reader.one(_BY_ID, (campaign_id,))
        assert row is not None, f"campaign {campaign_id} is named but not stored"
        campaign = self._known[campaign_id] = Campaign(*row)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return campaign


class SoundMissing(Exception):
    """The campaign's audio file has no sound any more."""


class Scripts:
    """What a campaign plays: its text spoken, its file read."""

    def __init__(self, store: Store, speaker: Speaker) -> None:
        self._store = store
        self._speaker = speaker
        self._files: OrderedDict[int, Converted] = OrderedDict()

    async def of(self, campaign: Campaign) -> Script:
        """Raises `SpeechUnavailable` (try again later), `TextRefused`, `LanguageUnknown` or `SoundMissing` (never)."""
        spoken = (
            await self._speaker.speak(
                campaign.text, campaign.lang, campaign.rate_percent / 100, campaign.account_id
            )
            if campaign.text
            else None
        )
        file = None if campaign.audio_id is None else await self._file(campaign.audio_id)
        if campaign.kind == "deposit":
            return Script(to_person=None, to_machine=file)
        if spoken is not None and file is not None:
            return Script(to_person=spoken, to_machine=file)
        sound = spoken or file
        assert sound is not None, "a campaign has a text or a file"
        return Script(to_person=sound, to_machine=sound)

    async def _file(self, audio_id: int) -> Converted:
        known = self._files.get(audio_id)
        if known is None:
            known = await self._store.database.scan(lambda reader: sound_of(reader, audio_id))
            if known is None:
                raise SoundMissing
            self._files[audio_id] = known
            if len(self._files) > SOUNDS_MAX:
                self._files.popitem(last=False)
        self._files.move_to_end(audio_id)
        return known
