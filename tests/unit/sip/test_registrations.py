"""A registration is kept: refreshed in time, tried again when it fails, taken back."""

from __future__ import annotations

import pytest

from chappe.operators.sip.agent.events import OtherRequest, Registered, RegistrationFailed
from chappe.operators.sip.agent.registration import Registration
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.errors import LocalError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.message import Request, parse_message
from chappe.operators.sip.syntax.uri import SipUri
from tests.unit.sip.network import Network
from tests.unit.sip.phones import Phone

HOP = Hop("udp", "192.0.2.9", 5060)


class Registrar(Phone):
    """Answers REGISTER with what `replies` holds in turn, the last one for ever: (status, headers)."""

    def __init__(self, network: Network, *replies) -> None:
        super().__init__(network, "192.0.2.9", Settings(handles=frozenset({"REGISTER"})))
        self.replies = list(replies)

    def _note(self, events) -> None:
        super()._note(events)
        for event in events:
            if isinstance(event, OtherRequest):
                status, headers = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                self.agent.respond(event.transaction, status, self.now_ms, headers=headers)


def registered(*replies, expires_s: int = 3600):
    network = Network()
    phone, registrar = Phone(network, "192.0.2.1"), Registrar(network, *replies)
    registration = Registration(
        phone.agent, SipUri("example.org", "alice"), HOP, network.now_ms, expires_s=expires_s
    )
    return network, phone, registrar, registration


def granted(seconds: int):
    return 200, [("Contact", f"<sip:alice@192.0.2.1:5060>;expires={seconds}")]


def requests(network: Network) -> list[tuple[int, Request]]:
    return [
        (now_ms, message)
        for now_ms, _, data in network.carried
        if isinstance(message := parse_message(data), Request)
    ]


@pytest.mark.parametrize(
    ("reply", "expires_s", "again_s"),
    [
        (granted(600), 600, 570),
        (granted(60), 60, 54),
        ((200, []), 3600, 3570),
        ((200, [("Expires", "100")]), 100, 90),
        (
            (
                200,
                [("Contact", "<sip:other@198.51.100.1>;expires=7, <sip:%61lice@192.0.2.1:5060>;expires=300")],
            ),
            300,
            270,
        ),
    ],
)
def test_it_is_refreshed_before_the_end_of_what_was_granted(reply, expires_s, again_s):
    network, phone, _, registration = registered(reply)
    network.run(1000 * again_s - 1)
    assert [event.expires_s for event in phone.of(Registered)] == [expires_s]
    assert registration.is_registered
    assert len(requests(network)) == 1
    network.run(1000)
    (_, first), (_, second) = requests(network)
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert first.call_id == second.call_id
    assert (str(first.uri), str(first.to.uri)) == ("sip:example.org", "sip:alice@example.org")
    assert str(first.contacts[0]) == "<sip:alice@192.0.2.1:5060>;expires=3600"


def test_a_registrar_that_wants_longer_gets_longer():
    network, phone, _, _ = registered((423, [("Min-Expires", "1800")]), granted(1800), expires_s=600)
    network.run(1000)
    assert phone.of(Registered)[0].expires_s == 1800
    assert [message.first("Expires") for _, message in requests(network)] == ["600", "1800"]


def test_a_failed_registration_is_tried_again_ever_more_seldom():
    network, phone, registrar, registration = registered((503, []))
    network.run(100_000)
    retries = [event.retry_ms for event in phone.of(RegistrationFailed)]
    for number, retry_ms in enumerate(retries):
        assert 1500 * 2**number <= retry_ms <= 2500 * 2**number
    assert 5 <= len(retries) <= 7
    registrar.replies = [granted(600)]
    network.run(400_000)
    assert registration.is_registered
    registrar.replies = [(500, [("Retry-After", "40")])]
    network.run(600_000)
    assert not registration.is_registered
    assert min(event.retry_ms for event in phone.of(RegistrationFailed)[-2:]) >= 40_000


def test_a_registrar_that_does_not_answer_is_asked_again():
    network, phone, _, _ = registered(granted(600))
    network.lost = lambda data: True
    network.run(40_000)
    assert phone.of(RegistrationFailed)[0].cause.origin == "timeout"
    network.lost = lambda data: False
    network.run(10_000)
    assert phone.of(Registered)[0].expires_s == 600


@pytest.mark.parametrize("reply", [granted(0), (200, [("Contact", "<sip:alice")]), (200, [("Expires", "x")])])
def test_a_success_that_is_none_counts_as_failure(reply):
    network, phone, _, registration = registered(reply)
    network.run(1000)
    assert phone.of(RegistrationFailed)
    assert not registration.is_registered


def test_it_is_taken_back():
    network, phone, _, registration = registered(granted(600))
    network.run(1000)
    phone.do(registration.stop)
    with pytest.raises(LocalError):
        registration.stop(network.now_ms)
    network.run(1_000_000)
    (_, last) = requests(network)[-1]
    assert (last.first("Expires"), last.contacts[0].parameters["expires"]) == ("0", "0")
    assert [event.expires_s for event in phone.of(Registered)] == [600, 0]
    assert not registration.is_registered
    assert phone.agent.next_timer_ms() is None


def test_it_is_taken_back_while_a_request_is_under_way():
    network, phone, _, registration = registered(granted(600))
    phone.do(registration.stop)
    network.run(1000)
    assert [event.expires_s for event in phone.of(Registered)] == [0]
