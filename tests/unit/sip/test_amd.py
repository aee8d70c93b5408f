"""The parts of the detector, with sounds that are computed: beeps of every pitch, what is lost, what is silent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.audio import g711
from chappe.audio.loudness import as_samples
from chappe.operators.sip.amd.detector import SLOTS, AnsweringDetector
from chappe.operators.sip.amd.inflow import LOST, QUIET, WAITING_FRAMES_MAX, Inflow
from chappe.operators.sip.amd.parameters import Parameters
from chappe.operators.sip.media.detector import Finding, Piece
from chappe.simulator.sounds import sound
from tests.support.answers.calls import beep, silence
from tests.support.trunked import babble

FRAME = 160


def octets(*parts, law="alaw") -> bytes:
    return g711.encode(as_samples(np.concatenate(parts)), law)


def tone(hz: float, ms: int):
    return np.float32(0.15) * beep(hz, ms)


def words(ms: int):
    """Sounds like somebody who speaks, and says nothing."""
    return babble(ms / 1000, 1)


def told(said: bytes, codec="PCMA", lost=frozenset(), more_ms=15_000) -> list[tuple[int, Finding]]:
    """By frame; frames in `lost` do not come, and are a gap for the one behind."""
    detector = AnsweringDetector()
    detector.begin(7)
    findings, gap = [], 0
    for number in range((len(said) + more_ms * 8) // FRAME):
        frame = said[number * FRAME :][:FRAME]
        pieces = []
        if number in lost:
            gap += FRAME
        elif len(frame) == FRAME:
            pieces, gap = [Piece(7, codec, gap, frame)], 0
        for finding in detector.feed(pieces):
            findings.append((number, finding))
            if finding.is_last:
                detector.end(7)
                return findings
    return findings


def whats(findings) -> list[str]:
    return [finding.what for _, finding in findings]


@pytest.mark.parametrize("hz", [350, 425, 620, 800, 1000, 1400, 2000, 2500])
@pytest.mark.parametrize("ms", [200, 500, 3000])
@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_a_beep_after_a_greeting_is_a_machine_that_records(hz, ms, law):
    said = octets(silence(300), words(2000), silence(600), tone(hz, ms), silence(3000), law=law)
    findings = told(said, "PCMA" if law == "alaw" else "PCMU")
    assert whats(findings)[:2] == ["machine", "ready"]
    number, ready = findings[1]
    end_ms = 2900 + ms
    assert end_ms <= (number + 1) * 20 <= end_ms + 800
    heard_hz = float(ready.reason.split()[3])
    assert abs(heard_hz - hz) <= 2


@pytest.mark.parametrize("hz", [700, 1000, 2000])
def test_eighty_milliseconds_are_a_beep(hz):
    findings = told(octets(silence(300), words(2000), silence(600), tone(hz, 80), silence(3000)))
    assert whats(findings)[:2] == ["machine", "ready"]


def test_two_beeps_are_waited_for():
    said = octets(
        silence(300), words(2500), silence(500), tone(900, 150), silence(200), tone(900, 150), silence(3000)
    )
    findings = told(said)
    assert whats(findings)[:2] == ["machine", "ready"]
    assert (findings[1][0] + 1) * 20 >= 3800 + 300


def test_a_short_word_and_silence_is_a_person_and_soon():
    findings = told(octets(silence(400), words(500), silence(3000)))
    assert whats(findings)[0] == "person"
    assert findings[0][0] * 20 <= 900 + 1700
    assert "ms of speech, then silence" in findings[0][1].reason


def test_silence_is_a_person_in_the_end():
    for said in (b"", octets(silence(9000))):
        number, finding = told(said)[0]
        assert (finding.what, finding.reason) == ("person", "silence")
        assert 4900 <= number * 20 <= 5500


def test_a_greeting_without_a_beep_is_ready_after_silence():
    said = octets(silence(300), words(3000), silence(400), words(3000), silence(6000))
    findings = told(said)
    assert whats(findings)[:2] == ["machine", "ready"]
    assert findings[1][1].reason == "silence after the greeting"
    assert 6700 + 2300 <= findings[1][0] * 20 <= 6700 + 3200


@pytest.mark.parametrize(
    ("sounds", "reason"),
    [
        ([tone(2100, 2600)], "a fax"),
        (
            [tone(950, 330), silence(20), tone(1400, 330), silence(20), tone(1800, 330), words(3000)],
            "an announcement of the network",
        ),
        (
            [tone(440, 500), silence(500), tone(440, 500), silence(500), tone(440, 500), silence(500)],
            "a busy tone",
        ),
    ],
)
def test_nobody_is_there(sounds, reason):
    findings = told(octets(silence(300), *sounds, silence(1000)))
    assert [(finding.what, finding.reason, finding.is_last) for _, finding in findings] == [
        ("nobody", reason, True)
    ]


def test_ringing_behind_an_exchange_is_waited_through():
    ring = [tone(440, 1500), silence(3500)]
    findings = told(octets(silence(300), *ring, words(500), silence(3000)))
    assert whats(findings)[0] == "person"
    assert findings[0][0] * 20 > 5300


def test_a_beep_before_anybody_speaks_says_nothing():
    findings = told(octets(silence(200), tone(1000, 200), silence(500), words(500), silence(3000)))
    assert whats(findings)[0] == "person"


def test_a_late_beep_overrules():
    said = octets(silence(300), words(500), silence(3500), tone(1000, 400), silence(3000))
    assert whats(told(said))[:3] == ["person", "machine", "ready"]


@pytest.mark.parametrize("seed", range(4))
def test_cars_that_pass_are_no_speech(seed):
    """Noise that swells by 12 dB within two seconds, and somebody who says a word in it."""
    count = 14_000 * 8
    time_s = np.arange(count) / 8000
    swell_db = 6 * np.sin(2 * np.pi * 0.25 * time_s + seed)
    noise = np.random.default_rng(seed).standard_normal(count) * 10 ** (swell_db / 20)
    wave = (0.01 * noise).astype(np.float32)
    word = np.concatenate([silence(1200), words(500)])
    wave[: len(word)] += word
    assert whats(told(octets(wave)))[0] == "person"
    assert whats(told(octets(wave[len(word) :])))[0] == "person"


@pytest.mark.parametrize("hz", [395, 470, 600])
def test_a_vowel_that_is_held_is_no_beep(hz):
    said = octets(silence(1200), words(300), silence(100), tone(hz, 180), words(400), silence(3000))
    assert whats(told(said))[0] == "person"


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.05, 0.1]))
def test_lost_packets_change_nothing(seed, part):
    said = octets(silence(300), words(2500), silence(700), tone(1000, 500), silence(3000))
    lost = frozenset(np.flatnonzero(np.random.default_rng(seed).random(len(said) // FRAME) < part).tolist())
    assert whats(told(said, lost=lost))[:2] == ["machine", "ready"]


def test_silence_that_is_not_sent_is_silence():
    """A peer that sends nothing while nobody speaks: a gap, and time that passes without a packet."""
    said = octets(silence(400), words(500), silence(8000))
    quiet = frozenset(range(50, 400))
    findings = told(said, lost=quiet)
    assert whats(findings)[0] == "person"
    assert findings[0][0] * 20 <= 900 + 2000


def test_frames_of_any_length_are_the_same_audio():
    said = octets(silence(300), words(500), silence(2500))
    inflow = Inflow()
    sizes = itertools.cycle([80, 240, 37, 160, 480])
    start = 0
    frames = []
    while start < len(said):
        size = next(sizes)
        inflow.add(said[start : start + size], 0)
        start += size
        frames += inflow.frames
        inflow.frames.clear()
    assert b"".join(frames) == said[: len(frames) * FRAME]
    assert len(frames) == len(said) // FRAME


def test_what_is_lost_is_no_longer_than_the_time_that_passed():
    inflow = Inflow()
    for _ in range(5):
        inflow.tick()
    inflow.add(bytes(FRAME), 2 * FRAME)
    assert list(inflow.frames)[:2] == [LOST, LOST]
    inflow.frames.clear()
    for _ in range(30):
        inflow.tick()
    assert set(inflow.frames) == {QUIET}
    inflow.frames.clear()
    inflow.add(bytes(FRAME), 16_000)
    assert len(inflow.frames) <= 11


def test_a_flood_is_not_kept():
    inflow = Inflow()
    for _ in range(1000):
        inflow.add(bytes(FRAME), 16_000)
    assert len(inflow.frames) <= WAITING_FRAMES_MAX


def test_streams_do_not_hear_each_other():
    detector = AnsweringDetector()
    machine = octets(silence(300), words(2000), silence(600), tone(1000, 400), silence(4000))
    person = octets(silence(300), words(500), silence(7000))
    said = {1: machine, 2: person, 3: machine[: 2000 * 8] + person}
    for stream in said:
        detector.begin(stream)
    first: dict[int, str] = {}
    for number in range(300):
        pieces = [Piece(s, "PCMA", 0, o[number * FRAME :][:FRAME]) for s, o in said.items()]
        for finding in detector.feed([piece for piece in pieces if len(piece.octets) == FRAME]):
            first.setdefault(finding.stream, finding.what)
    assert first == {1: "machine", 2: "person", 3: "person"}


def test_a_slot_is_as_new_for_the_next_stream():
    detector = AnsweringDetector()
    said = octets(silence(300), words(2000), silence(600), tone(1000, 400), silence(1500))
    for stream in range(3):
        detector.begin(stream)
        found = []
        for start in range(0, len(said) - FRAME, FRAME):
            found += detector.feed([Piece(stream, "PCMA", 0, said[start : start + FRAME])])
        detector.end(stream)
        assert [finding.what for finding in found] == ["machine", "ready"]


def test_more_streams_than_there_is_room_for_are_told_so():
    detector = AnsweringDetector()
    for stream in range(SLOTS + 1):
        detector.begin(stream)
    assert detector.feed([]) == [Finding(SLOTS, "", "too many streams listen", is_last=True)]
    detector.end(SLOTS)
    detector.end(0)
    detector.begin(SLOTS)
    assert detector.feed([]) == []


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 20_000), st.binary(max_size=700)), max_size=60))
def test_nothing_that_comes_makes_it_raise(pieces):
    detector = AnsweringDetector()
    for stream in range(3):
        detector.begin(stream)
    for stream, gap, data in pieces:
        detector.feed([Piece(stream, "PCMU" if stream % 2 else "PCMA", gap, data)])
    for _ in range(100):
        detector.feed([])


def test_parameters_are_in_order():
    parameters = Parameters()
    assert list(parameters.beep_frames) == sorted(parameters.beep_frames)
    assert list(parameters.person_spans_ms) == sorted(parameters.person_spans_ms)
    assert parameters.machine_ms < parameters.unsure_ms


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hello", ["person"]), ("greeting", ["machine", "ready"]), ("mailbox", ["machine", "ready"])],
)
def test_the_built_in_telephones_are_what_they_are(name, expected):
    said = octets(silence(200)) + sound(name) + octets(silence(3000))
    findings = told(said)
    assert whats(findings)[: len(expected)] == expected
    if "ready" in expected:
        assert (findings[1][0] + 1) * FRAME >= 1600 + len(sound(name))
