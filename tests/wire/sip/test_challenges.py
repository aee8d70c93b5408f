"""Who challenges our requests, on real sockets: several on the way, old nonces, and some that never have enough."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from chappe.operators.sip.agent.digest import is_right
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.syntax.message import Request
from chappe.operators.sip.transactions.events import ResponseReceived
from chappe.operators.sip.transactions.layer import Refusal
from tests.wire.sip.element import Element
from tests.wire.sip.far import FarEnd, settle
from tests.wire.sip.test_trunk import QUICK, Bench, order

USER = {"username": "alice", "password": "sesame", "register_s": 0, "options_s": 0}
HEADERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


@dataclass
class Challenger:
    """One element on the way. `nonce` for everybody, or a new one each time; `uses` of one before it is stale."""

    status: int
    nonce: str = ""
    uses: int = 1000
    realm: str = "trunk"
    numbers: itertools.count = field(default_factory=itertools.count)
    used: dict[str, set[str]] = field(default_factory=dict)
    """Counts that were seen, by nonce: each is good once."""

    def look(self, request: Request) -> Refusal | None:
        asks, answers = HEADERS[self.status]
        is_stale = False
        for answer in request.credentials(answers):
            seen = self.used.get(answer.get("nonce"))
            if answer.get("realm") == self.realm and is_right(answer, request.method, "sesame"):
                is_stale = seen is None or len(seen) >= self.uses
                if seen is not None and not is_stale and answer.get("nc") not in seen:
                    seen.add(answer.get("nc"))
                    return None
        nonce = self.nonce or f"n{next(self.numbers)}"
        self.used.setdefault(nonce, set())
        stale = ", stale=true" if is_stale else ""
        return Refusal(
            self.status, [(asks, f'Digest realm="{self.realm}", nonce="{nonce}", qop="auth"{stale}')]
        )


class Way:
    """Challengers one behind the other before the far end; `tries` of each method are counted."""

    def __init__(self, element: Element, *challengers: Challenger) -> None:
        layer = element.agent.layer
        self._inner, layer.screen = layer.screen, self._screen
        self._challengers = challengers
        self.tries: list[str] = []

    def _screen(self, request: Request, hop) -> Refusal | None:
        self.tries.append(request.method)
        for challenger in self._challengers if request.method not in ("ACK", "CANCEL") else ():
            refusal = challenger.look(request)
            if refusal is not None:
                return refusal
        return self._inner(request, hop)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    await made.open()
    yield made
    await made.close()


@pytest.mark.parametrize("statuses", [(401, 407), (407, 401)])
@pytest.mark.parametrize("nonces", ["same", ""])
async def test_two_challengers_in_a_row_are_both_answered(bench, statuses, nonces):
    way = Way(bench.far.element, *(Challenger(status, nonces) for status in statuses))
    trunk = await bench.trunk(**USER)
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete
    assert way.tries.count("INVITE") == 3
    # The next call knows both, and is not challenged; nor are the BYEs.
    trunk.call(order(33600000001))
    assert (await bench.outcomes.end(2)).is_complete
    assert (way.tries.count("INVITE"), way.tries.count("BYE")) == (4, 2)


async def test_two_realms_of_one_kind_are_both_answered(bench):
    way = Way(bench.far.element, Challenger(407, "same", realm="a"), Challenger(407, "same", realm="b"))
    trunk = await bench.trunk(**USER)
    trunk.call(order())
    assert (await bench.outcomes.end()).is_complete
    assert way.tries.count("INVITE") == 3


async def test_a_nonce_that_is_stale_is_exchanged_in_the_midst_of_it(bench):
    way = Way(bench.far.element, Challenger(401, uses=1), Challenger(407, "same"))
    trunk = await bench.trunk(**USER)
    for number in range(1, 4):
        trunk.call(order(33600000000 + number))
        assert (await bench.outcomes.end(number)).is_complete
    assert len(bench.far.telephones) == 3
    assert way.tries.count("INVITE") <= 3 * 4


async def test_challenges_without_end_are_given_up(bench):
    way = Way(bench.far.element, Challenger(401, uses=0))
    trunk = await bench.trunk(**USER)
    trunk.call(order())
    end = await bench.outcomes.end()
    assert (end.result, end.status) == ("not taken", 401)
    assert way.tries.count("INVITE") == 4
    assert bench.far.telephones == []


async def test_a_registration_that_two_challenge_is_made_and_taken_back(bench):
    await bench.far.close()
    bench.far = await FarEnd(Settings(timing=QUICK.timing, handles=frozenset({"REGISTER"}))).open()
    way = Way(bench.far.element, Challenger(407, "same"), Challenger(401, "same"))

    def on_event(event) -> None:
        contact = event.request.first("Contact")
        far = bench.far.element
        far.agent.respond(event.transaction, 200, far.sockets.now_ms(), headers=[("Contact", contact)])
        far.sockets.flush()

    bench.far.element.on_event = on_event
    trunk = await bench.trunk(**{**USER, "register_s": 600})
    assert trunk.is_up
    assert way.tries == ["REGISTER"] * 3
    await trunk.stop()
    assert way.tries == ["REGISTER"] * 4


async def test_a_transfer_is_refused_and_the_call_goes_on(bench):
    """REFER (RFC 3515): whoever may have a call transferred calls at our expense."""
    trunk = await bench.trunk()
    answers: list[tuple[int, frozenset[str]]] = []
    layer = bench.far.element.agent.layer
    receive = layer.receive

    def watched(data, hop, now_ms):
        events = receive(data, hop, now_ms)
        answers.extend(
            (event.response.status, frozenset(event.response.allowed))
            for event in events
            if isinstance(event, ResponseReceived) and event.response.cseq.method == "REFER"
        )
        return events

    layer.receive = watched
    trunk.call(order())
    telephone = await bench.far.telephone()
    await telephone.until(lambda: telephone.packets)
    dialog = telephone.call.dialog
    refer = dialog.request("REFER", [("Refer-To", "<sip:+33899000000@127.0.0.1>"), ("Contact", "<sip:x@y>")])
    layer.request(refer, dialog.next_hop(), bench.far.element.sockets.now_ms())
    bench.far.element.sockets.flush()
    assert (await bench.outcomes.end()).is_complete
    await settle(0.1)
    ((status, allowed),) = answers
    assert status == 405
    assert "refer" not in allowed
    assert {"invite", "bye"} <= allowed
    assert len(bench.far.telephones) == 1
    assert "refer" not in telephone.request.allowed
