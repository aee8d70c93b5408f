"""One round: a campaign, kill -9 at two instants of its calls, restarts, everything ends, judgement."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests

from chappe.audio.convert import convert
from tests.behaviours.campaigns.judge import Evidence, breaches
from tests.behaviours.campaigns.plan import PLACES, Plan
from tests.behaviours.campaigns.store import Callee, Hand, attempts, callees, hand_on
from tests.behaviours.campaigns.telephones import Telephones
from tests.behaviours.crash.catcher import Catcher
from tests.support.server import ChappeServer
from tests.support.sipp import far_ports
from tests.unit.audio.sounds import file_of

END_S_MAX = 90.0
KILL_S_MAX = 60.0
REQUEST_S_MAX = 60
POLL_S = 0.05
CREDIT_EUR = 100
LONG_S = 20
CONFIGURATION = """
[voice]
sip_host = "127.0.0.1"
sip_port = {sip_port}

[[operators]]
name = "trunk1"
kind = "sip"
host = "127.0.0.1"
port = {port}
calls_per_second = 200
concurrent_calls = {places}
options_s = 5
on_lost_response = "{on_lost_response}"

[[routes]]
product = "voice"
operators = ["trunk1"]
"""


@dataclass(frozen=True)
class Report:
    """What a round saw. `breaches` is empty when every promise was kept."""

    plan: Plan
    breaches: list[str]
    invites: int
    at_kills: list[dict[int, int]]
    """Callees by state."""

    def __str__(self) -> str:
        return f"seed {self.plan.seed}: {self.invites} calls to {len(self.plan.numbers)} numbers, at the kills {self.at_kills}"


def noise(seconds: float, seed: int) -> bytes:
    """A WAV file that is nowhere like itself."""
    samples = np.random.default_rng(seed).standard_normal(round(8000 * seconds)).astype(np.float32)
    return file_of(0.1 * samples, 8000, "WAV", "PCM_16")


async def run_round(plan: Plan, folder: Path) -> Report:
    """Raises AssertionError where the round itself could not be run as planned."""
    server = ChappeServer(folder, rate_limits=False, environment={"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8"})
    async with Catcher() as catcher:
        telephones = Telephones(plan.behaviours, server.kill)
        await telephones.far.open()
        try:
            configuration = CONFIGURATION.format(
                sip_port=far_ports(1)[0],
                port=telephones.far.port,
                places=PLACES,
                on_lost_response=plan.on_lost_response,
            )
            (server.data / "chappe.toml").write_text(configuration)
            with server, hand_on(server) as hand:
                telephones.hand = hand
                return await _Round(plan, server, telephones, hand, catcher).run()
        finally:
            await telephones.far.close()


class _Round:
    def __init__(
        self, plan: Plan, server: ChappeServer, telephones: Telephones, hand: Hand, catcher: Catcher
    ) -> None:
        self._plan = plan
        self._server = server
        self._telephones = telephones
        self._hand = hand
        self._catcher = catcher
        self._key: str = server.create_account("calls@example.org", str(CREDIT_EUR))["apiKey"]
        self._sounds: dict[int, bytes] = {}
        self._at_kills: list[dict[int, Callee]] = []

    async def run(self) -> Report:
        plan, telephones = self._plan, self._telephones
        # Whoever is to be killed while it plays has a long sound, in a campaign of its own that begins in that life.
        long = [number for instant, number in plan.kills if instant == "it plays"]
        short = [number for number in plan.numbers if number not in long]
        is_sent = False
        for instant, number in plan.kills:
            telephones.arm(instant, number)
            if number in long:
                await asyncio.to_thread(self._send, noise(LONG_S, 2), [number])
            if not is_sent:
                await asyncio.to_thread(self._send, noise(0.4, 1), short)
                is_sent = True
            async with asyncio.timeout(KILL_S_MAX):
                await telephones.killed.wait()
            self._at_kills.append(callees(self._hand.reads))
            await asyncio.to_thread(self._server.start)
            telephones.hang_up_what_is_left()
        await self._until_ended()
        await self._verify_running()
        self._server.stop()
        self._server.run("check")
        self._server.assert_no_traceback()
        return Report(
            plan,
            [*telephones.breaches, *breaches(self._evidence())],
            len(telephones.rung),
            [_by_state(at_kill) for at_kill in self._at_kills],
        )

    def _send(self, wav: bytes, numbers: list[int]) -> None:
        url = f"{self._server.base_url}/voice/v1"
        stored = requests.post(
            f"{url}/audio-file/upload",
            files={"file": ("a.wav", wav)},
            data={"apiKey": self._key, "filename": "annonce"},
            timeout=REQUEST_S_MAX,
        ).json()
        sound = convert(wav).alaw
        self._sounds |= dict.fromkeys(numbers, sound)
        self._telephones.sounds |= dict.fromkeys(numbers, sound)
        answer = requests.post(
            f"{url}/tts/send",
            json={
                "apiKey": self._key,
                "tokenAudio": stored["tokenAudio"],
                "phoneNumbers": ",".join(f"+{number}" for number in numbers),
                "notifyUrl": self._catcher.url,
            },
            timeout=REQUEST_S_MAX,
        ).json()
        assert answer["success"] is True, answer
        assert answer["nbSms"] == len(numbers)

    async def _until_ended(self) -> None:
        reads, deadline_s = self._hand.reads, time.monotonic() + END_S_MAX
        while left := reads.all("SELECT number, state FROM callees WHERE state < 40"):
            assert time.monotonic() < deadline_s, f"not ended {END_S_MAX} s after the restart: {left}"
            assert self._server.running, self._server.stderr
            await asyncio.sleep(POLL_S)
        while reads.untold:
            assert time.monotonic() < deadline_s, f"{reads.untold} events not told"
            await asyncio.sleep(POLL_S)

    async def _verify_running(self) -> None:
        await asyncio.to_thread(self._server.run, "check")
        page = await asyncio.to_thread(
            requests.get, f"{self._server.base_url}/metrics", timeout=REQUEST_S_MAX
        )
        unexpected = re.findall(r"^chappe_unexpected_total\{.*\} (\S+)$", page.text, re.MULTILINE)
        assert set(unexpected) == {"0.0"}, page.text

    def _evidence(self) -> Evidence:
        reads = self._hand.reads
        ((balance_micro,),) = reads.all("SELECT balance_micro FROM accounts ORDER BY id LIMIT 1")
        postings = reads.all(
            "SELECT c.token, e.cause, SUM(e.amount_micro) FROM ledger_entries e JOIN campaigns c"
            " ON CAST(c.id AS TEXT) = e.cause_id WHERE e.account_id > 0 AND e.cause LIKE 'voice%'"
            " GROUP BY c.token, e.cause"
        )
        by_token: dict[str, dict[str, int]] = {}
        for token, cause, amount in postings:
            by_token.setdefault(token, {})[cause] = int(amount)
        return Evidence(
            plan=self._plan,
            sounds=self._sounds,
            rung=self._telephones.rung,
            at_kills=self._at_kills,
            callees=callees(reads),
            attempts=attempts(reads),
            callbacks=self._catcher.bodies,
            credit_micro=CREDIT_EUR * 1_000_000,
            balance_micro=balance_micro,
            postings={
                token: (-causes["voice"], causes.get("voice refund", 0)) for token, causes in by_token.items()
            },
        )


def _by_state(callees: dict[int, Callee]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for callee in callees.values():
        counts[callee.state] = counts.get(callee.state, 0) + 1
    return counts
