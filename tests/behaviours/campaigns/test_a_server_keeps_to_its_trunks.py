"""A whole server and its trunks: registered with a password, passed over when down, kept to places, stopped in mid-call."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import requests

from chappe.administration.commands import AccountCreate, CallShow
from chappe.operators.sip.agent.digest import is_right
from chappe.operators.sip.agent.events import Event, OtherRequest
from chappe.operators.sip.agent.settings import Settings
from tests.support.server import ChappeServer
from tests.support.sipp import far_ports
from tests.unit.audio.sounds import file_of, tone
from tests.wire.sip.far import FarEnd, Telephone, settle

UNTIL_S_MAX = 30.0
REQUEST_S_MAX = 60
PASSWORD = "open sesame"
SHORT = file_of(tone(600, 0.3), 8000, "WAV", "PCM_16")
LONG = file_of(tone(600, 30.0), 8000, "WAV", "PCM_16")

HEAD = """
[voice]
sip_host = "127.0.0.1"
account_calls_max = 4

[[routes]]
product = "voice"
operators = [{operators}]
"""
TRUNK = """
[[operators]]
name = "{name}"
kind = "sip"
host = "127.0.0.1"
port = {port}
calls_per_second = 100
"""


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(UNTIL_S_MAX):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what}: not within {UNTIL_S_MAX} s") from None


class Registrar:
    """Takes registrations of `alice` with her password; `contacts` are those in force, `taken` counts them."""

    def __init__(self, far: FarEnd) -> None:
        self._far = far
        self._nonce = secrets.token_hex(8)
        self.contacts: set[str] = set()
        self.taken = 0
        self.challenged = 0
        inner = far.element.on_event

        def on_event(event: Event) -> None:
            inner(event)
            if isinstance(event, OtherRequest):
                self._answer(event)

        far.element.on_event = on_event

    def _answer(self, event: OtherRequest) -> None:
        element, request = self._far.element, event.request
        if request.method != "REGISTER":
            return
        contact = request.first("Contact") or ""
        answers = [
            answer
            for answer in request.credentials("Authorization")
            if answer.get("nonce") == self._nonce and is_right(answer, "REGISTER", PASSWORD)
        ]
        if not answers:
            self.challenged += 1
            challenge = f'Digest realm="far", nonce="{self._nonce}", algorithm=SHA-256, qop="auth"'
            element.agent.respond(
                event.transaction, 401, element.sockets.now_ms(), headers=[("WWW-Authenticate", challenge)]
            )
        else:
            self.taken += 1
            address = contact.partition(";")[0]
            if re.search(r"expires=0\b", contact) or request.first("Expires") == "0":
                self.contacts.discard(address)
                headers = []
            else:
                self.contacts.add(address)
                headers = [("Contact", contact)]
            element.agent.respond(event.transaction, 200, element.sockets.now_ms(), headers=headers)
        element.sockets.flush()


class Customer:
    """An account, and what it sends."""

    def __init__(self, server: ChappeServer, email: str) -> None:
        self.server = server
        self.key: str = server.ask(AccountCreate(email, credit="10"))["apiKey"]

    def send(self, wav: bytes, *numbers: str) -> str:
        """The campaign."""
        url = f"{self.server.base_url}/voice/v1"
        file = requests.post(
            f"{url}/audio-file/upload",
            files={"file": ("a.wav", wav)},
            data={"apiKey": self.key, "filename": "annonce"},
            timeout=REQUEST_S_MAX,
        ).json()["tokenAudio"]
        body = {"apiKey": self.key, "tokenAudio": file, "phoneNumbers": ",".join(numbers)}
        return requests.post(f"{url}/tts/send", json=body, timeout=REQUEST_S_MAX).json()["campaignId"]

    def callees(self, campaign: str) -> dict[str, Any]:
        return {callee["number"]: callee for callee in self.server.ask(CallShow(campaign))["callees"]}

    async def ended(self, campaign: str) -> dict[str, Any]:
        await until(lambda: self.server.ask(CallShow(campaign))["endedAtMs"] is not None, "it has ended")
        return self.callees(campaign)


def trunk_up(server: ChappeServer) -> dict[str, float]:
    page = requests.get(f"{server.base_url}/metrics", timeout=REQUEST_S_MAX).text
    found = re.findall(r'^chappe_trunk_up\{operator="(\w+)"\} (\S+)$', page, re.MULTILINE)
    return {name: float(value) for name, value in found}


def trunk_calls(server: ChappeServer, name: str) -> float:
    page = requests.get(f"{server.base_url}/metrics", timeout=REQUEST_S_MAX).text
    (value,) = re.findall(rf'^chappe_trunk_calls\{{operator="{name}"\}} (\S+)$', page, re.MULTILINE)
    return float(value)


def trunks(server: ChappeServer) -> dict[str, str]:
    return requests.get(f"{server.base_url}/readyz", timeout=REQUEST_S_MAX).json()["trunks"]


def numbers_of(telephones: list[Telephone]) -> list[str]:
    return [str(telephone.request.uri.user) for telephone in telephones]


@asynccontextmanager
async def far_end(settings: Settings | None = None) -> AsyncIterator[FarEnd]:
    far = await FarEnd(settings).open()
    try:
        yield far
    finally:
        await far.close()


def server_with(folder: Path, *trunks: tuple[str, int, str]) -> ChappeServer:
    """`trunks`: name, port and more lines of each, in order of preference; not started."""
    server = ChappeServer(folder, rate_limits=False)
    lines = [HEAD.format(operators=", ".join(f'"{name}"' for name, _, _ in trunks))]
    for name, port, more in trunks:
        lines += [TRUNK.format(name=name, port=port), more]
    (server.data / "chappe.toml").write_text("\n".join(lines))
    return server


def judged(server: ChappeServer) -> None:
    """A server that has been stopped."""
    server.run("check")
    server.assert_no_traceback()


async def test_a_trunk_that_is_down_is_passed_over_for_one_that_is_registered(tmp_path: Path) -> None:
    (nobody,) = far_ports(1)
    async with far_end(Settings(handles=frozenset({"REGISTER"}))) as far:
        registrar = Registrar(far)
        server = server_with(
            tmp_path,
            ("first", nobody, "options_s = 5"),
            ("second", far.port, f'username = "alice"\npassword = "{PASSWORD}"\nregister_s = 600'),
        )
        with server:
            await until(lambda: trunks(server) == {"first": "down", "second": "up"}, "one is up")
            assert trunk_up(server) == {"first": 0, "second": 1}
            assert (registrar.challenged, len(registrar.contacts)) == (1, 1)
            ana = Customer(server, "ana@example.fr")
            callees = await ana.ended(ana.send(SHORT, "0612345601", "0612345602"))
            assert {callee["state"] for callee in callees.values()} == {"delivered"}
            calls = [call for callee in callees.values() for call in callee["calls"]]
            assert [(call["operator"], call["result"]) for call in calls] == [("second", "answered")] * 2
            await asyncio.to_thread(server.stop)
        # It has taken its registration back.
        assert registrar.contacts == set()
        judged(server)


async def test_no_more_calls_at_a_time_than_trunk_and_account_have_places_for(tmp_path: Path) -> None:
    async with far_end() as far:
        far.act = lambda telephone: far.do(telephone.call.ring)
        server = server_with(tmp_path, ("trunk1", far.port, "concurrent_calls = 6"))
        with server:
            await until(lambda: trunks(server) == {"trunk1": "up"}, "it is up")
            ana, bea = Customer(server, "ana@example.fr"), Customer(server, "bea@example.fr")
            first = ana.send(SHORT, *(f"06123457{n:02}" for n in range(8)))
            await until(lambda: len(far.telephones) == 4, "the account's four places are taken")
            second = bea.send(SHORT, *(f"06123458{n:02}" for n in range(8)))
            await until(lambda: len(far.telephones) == 6, "the trunk's six places are taken")
            await settle(0.7)  # longer than the slow poll of the dispatcher
            assert len(far.telephones) == 6
            assert trunk_calls(server, "trunk1") == 6
            seen = numbers_of(far.telephones)
            assert sum(number.startswith("+336123457") for number in seen) == 4
            # One place becomes free, and is taken once.
            far.do(far.telephones[0].call.reject, 486)
            await until(lambda: len(far.telephones) == 7, "the free place is taken")
            await settle(0.7)
            assert len(far.telephones) == 7
            far.act = lambda telephone: far.do(telephone.call.reject, 486)
            for telephone in far.telephones[1:]:
                far.do(telephone.call.reject, 486)
            for customer, campaign in ((ana, first), (bea, second)):
                callees = await customer.ended(campaign)
                assert {callee["state"] for callee in callees.values()} == {"undelivered"}
                assert {len(callee["calls"]) for callee in callees.values()} == {1}
            assert len(far.telephones) == 16
            await until(lambda: trunk_calls(server, "trunk1") == 0, "every place is free")
        judged(server)


async def test_a_stop_ends_the_calls_and_leaves_the_others_to_the_next_start(tmp_path: Path) -> None:
    ringing = {"+33612345900", "+33612345901"}
    async with far_end() as far:

        async def act(telephone: Telephone) -> None:
            far.do(telephone.call.ring)
            if telephone.request.uri.user not in ringing:
                await far.answer(telephone)

        far.act = act
        server = server_with(tmp_path, ("trunk1", far.port, "concurrent_calls = 4"))
        with server:
            ana = Customer(server, "ana@example.fr")
            campaign = ana.send(LONG, *(f"06123459{n:02}" for n in range(6)))
            await until(lambda: len(far.telephones) == 4, "four are called")
            playing = [each for each in far.telephones if each.request.uri.user not in ringing]
            for telephone in playing:
                await telephone.until(lambda telephone=telephone: telephone.packets)
            await asyncio.to_thread(server.stop)  # exits 0 within 10 s
            for telephone in far.telephones:
                await telephone.until(lambda telephone=telephone: telephone.ended)
            assert len(far.telephones) == 4
            far.act = lambda telephone: far.do(telephone.call.reject, 486)
            await asyncio.to_thread(server.start)
            callees = await ana.ended(campaign)
            assert numbers_of(far.telephones[4:]) == ["+33612345904", "+33612345905"]
            results = {number: callee["calls"][0]["result"] for number, callee in callees.items()}
            assert results == {
                **dict.fromkeys(sorted(ringing), "failed"),
                **dict.fromkeys(("+33612345902", "+33612345903"), "answered"),
                **dict.fromkeys(("+33612345904", "+33612345905"), "busy"),
            }
            for telephone in playing:
                callee = callees[str(telephone.request.uri.user)]
                heard_s = max(1, -(-callee["calls"][0]["playedMs"] // 1000))
                assert callee["state"] == "delivered"
                kept = float(callee["cost"]) - float(callee["refund"])
                assert round(kept, 6) == round(0.0009 * heard_s, 6)
            assert all(callees[number]["refund"] == callees[number]["cost"] for number in ringing)
        judged(server)


def media_process(server: ChappeServer) -> int | None:
    """The child of the server that carries the audio."""
    for line in Path(f"/proc/{server.pid}/task").glob("*/children"):
        for child in line.read_text().split():
            if b"chappe.operators.sip.media" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


def audio_up(server: ChappeServer) -> float:
    page = requests.get(f"{server.base_url}/metrics", timeout=REQUEST_S_MAX).text
    (value,) = re.findall(r"^chappe_audio_up (\S+)$", page, re.MULTILINE)
    return float(value)


async def test_calls_wait_while_the_media_process_is_dead_and_no_money_is_lost(tmp_path: Path) -> None:
    async with far_end() as far:
        server = server_with(tmp_path, ("trunk1", far.port, "concurrent_calls = 6"))
        with server:
            await until(lambda: trunks(server) == {"trunk1": "up"}, "it is up")
            assert audio_up(server) == 1
            ana = Customer(server, "ana@example.fr")
            listening = ana.send(LONG, "0612345801")
            telephone = await far.telephone()
            await telephone.until(lambda: len(telephone.packets) > 60)
            pid = media_process(server)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            waiting = ana.send(SHORT, *(f"06123458{n:02}" for n in range(10, 16)))
            await telephone.until(lambda: telephone.ended)
            cut = (await ana.ended(listening))["+33612345801"]
            assert cut["state"] == "delivered"
            heard_s = -(-cut["calls"][0]["playedMs"] // 1000)
            assert heard_s >= 2
            assert round(float(cut["cost"]) - float(cut["refund"]), 6) == round(0.0009 * heard_s, 6)
            callees = await ana.ended(waiting)
            assert {callee["state"] for callee in callees.values()} == {"delivered"}
            for callee in callees.values():
                *put_back, last = callee["calls"]
                assert all((call["result"], call["reason"]) == ("not taken", "no audio") for call in put_back)
                assert (last["result"], callee["durationS"]) == ("answered", 1)
            assert len(far.telephones) == 7
            assert requests.get(f"{server.base_url}/readyz", timeout=REQUEST_S_MAX).json()["audio"] == "up"
            assert server.stderr.count("the media process has ended") == 1
        judged(server)
