"""The commands about calls, recordings and the numbers that are shown."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import msgspec

from chappe.accounts.find import account_by_email
from chappe.administration.refused import CommandRefused
from chappe.administration.shown_history import shown_campaign, shown_campaign_line
from chappe.administration.shown_incoming import shown_incoming, shown_recording
from chappe.calls.callers import CallersFull, add_caller, callers_of, may_show, remove_caller
from chappe.calls.history import campaign_history, latest_campaigns
from chappe.calls.recordings import (
    RecordingUnknown,
    all_recordings,
    delete_recording,
    incoming_calls,
    wav_of,
)
from chappe.numbers.parse import Refusal, read
from chappe.storage.database import Reader
from chappe.storage.store import Store

Result = dict[str, Any]
LISTED_MAX: Final = 10_000


class CallShow(msgspec.Struct, tag="call.show", frozen=True):
    """The history of a campaign: its callees, every call, how it ended. Never its text."""

    campaign_id: str


class CallList(msgspec.Struct, tag="call.list", frozen=True):
    """The newest campaigns, of one account or of all."""

    email: str | None = None
    limit: int = 100


class CallIncoming(msgspec.Struct, tag="call.incoming", frozen=True):
    """Calls that came in, the newest first; of one number of ours or of all."""

    number: str | None = None
    limit: int = 100


class RecordingList(msgspec.Struct, tag="recording.list", frozen=True):
    """What was recorded of calls that came in, oldest first."""


class RecordingSave(msgspec.Struct, tag="recording.save", frozen=True):
    """A recording as a WAV file in base64."""

    recording_id: int


class RecordingDelete(msgspec.Struct, tag="recording.delete", frozen=True):
    """Deletes a recording for ever."""

    recording_id: int


class CallerChange(msgspec.Struct, tag="caller.change", frozen=True):
    """Adds a number that the account may show when it calls, takes one away, or neither; shows those there are then."""

    email: str
    add: str | None = None
    remove: str | None = None


async def carry_out_call(store: Store, command: CallShow | CallList | CallIncoming | CallerChange) -> Result:
    """The result to print; raises `CommandRefused`."""
    match command:
        case CallShow():
            return await _call(store, command.campaign_id)
        case CallList():
            return {"campaigns": await _list(store, command)}
        case CallIncoming():
            return {"calls": await _incoming(store, command)}
        case CallerChange():
            return await _callers(store, command)


async def carry_out_recording(
    store: Store, command: RecordingList | RecordingSave | RecordingDelete
) -> Result:
    """The result to print; raises `CommandRefused`."""
    try:
        match command:
            case RecordingList():
                recordings = await store.database.scan(all_recordings)
                return {"recordings": [shown_recording(recording) for recording in recordings]}
            case RecordingSave():
                return await _recording(store, command.recording_id)
            case RecordingDelete():
                await delete_recording(store, _stored_id(command.recording_id))
                return {"id": command.recording_id, "deleted": True}
    except RecordingUnknown:
        raise CommandRefused("there is no such recording, or it is still being made") from None


async def _call(store: Store, campaign_id: str) -> Result:
    now_ms = store.clock.now_ms()
    found = await store.database.read(lambda reader: campaign_history(reader, campaign_id, now_ms))
    if found is None:
        raise CommandRefused(f"there is no campaign {campaign_id}")
    return shown_campaign(found)


async def _list(store: Store, command: CallList) -> list[Result]:
    if command.limit < 1:
        raise CommandRefused("--limit is at least 1")

    def read_lines(reader: Reader) -> list[Result]:
        account_id = None if command.email is None else account_by_email(reader, command.email).id
        lines = latest_campaigns(reader, account_id, min(command.limit, LISTED_MAX))
        return [shown_campaign_line(line) for line in lines]

    return await store.database.scan(read_lines)


async def _incoming(store: Store, command: CallIncoming) -> list[Result]:
    if command.limit < 1:
        raise CommandRefused("--limit is at least 1")
    number = None if command.number is None else int(_digits(command.number))
    limit = min(command.limit, LISTED_MAX)
    calls = await store.database.scan(lambda reader: incoming_calls(reader, number, limit))
    return [shown_incoming(call) for call in calls]


async def _recording(store: Store, recording_id: int) -> Result:
    wanted = _stored_id(recording_id)
    wav = await store.database.scan(lambda reader: wav_of(reader, wanted))
    return {"id": recording_id, "wav": b64encode(wav).decode()}


async def _callers(store: Store, command: CallerChange) -> Result:
    account = await store.database.read(lambda reader: account_by_email(reader, command.email))
    if command.add is not None:
        digits = _digits(command.add)
        if not may_show(digits):
            raise CommandRefused(
                f"+{digits} is of a range that automatic calls must not show in France: ask for a verified"
                " polyvalent number (0162, 0163, 0270, 0271, 0377, 0378, 0424, 0425, 0568, 0569, 0948, 0949)"
            )
        try:
            await add_caller(store, account.id, digits)
        except CallersFull:
            raise CommandRefused("the account has as many numbers as it may have") from None
    if command.remove is not None and not await remove_caller(store, account.id, _digits(command.remove)):
        raise CommandRefused(f"{command.remove} is not a number of this account")
    numbers = await store.database.read(lambda reader: callers_of(reader, account.id))
    return {"email": account.email, "numbers": [f"+{number}" for number in numbers]}


def _stored_id(given: int) -> int:
    if not 0 < given < 2**63:
        raise RecordingUnknown
    return given


def _digits(text: str) -> str:
    number = read(text, mobile_only=False)
    if isinstance(number, Refusal):
        raise CommandRefused(f"{text[:40]!r} is not a telephone number")
    return number[1:]
