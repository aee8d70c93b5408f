"""Calls that come in, on both databases: decided, recorded in pieces, ended, found cut after a death, purged."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from chappe.administration.commands import (
    Administration,
    CallIncoming,
    Check,
    CommandRefused,
    RecordingDelete,
    RecordingList,
    RecordingSave,
)
from chappe.audio.converter import Converter
from chappe.calls.arrivals import ArrivalsStored
from chappe.calls.arriving import Answer, ArrivedEnd, Arriving, Bridge, Heard, Redirect, Refuse
from chappe.calls.greetings import GreetingRefused, Greetings
from chappe.calls.numbers import ConfiguredNumbers
from chappe.calls.recordings import Retention, purge
from chappe.settings_voice import NumberSettings
from chappe.speech.speaker import Speaker
from chappe.storage.postgres_presence import PostgresPresence
from chappe.storage.store import Store
from tests.support.clocked import SetClock
from tests.support.stores import Place

RECORDS, FORWARDS, REDIRECTS, BUSY = 33162000001, 33162000002, 33162000003, 33162000004
FORWARDS_RECORDED = 33162000005
NUMBERS = [
    NumberSettings(str(RECORDS), "record", record_s_max=60, silence_s=4),
    NumberSettings(str(FORWARDS), "forward", to="33612345678", ring_s_max=20),
    NumberSettings(str(REDIRECTS), "forward", to="33612345679", via="302"),
    NumberSettings(str(FORWARDS_RECORDED), "forward", to="33612345678", ring_s_max=20, record=True),
    NumberSettings(str(BUSY), "refuse", status=486),
]
SECOND = bytes(range(250)) * 32


def unexpected() -> None:
    raise AssertionError("an unexpected exception")


@dataclass
class World:
    store: Store
    clock: SetClock
    arrivals: ArrivalsStored
    administration: Administration

    async def call(self, *numbers: int, caller: str = "33612000000") -> Arriving:
        call_id = await self.store.ids("incoming_calls").take()
        return Arriving(call_id, "trunk1", numbers, caller, self.clock.now_ms())

    def end(self, result: str = "answered", **more) -> ArrivedEnd:
        fields = {"status": 200, "cause": 16, "answered_at_ms": self.clock.now_ms()}
        return ArrivedEnd(result, **{**fields, **more}, ended_at_ms=self.clock.now_ms())

    async def history(self) -> list[dict]:
        return (await self.administration.carry_out(CallIncoming()))["calls"]

    async def recordings(self) -> list[dict]:
        return (await self.administration.carry_out(RecordingList()))["recordings"]

    async def breaches(self) -> list[str]:
        return (await self.administration.carry_out(Check()))["breaches"]


def arrivals_on(store: Store, *, octets_max: int = 10**9, speaker: Speaker | None = None) -> ArrivalsStored:
    greetings = Greetings(store, speaker or Speaker([]), Converter(), "fr")
    return ArrivalsStored(
        store,
        ConfiguredNumbers(NUMBERS),
        greetings,
        Retention(recording_days=30, history_days=400, octets_max=octets_max),
        forward_s_max=3600,
        on_unexpected=unexpected,
    )


@pytest.fixture
async def world(place: Place) -> AsyncIterator[World]:
    clock = SetClock("2026-03-02 10:00:00")
    store = await place.open(clock)
    made = World(store, clock, arrivals_on(store), Administration(store))
    yield made
    assert await made.breaches() == []
    await store.close()


async def test_what_a_number_does_is_decided_and_stored(world: World) -> None:
    decisions = [
        (await world.arrivals.decide(await world.call(number))).act
        for number in (RECORDS, FORWARDS, REDIRECTS, BUSY, 33999999999)
    ]
    assert isinstance(decisions[0], Answer)
    assert decisions[0].recording is not None
    assert (decisions[0].recording.s_max, decisions[0].recording.silence_s) == (60, 4)
    assert decisions[1] == Bridge(33612345678, 20, 3600)
    assert decisions[2] == Redirect(33612345679)
    assert decisions[3] == Refuse(486, 17)
    assert decisions[4] == Refuse(404, 1)
    shown = [(call["number"], call["action"], call["to"], call["result"]) for call in await world.history()]
    assert shown == [
        ("+33999999999", "refuse", None, "refused"),
        (f"+{BUSY}", "refuse", None, "refused"),
        (f"+{REDIRECTS}", "forward", "+33612345679", "redirected"),
        (f"+{FORWARDS}", "forward", "+33612345678", "under way"),
        (f"+{RECORDS}", "record", None, "under way"),
    ]
    for number in (RECORDS, FORWARDS):
        found = (await world.administration.carry_out(CallIncoming(f"+{number}")))["calls"]
        assert [call["number"] for call in found] == [f"+{number}"]


async def test_of_several_numbers_the_first_that_is_ours_counts(world: World) -> None:
    decision = await world.arrivals.decide(await world.call(33999999999, FORWARDS, RECORDS))
    assert decision.number == FORWARDS


async def test_a_recording_is_its_pieces_and_a_piece_that_comes_twice_counts_once(world: World) -> None:
    call = await world.call(RECORDS, caller="")
    await world.arrivals.decide(call)
    await world.arrivals.answered(call, world.clock.now_ms())
    await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
    await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
    with pytest.raises(CommandRefused):
        await world.administration.carry_out(RecordingDelete(call.id))
    await world.arrivals.heard(call, Heard(1, "ulaw", SECOND[:4000]))
    world.clock.advance(3)
    await world.arrivals.ended(call, world.end())
    await world.arrivals.ended(call, world.end("failed", is_cut=True))
    (recording,) = await world.recordings()
    assert (recording["state"], recording["durationMs"]) == ("complete", 1500)
    assert (recording["caller"], recording["number"]) == (None, f"+{RECORDS}")
    # The first piece is a second of what had been said until it came.
    assert recording["beganAtMs"] == call.at_ms - 1000
    assert (await world.history())[0]["recordedMs"] == 1500
    saved = await world.administration.carry_out(RecordingSave(call.id))
    with wave.open(io.BytesIO(__import__("base64").b64decode(saved["wav"]))) as file:
        assert (file.getnframes(), file.getframerate()) == (12_000, 8000)
    await world.administration.carry_out(RecordingDelete(call.id))
    assert await world.recordings() == []
    for command in (RecordingSave(call.id), RecordingDelete(call.id), RecordingDelete(-1)):
        with pytest.raises(CommandRefused, match="no such recording"):
            await world.administration.carry_out(command)
    assert (await world.history())[0]["result"] == "answered"


async def test_what_was_heard_until_the_server_died_is_kept_and_marked_as_cut(
    world: World, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether others live is another test's; here the process that has the call is gone.
    monkeypatch.setattr(PostgresPresence, "take_dead", lambda self, tx: True)
    call = await world.call(RECORDS)
    await world.arrivals.decide(call)
    await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
    other = await place.open(world.clock) if place.url else world.store
    if place.url is None:
        await world.arrivals.start()
        await world.arrivals.stop()
    else:
        await arrivals_on(other)._recover()
        await other.close()
    assert (await world.history())[0]["result"] == "lost"
    (recording,) = await world.recordings()
    assert (recording["state"], recording["durationMs"]) == ("cut", 1000)
    # What the dead process still brings, were it not dead, changes nothing.
    await world.arrivals.heard(call, Heard(1, "alaw", SECOND))
    await world.arrivals.ended(call, world.end())
    assert (await world.history())[0]["result"] == "lost"
    assert (await world.recordings())[0]["durationMs"] == 1000


async def test_without_room_for_recordings_a_call_is_refused_or_passed_on_without_one(world: World) -> None:
    act = (await world.arrivals.decide(await world.call(FORWARDS_RECORDED))).act
    assert isinstance(act, Bridge)
    assert act.records
    call = await world.call(RECORDS)
    await world.arrivals.decide(call)
    await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
    full = arrivals_on(world.store, octets_max=8000)
    assert (await full.decide(await world.call(RECORDS))).act == Refuse(480, 42)
    for number in (FORWARDS, FORWARDS_RECORDED):
        act = (await full.decide(await world.call(number))).act
        assert isinstance(act, Bridge)
        assert not act.records


async def test_old_recordings_go_then_old_calls(world: World) -> None:
    retention = Retention(recording_days=30, history_days=400, octets_max=1)
    call = await world.call(RECORDS)
    await world.arrivals.decide(call)
    await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
    await world.arrivals.ended(call, world.end())
    world.clock.advance(29 * 86_400)
    await purge(world.store, retention)
    assert len(await world.recordings()) == 1
    world.clock.advance(2 * 86_400)
    await purge(world.store, Retention(recording_days=0, history_days=0, octets_max=1))
    assert len(await world.recordings()) == 1
    await purge(world.store, retention)
    assert await world.recordings() == []
    assert len(await world.history()) == 1
    world.clock.advance(400 * 86_400)
    await purge(world.store, retention)
    assert await world.history() == []


async def test_check_names_a_recording_that_was_corrupted(world: World) -> None:
    calls = [await world.call(RECORDS) for _ in range(4)]
    for call in calls:
        await world.arrivals.decide(call)
        await world.arrivals.heard(call, Heard(0, "alaw", SECOND))
        await world.arrivals.heard(call, Heard(1, "alaw", SECOND))
        await world.arrivals.ended(call, world.end())
    one, two, three, four = (call.id for call in calls)
    await world.store.database.write(
        lambda tx: [
            tx.run("UPDATE recordings SET octets = 7 WHERE id = ?", (one,)),
            tx.run("DELETE FROM recording_pieces WHERE recording_id = ? AND piece = 0", (two,)),
            tx.run("DELETE FROM recordings WHERE id = ?", (three,)),
            tx.run("UPDATE recordings SET state = 'open' WHERE id = ?", (four,)),
        ]
    )
    assert await world.breaches() == [
        f"pieces of recording {three} are there, the recording is not",
        f"recording {one} says 7 octets; it has 16000 in 2 pieces, the last is number 1",
        f"recording {two} says 16000 octets; it has 8000 in 1 pieces, the last is number 1",
        f"recording {four} is open, its call has ended",
    ]
    await world.store.database.write(lambda tx: tx.run("DELETE FROM incoming_calls WHERE id = ?", (one,)))
    assert (await world.breaches())[0] == f"recording {one} is of no call"
    await world.store.database.write(
        lambda tx: [tx.run("DELETE FROM recording_pieces"), tx.run("DELETE FROM recordings")]
    )


async def test_a_greeting_that_cannot_be_had_is_told_at_the_start(world: World, tmp_path) -> None:
    greetings = Greetings(world.store, Speaker([]), Converter(), "fr")

    async def refusal(**greeting) -> str:
        numbers = ConfiguredNumbers([NumberSettings(str(RECORDS), "record", **greeting)])
        with pytest.raises(GreetingRefused) as refused:
            await greetings.prepare(numbers.rules.values())
        return str(refused.value)

    nowhere = str(tmp_path / "nowhere.wav")
    assert await refusal(greeting_file=nowhere) == (
        f"number {RECORDS}: cannot read {nowhere}: No such file or directory"
    )
    assert await refusal(greeting_token="none") == f"number {RECORDS}: there is no audio file none"
    assert await refusal(greeting_text="Bonjour") == f"number {RECORDS}: nobody speaks fr"
    (tmp_path / "text.wav").write_text("not a sound")
    assert "is no audio file that can be played" in await refusal(greeting_file=str(tmp_path / "text.wav"))
    await greetings._converter.stop()
