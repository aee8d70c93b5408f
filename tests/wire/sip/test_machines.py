"""Who answers decides what is said: over real sockets, to telephones that speak, greet and beep, 20 ms at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import numpy as np
import pytest

from chappe.audio.convert import encoded
from chappe.audio.loudness import evened
from chappe.audio.sound import Converted
from chappe.calls.port import CallEnd, Script
from chappe.operators.sip.amd import DETECTOR
from tests.support.answers.calls import beep, silence
from tests.support.answers.voices import Voice, Wave, said
from tests.support.peers import need
from tests.wire.sip.far import Telephone
from tests.wire.sip.test_trunk import SOUND, Bench, order

CLAIRE = Voice("espeak", "fr+f2", "fr")
FRAME = 160
QUIET = {0xD5, 0x55}

TEXT = SOUND
FILE = Converted(600, (SOUND.alaw + SOUND.alaw[:1600])[::-1], (SOUND.ulaw + SOUND.ulaw[:1600])[::-1])


def speech(text: str) -> Wave:
    return evened(said(CLAIRE, text))


def tone(hz: float, ms: int) -> Wave:
    return np.float32(0.15) * beep(hz, ms)


def octets(*parts: Wave) -> bytes:
    return encoded(np.concatenate(parts)).alaw


class Speaker:
    """The far end: answers, and says `octets` while it listens. `heard_at`: the frame of its own in which it heard
    the first sound.
    """

    def __init__(self, bench: Bench, said: bytes) -> None:
        self.bench = bench
        self._said = said
        self.heard_at: int | None = None
        self.telephone: Telephone | None = None
        bench.far.act = self._act

    async def _act(self, telephone: Telephone) -> None:
        self.telephone = telephone
        await self.bench.far.answer(telephone)
        await self.say(telephone, self._said)

    async def say(self, telephone: Telephone, said: bytes) -> None:
        assert telephone.transport is not None
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        sender = telephone.sender()
        for number in range(len(said) // FRAME):
            frame = sender.frame(said[number * FRAME :][:FRAME])
            telephone.transport.sendto(frame, (telephone.session.host, telephone.session.port))
            wait_s = start_s + (number + 1) * 0.02 - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)  # its pace, not a wait for anything
            if self.heard_at is None and set(telephone.heard) - QUIET:
                self.heard_at = number


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    need("espeak-ng")
    made = Bench(DETECTOR)
    await made.open()
    yield made
    await made.close()


async def called(bench: Bench, script: Script, **settings) -> CallEnd:
    trunk = await bench.trunk(**settings)
    trunk.call(order(script=script))
    return await bench.outcomes.end()


async def test_a_deposit_is_left_after_the_beep(bench):
    greeting = octets(
        silence(300), speech("Bonjour, vous êtes sur mon répondeur, laissez un message."), silence(700)
    )
    signal = octets(tone(1000, 400))
    speaker = Speaker(bench, greeting + signal + octets(silence(4000)))
    end = await called(bench, Script(None, FILE))
    assert (end.result, end.party, end.is_complete) == ("answered", "machine", True)
    assert "a beep of 1000 Hz" in end.reason
    assert speaker.heard_at is not None
    assert speaker.heard_at * FRAME >= len(greeting + signal)
    assert FILE.alaw in speaker.telephone.heard


async def test_a_deposit_without_a_beep_is_left_after_the_greeting(bench):
    greeting = octets(
        silence(200),
        speech("Bonjour, vous êtes bien chez Claire et Martin, nous ne sommes pas là pour le moment."),
        speech("Laissez-nous un message, nous vous rappellerons dès notre retour. Merci, à bientôt."),
    )
    speaker = Speaker(bench, greeting + octets(silence(5000)))
    end = await called(bench, Script(None, FILE))
    assert (end.party, end.is_complete) == ("machine", True)
    assert end.reason == "silence after the greeting"
    assert speaker.heard_at * FRAME >= len(greeting)


async def test_a_person_hears_nothing_of_a_deposit_and_is_hung_up_on(bench):
    speaker = Speaker(
        bench, octets(silence(400), speech("Allô ?"), silence(2000), speech("Allô ?"), silence(6000))
    )
    end = await called(bench, Script(None, FILE))
    assert (end.result, end.party, end.played_ms, end.is_complete) == ("answered", "person", 0, False)
    assert not set(speaker.telephone.heard) - QUIET


async def test_a_person_hears_the_text(bench):
    speaker = Speaker(bench, octets(silence(400), speech("Oui, allô ?"), silence(5000)))
    end = await called(bench, Script(TEXT, FILE))
    assert (end.party, end.played_ms, end.is_complete) == ("person", TEXT.duration_ms, True)
    assert TEXT.alaw in speaker.telephone.heard


async def test_a_machine_gets_the_file_and_nothing_of_the_text(bench):
    greeting = octets(silence(200), speech("Laissez un message après le signal sonore."), silence(500))
    signal = octets(tone(440, 250), silence(150), tone(440, 250))
    speaker = Speaker(bench, greeting + signal + octets(silence(4000)))
    end = await called(bench, Script(TEXT, FILE))
    assert (end.party, end.played_ms, end.is_complete) == ("machine", FILE.duration_ms, True)
    assert speaker.heard_at * FRAME >= len(greeting + signal)
    assert FILE.alaw in speaker.telephone.heard
    assert TEXT.alaw not in speaker.telephone.heard


async def test_a_machine_that_beeps_once_more_is_told_again_from_the_beginning(bench):
    """Its greeting was taken for its end: what was said into it is lost."""
    first = octets(
        silence(200), speech("Vous êtes sur la messagerie de Claire."), silence(400), tone(1400, 300)
    )
    more = octets(silence(900), speech("Parlez."), silence(300), tone(800, 500), silence(8000))
    alaw = random.Random(1).randbytes(32_000)
    long = Converted(4000, alaw, alaw)
    speaker = Speaker(bench, first + more)
    end = await called(bench, Script(TEXT, long))
    assert (end.party, end.played_ms, end.is_complete) == ("machine", 4000, True)
    assert "800 Hz" in end.reason
    heard = speaker.telephone.heard
    assert heard.count(long.alaw) == 1
    begun = heard.index(long.alaw[:800])
    assert begun < heard.index(long.alaw)


async def test_a_greeting_that_was_taken_for_a_person_gets_the_file_after_its_beep(bench):
    speaker = Speaker(
        bench, octets(silence(200), speech("Martin."), silence(2500), tone(950, 600), silence(6000))
    )
    text = Converted(4000, (TEXT.alaw * 10)[:32000], (TEXT.ulaw * 10)[:32000])
    end = await called(bench, Script(text, FILE))
    assert (end.party, end.played_ms, end.is_complete) == ("machine", FILE.duration_ms, True)
    heard = speaker.telephone.heard
    assert text.alaw[:800] in heard
    assert text.alaw not in heard
    assert FILE.alaw in heard


async def test_a_fax_is_not_spoken_to(bench):
    speaker = Speaker(bench, octets(silence(300), tone(2100, 3000), silence(2000)))
    end = await called(bench, Script(TEXT, FILE))
    assert (end.result, end.party, end.reason, end.played_ms) == ("unreachable", "", "a fax", 0)
    assert end.answered_at_ms is not None
    assert not set(speaker.telephone.heard) - QUIET


async def test_what_is_heard_before_the_answer_does_not_count(bench):
    """An announcement with a beep while it rings; then somebody picks up."""
    speaker = Speaker(bench, b"")
    early = octets(speech("Votre appel va être mis en relation."), tone(1000, 400), silence(700))

    async def act(telephone: Telephone) -> None:
        speaker.telephone = telephone
        await telephone.open()
        bench.far.do(telephone.call.ring, status=183, body=telephone.answer())
        await speaker.say(telephone, early)
        bench.far.do(telephone.call.accept, b"")
        await speaker.say(telephone, octets(silence(300), speech("Allô ?"), silence(5000)))

    bench.far.act = act
    end = await called(bench, Script(TEXT, FILE))
    assert (end.party, end.progress) == ("person", "183 200")
    assert TEXT.alaw in speaker.telephone.heard


async def test_where_nobody_listens_everybody_is_a_person(bench):
    speaker = Speaker(bench, octets(tone(1000, 400), silence(3000)))
    end = await called(bench, Script(TEXT, FILE), detects_machines=False)
    assert (end.party, end.reason, end.is_complete) == ("", "", True)
    assert TEXT.alaw in speaker.telephone.heard


async def test_a_greeting_without_an_end_is_spoken_to_all_the_same(bench):
    """Ten seconds are allowed here; the machine speaks on."""
    sentence = speech(
        "Nous sommes ouverts du lundi au samedi de neuf heures à dix-huit heures, fermés le dimanche."
    )
    pause = silence(300)
    Speaker(bench, octets(sentence, pause, sentence, pause, sentence, pause, sentence))
    end = await called(bench, Script(None, FILE), greeting_s_max=10)
    assert (end.party, end.is_complete) == ("machine", True)
