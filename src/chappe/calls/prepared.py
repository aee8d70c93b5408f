"""What campaigns play, made ready beside the dispatcher: an engine that does not answer, or a customer with hundreds of
texts to be spoken again, holds up no call of another campaign.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from chappe.calls.campaign import Campaign, Scripts, SoundMissing
from chappe.calls.port import Script
from chappe.clock import Clock
from chappe.logs import Sparing
from chappe.speech.port import LanguageUnknown, SpeechUnavailable, TextRefused
from chappe.storage.database import StorageUnavailable

_log: structlog.stdlib.BoundLogger = structlog.get_logger("calls")

AT_ONCE_MAX: Final = 16
"""Texts that are being spoken, or wait for it."""
OF_ACCOUNT_MAX: Final = 2
READY_BYTES_MAX: Final = 64 << 20
"""As much as the speaker remembers: it is the same sound."""
AGAIN_S: Final = 5.0
"""After a campaign could not be spoken."""
AT_HAND_S: Final = 0.05
"""What is remembered, or read from the database, is there by then."""
SILENT_MAX: Final = 100_000
"""Campaigns that could not be spoken lately: whoever is forgotten is asked for again at once."""


class PreparedScripts:
    """Scripts by campaign; bounded, the least recently used goes first. `wake` when one is ready."""

    def __init__(
        self,
        scripts: Scripts,
        clock: Clock,
        wake: Callable[[], None],
        on_unexpected: Callable[[], None],
    ) -> None:
        self._scripts = scripts
        self._clock = clock
        self._wake = wake
        self._on_unexpected = on_unexpected
        self._ready: OrderedDict[int, Script] = OrderedDict()
        self._bytes = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._of_account: Counter[int] = Counter()
        self._silent_until_s: OrderedDict[int, float] = OrderedDict()
        self._unspoken = Sparing()

    def can_have(self, campaign: Campaign) -> bool:
        """Whether its script is ready, or may be made ready now."""
        return campaign.id in self._ready or self._can_begin(campaign)

    def get(self, campaign: Campaign) -> Script | None:
        """The script, if it is ready."""
        script = self._ready.get(campaign.id)
        if script is not None:
            self._ready.move_to_end(campaign.id)
        return script

    async def prepare(self, campaigns: Iterable[Campaign]) -> bool:
        """Begins with those that are not ready, waits for what is at hand; whether anything was begun."""
        begun: list[asyncio.Task[None]] = []
        for campaign in campaigns:
            if campaign.id not in self._ready and self._can_begin(campaign):
                self._of_account[campaign.account_id] += 1
                task = self._tasks[campaign.id] = asyncio.create_task(self._make(campaign))
                begun.append(task)
        if begun:
            await asyncio.wait(begun, timeout=AT_HAND_S)
        return bool(begun)

    async def stop(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _can_begin(self, campaign: Campaign) -> bool:
        if campaign.id in self._tasks:
            return False
        if self._silent_until_s.get(campaign.id, 0.0) > self._clock.monotonic_s():
            return False
        if not campaign.text:
            return True  # it needs no engine
        return len(self._tasks) < AT_ONCE_MAX and self._of_account[campaign.account_id] < OF_ACCOUNT_MAX

    async def _make(self, campaign: Campaign) -> None:
        try:
            self._keep(campaign.id, await self._scripts.of(campaign))
            return
        except (SpeechUnavailable, LanguageUnknown, TextRefused) as error:
            # It was spoken when it was accepted: the engine is away for now, or was changed meanwhile.
            kept_back = self._unspoken.kept_back(self._clock.monotonic_s())
            if kept_back is not None:
                _log.warning(
                    "a campaign cannot be spoken now",
                    campaign=campaign.id,
                    reason=str(error),
                    kept_back=kept_back,
                )
        except SoundMissing:
            _log.error("a campaign's audio file is gone", campaign=campaign.id)
        except StorageUnavailable as error:
            _log.error("the storage is not available", reason=str(error))
        except Exception as error:
            self._on_unexpected()
            _log.error("an unexpected exception", exc_info=error)
        finally:
            del self._tasks[campaign.id]
            self._of_account[campaign.account_id] -= 1
            if not self._of_account[campaign.account_id]:
                del self._of_account[campaign.account_id]
            self._wake()
        self._silent_until_s[campaign.id] = self._clock.monotonic_s() + AGAIN_S
        self._silent_until_s.move_to_end(campaign.id)
        if len(self._silent_until_s) > SILENT_MAX:
            self._silent_until_s.popitem(last=False)

    def _keep(self, campaign_id: int, script: Script) -> None:
        self._ready[campaign_id] = script
        self._bytes += _size(script)
        while self._bytes > READY_BYTES_MAX and len(self._ready) > 1:
            _, oldest = self._ready.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(script: Script) -> int:
    sounds = {id(sound): sound for sound in (script.to_person, script.to_machine) if sound is not None}
    return sum(len(sound.alaw) + len(sound.ulaw) for sound in sounds.values())
