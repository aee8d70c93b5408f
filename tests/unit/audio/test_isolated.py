"""A function in a process of its own: its answers, its death, its limits."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from chappe.audio.converter import Converter
from chappe.audio.sound import AudioRefused
from chappe.isolated import WAITING_MAX, Isolated, IsolatedBusy, IsolatedDied
from tests.unit.audio.sounds import file_of, tone


def work(data: bytes) -> bytes:
    """What the processes of these tests run."""
    match data:
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"hang":
            signal.pause()
        case b"grow":
            return bytes(len(bytearray(1 << 34)))
        case b"print":
            print("this is no answer", flush=True)
    return data + b" by " + str(os.getpid()).encode()


@pytest.fixture
async def isolated() -> AsyncIterator[Isolated]:
    made = Isolated(f"{__name__}:work", seconds_max=20.0)
    yield made
    await made.stop()


async def test_the_process_is_kept(isolated: Isolated) -> None:
    first = await isolated.run(b"a")
    second = await isolated.run(b"b")
    assert first.removeprefix(b"a") == second.removeprefix(b"b")
    assert first != f"a by {os.getpid()}".encode()


async def test_large_data_goes_through(isolated: Isolated) -> None:
    data = os.urandom(5 << 20)
    assert (await isolated.run(data)).startswith(data)


@pytest.mark.parametrize("deadly", [b"die", b"grow"])
async def test_a_call_that_kills_the_process_fails_alone(isolated: Isolated, deadly: bytes) -> None:
    results = await asyncio.gather(
        isolated.run(b"before"), isolated.run(deadly), isolated.run(b"after"), return_exceptions=True
    )
    assert isinstance(results[1], IsolatedDied)
    assert isinstance(results[0], bytes)
    assert isinstance(results[2], bytes)
    assert results[2].startswith(b"after by ")


async def test_a_process_that_died_between_two_calls_is_started_again(isolated: Isolated) -> None:
    pid = int((await isolated.run(b"a")).rpartition(b" ")[2])
    assert isolated._process is not None
    os.kill(pid, signal.SIGKILL)
    await isolated._process.wait()
    assert int((await isolated.run(b"a")).rpartition(b" ")[2]) != pid


async def test_a_signal_to_stop_that_reaches_the_process_too_is_left_to_the_server(
    isolated: Isolated,
) -> None:
    pid = int((await isolated.run(b"a")).rpartition(b" ")[2])
    for name in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, name)
    assert int((await isolated.run(b"a")).rpartition(b" ")[2]) == pid


async def test_a_call_that_takes_too_long_is_ended() -> None:
    isolated = Isolated(f"{__name__}:work", seconds_max=2.0)
    with pytest.raises(IsolatedDied):
        await isolated.run(b"hang")
    await isolated.stop()


async def test_a_cancelled_call_leaves_no_answer_for_the_next_one(isolated: Isolated) -> None:
    await isolated.run(b"started")
    call = asyncio.create_task(isolated.run(b"hang"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await isolated.run(b"mine")).startswith(b"mine by ")


async def test_what_a_library_prints_is_no_answer(isolated: Isolated) -> None:
    assert (await isolated.run(b"print")).startswith(b"print by ")


async def test_no_more_wait_than_are_worth_it(isolated: Isolated) -> None:
    calls = [asyncio.create_task(isolated.run(b"x")) for _ in range(WAITING_MAX + 1)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in done].count(IsolatedBusy) == 1
    assert isinstance(done[-1], IsolatedBusy)


async def test_the_converter_converts_and_refuses() -> None:
    converter = Converter()
    try:
        assert (await converter.convert(file_of(tone(440, 1.0), 8000, "WAV"))).duration_ms == 1000
        with pytest.raises(AudioRefused) as refused:
            await converter.convert(b"no sound")
        assert refused.value.why == "format"
    finally:
        await converter.stop()


async def test_a_file_is_not_refused_because_somebody_killed_its_decoder() -> None:
    converter = Converter()
    try:
        sound = file_of(tone(440, 1.0), 8000, "WAV")
        await converter.convert(sound)
        process = converter._isolated._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)  # it holds the file, and has no answer yet
        converting = asyncio.create_task(converter.convert(sound))
        await asyncio.sleep(0.05)
        assert not converting.done()
        os.kill(process.pid, signal.SIGKILL)
        assert (await converting).duration_ms == 1000
        # What another one dies of too is the file's own fault.
        await converter._isolated.stop()
        converter._isolated = Isolated(f"{__name__}:work")
        with pytest.raises(AudioRefused) as refused:
            await converter.convert(b"die")
        assert refused.value.why == "damaged"
    finally:
        await converter.stop()
