"""The way to a trunk: names with several addresses, certificates that are not its own, registrars that come and go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chappe.operators.sip import lookup
from chappe.operators.sip.agent.events import OtherRequest
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.element import SipElement
from chappe.operators.sip.stream import Stream
from chappe.operators.sip.trunk import SipTrunk
from tests.support.certificates import Certificate, make_certificate
from tests.wire.sip.element import WAIT_S_MAX
from tests.wire.sip.far import FarEnd
from tests.wire.sip.test_trunk import QUICK, Bench, order

NAME = "trunk.test"
DEAD, ALIVE = "127.0.0.9", "127.0.0.1"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.open()
    made.servers = []
    yield made
    await made.close()
    for server in made.servers:
        server.close()


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of the trunk's name, in the resolver's order."""
    found = [DEAD, ALIVE]
    inner = lookup.addresses_of

    async def addresses_of(host: str) -> tuple[str, ...] | None:
        return tuple(found) or None if host == NAME else await inner(host)

    monkeypatch.setattr(lookup, "addresses_of", addresses_of)
    return found


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not condition():
            await asyncio.sleep(0.01)


# Several addresses


async def test_a_call_that_nobody_answers_may_be_made_by_the_next_address(bench, addresses):
    trunk = await bench.trunk(host=NAME, options_s=0)
    assert (trunk.ways, trunk.way) == (2, DEAD)
    trunk.call(order())
    assert (await bench.outcomes.end()).result == "not taken"
    assert trunk.way == ALIVE
    trunk.call(order(attempt=2))
    assert (await bench.outcomes.end(2)).is_complete
    # Whoever answers is stayed with, also by what belongs to the call, and after the next look at the name.
    await trunk._ways._look_up()
    assert trunk.way == ALIVE
    telephone = await bench.far.telephone()
    assert str(telephone.request.uri) == f"sip:+33612345678@{NAME}:{bench.far.port}"


async def test_calls_that_fail_together_change_the_address_once(bench, addresses):
    trunk = await bench.trunk(host=NAME, options_s=0)
    for number in range(2):
        trunk.call(order(33600000000 + number))
    await bench.outcomes.end(2)
    assert trunk.way == ALIVE


async def test_an_address_that_says_503_is_passed_over_too(bench, addresses):
    addresses[:] = [ALIVE, DEAD]
    bench.far.act = lambda telephone: bench.far.do(telephone.call.reject, 503)
    trunk = await bench.trunk(host=NAME, options_s=0)
    trunk.call(order())
    assert (await bench.outcomes.end()).result == "not taken"
    assert trunk.way == DEAD


async def test_a_busy_number_says_nothing_about_the_address(bench, addresses):
    addresses[:] = [ALIVE, DEAD]
    bench.far.act = lambda telephone: bench.far.do(telephone.call.reject, 486)
    trunk = await bench.trunk(host=NAME, options_s=0)
    trunk.call(order())
    assert (await bench.outcomes.end()).result == "busy"
    assert trunk.way == ALIVE


async def test_a_trunk_is_found_at_its_second_address_by_options(bench, addresses):
    trunk = await bench.trunk(host=NAME, options_s=5, up=False)
    await bench.until(lambda: trunk.is_up)
    assert trunk.way == ALIVE
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete


async def test_a_stream_is_made_to_whichever_address_answers(bench, addresses):
    trunk = await bench.trunk(host=NAME, transport="tcp", options_s=5)
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete


async def test_a_name_that_nobody_knows_is_asked_for_again(bench, addresses, monkeypatch):
    addresses.clear()
    monkeypatch.setattr(lookup, "LOOK_UP_S", 0.05)
    trunk = await bench.trunk(host=NAME, options_s=0)
    trunk.call(order())
    assert (await bench.outcomes.end()).result == "not taken"
    addresses.append(ALIVE)
    await until(lambda: trunk.way == ALIVE)
    trunk.call(order(attempt=2))
    assert (await bench.outcomes.end(2)).is_complete


# Certificates


async def secured(bench: Bench, certificate: Certificate, trusted: Certificate) -> tuple[SipTrunk, list[str]]:
    """A trunk at `NAME` over TLS, and which names it was asked for by."""
    asked: list[str] = []
    context = certificate.server()
    context.sni_callback = lambda connection, name, context: asked.append(name)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Stream(bench.far.element.sockets, "tls"), "127.0.0.1", 0, ssl=context
    )
    bench.servers.append(server)
    port = server.sockets[0].getsockname()[1]
    await bench.element.stop()
    bench.element = SipElement(
        host="127.0.0.1",
        port=0,
        settings=QUICK,
        tls={(NAME, port): trusted.client()},
        on_unexpected=bench._on_unexpected,
    )
    await bench.element.start()
    trunk = await bench.trunk(host=NAME, port=port, transport="tls", options_s=5, up=False)
    return trunk, asked


async def test_a_trunk_over_tls_is_asked_for_by_its_name_at_each_of_its_addresses(bench, addresses, tmp_path):
    certificate = make_certificate(tmp_path, host=NAME)
    trunk, asked = await secured(bench, certificate, certificate)
    await bench.until(lambda: trunk.is_up)
    assert asked == [NAME]
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete


@pytest.mark.parametrize(
    ("host", "days_left", "is_trusted", "reason"),
    [
        ("other.test", 1, True, "Hostname mismatch"),
        (ALIVE, 1, True, "Hostname mismatch"),  # of the address, which is not what was asked for
        (NAME, -1, True, "expired"),
        (NAME, 1, False, "certificate verify failed"),
    ],
)
async def test_whoever_cannot_prove_to_be_the_trunk_is_told_nothing(
    bench, addresses, tmp_path: Path, host, days_left, is_trusted, reason
):
    addresses[:] = [ALIVE]
    (tmp_path / "other").mkdir()
    certificate = make_certificate(tmp_path, host=host, days_left=days_left)
    trusted = certificate if is_trusted else make_certificate(tmp_path / "other", host=NAME)
    with capture_logs() as lines:
        trunk, _ = await secured(bench, certificate, trusted)
        await until(lambda: [line for line in lines if line["event"] == "nobody is reached"])
        trunk.call(order())
        assert (await bench.outcomes.end()).result == "not taken"
    (said,) = [line for line in lines if line["event"] == "nobody is reached"]  # once, not with each try
    assert reason in said["reason"]
    assert (said["transport"], said["host"]) == ("tls", NAME)
    assert not trunk.is_up
    assert bench.far.telephones == []


async def test_without_a_list_of_its_own_the_system_s_certificates_count(bench, addresses, tmp_path):
    certificate = make_certificate(tmp_path, host=NAME)
    trunk, _ = await secured(bench, certificate, certificate)
    context = bench.element.sockets._tls[NAME, trunk.settings.port]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    await bench.until(lambda: trunk.is_up)


# Registrars


class Registrar:
    """Answers REGISTER with the replies in turn, the last one for ever: status, seconds granted, headers."""

    def __init__(self, bench: Bench, *replies) -> None:
        self._bench = bench
        self.replies = list(replies)
        self.asked_s: list[int] = []
        bench.far.element.on_event = self._wrapped(bench.far.element.on_event)

    def _wrapped(self, inner):
        def on_event(event) -> None:
            if isinstance(event, OtherRequest):
                self._answer(event)
            else:
                inner(event)

        return on_event

    def _answer(self, event: OtherRequest) -> None:
        self.asked_s.append(int(event.request.first("Expires")))
        status, granted_s, *more = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        contact = event.request.first("Contact").partition(";")[0]
        headers = [*more]
        if granted_s and self.asked_s[-1]:
            headers.append(("Contact", f"{contact};expires={granted_s}"))
        far = self._bench.far.element
        far.agent.respond(event.transaction, status, far.sockets.now_ms(), headers=headers)
        far.sockets.flush()


async def registering(bench: Bench, *replies, **more) -> tuple[SipTrunk, Registrar]:
    await bench.far.close()
    bench.far = await FarEnd(Settings(timing=QUICK.timing, handles=frozenset({"REGISTER"}))).open()
    registrar = Registrar(bench, *replies)
    settings = {"username": "alice", "password": "secret", "register_s": 60, **more}
    return await bench.trunk(up=False, **settings), registrar


async def test_a_registrar_that_wants_longer_gets_it(bench):
    trunk, registrar = await registering(bench, (423, 0, ("Min-Expires", "120")), (200, 120))
    await bench.until(lambda: trunk.is_up)
    assert registrar.asked_s == [60, 120]
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete


async def test_a_registrar_that_grants_less_is_asked_again_in_time(bench):
    trunk, registrar = await registering(bench, (200, 2))
    await bench.until(lambda: trunk.is_up)
    await until(lambda: len(registrar.asked_s) >= 3)
    assert set(registrar.asked_s) == {60}
    assert trunk.is_up


async def test_a_registrar_that_goes_and_comes_back_is_found_again(bench):
    trunk, registrar = await registering(bench, (200, 1), (503, 0), (503, 0), (200, 60))
    await bench.until(lambda: trunk.is_up)
    await until(lambda: not trunk.is_up)
    assert trunk.free_calls == 0
    await bench.until(lambda: trunk.is_up)
    assert len(registrar.asked_s) == 4
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete


async def test_a_registration_is_made_at_the_next_address_where_one_is_dead(bench, addresses):
    trunk, registrar = await registering(bench, (200, 60), host=NAME)
    await bench.until(lambda: trunk.is_up)
    assert trunk.way == ALIVE
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete
    await trunk.stop()
    assert registrar.asked_s == [60, 0]


async def test_of_two_trunks_one_whose_registrar_is_gone_keeps_nobody_from_the_other(bench):
    first, _ = await registering(bench, (200, 60))
    second = await bench.trunk(
        up=False, name="u", port=bench.far.port ^ 1 or 1, username="bob", password="x", register_s=60
    )
    await bench.until(lambda: first.is_up)
    assert not second.is_up
    first.call(order())
    assert (await bench.outcomes.end()).is_complete
