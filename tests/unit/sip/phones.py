"""User agents on a simulated network, with a log of what they were told."""

from __future__ import annotations

import itertools
import random

from chappe.operators.sip.agent.agent import UserAgent
from chappe.operators.sip.agent.events import Event, Incoming, Offered
from chappe.operators.sip.agent.outgoing import Order, OutgoingCall
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.message import Request, Response, parse_message
from chappe.operators.sip.syntax.uri import SipUri
from tests.unit.sip.network import Network, Weather

OFFER = b"v=0 offer"
ANSWER = b"v=0 answer"


class Phone:
    """`plan` says what to do with an incoming call: a list of (after ms, what), in order; what is a method name of
    `IncomingCall` with its arguments. What comes inside of a call is answered with `ANSWER`.
    """

    def __init__(self, network: Network, host: str, settings: Settings | None = None, plan=()) -> None:
        self.network = network
        self.host = host
        self.plan = plan
        self.log: list[Event] = []
        self.answers_offers = True
        numbers = itertools.count(1)
        seeded = random.Random(host)
        self.agent = UserAgent(
            address_of=lambda hop: (host, 5060),
            ids=lambda: f"{host}-{next(numbers)}",
            random=seeded.randint,
            settings=settings,
        )
        network.add(self, host)

    def call(self, host: str, transport: str = "udp", **more) -> OutgoingCall:
        order = Order(
            SipUri(host, "+33612345678"),
            Address(SipUri(self.host, "+33123456789"), "Chappe"),
            Hop(transport, host, 5060),
            OFFER,
            **more,
        )
        call = self.agent.call(order, self.network.now_ms)
        self._note(self.agent.events())
        return call

    @property
    def now_ms(self) -> int:
        return self.network.now_ms

    def do(self, action, *arguments, **more):
        """An action of ours on a call, now."""
        result = action(*arguments, now_ms=self.now_ms, **more)
        self._note(self.agent.events())
        return result

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.log]

    def of(self, kind):
        return [event for event in self.log if isinstance(event, kind)]

    # What the network needs

    def receive(self, data, hop, now_ms):
        self._note(self.agent.receive(data, hop, now_ms))

    def tick(self, now_ms):
        self._note(self.agent.tick(now_ms))

    def failed(self, outgoing, now_ms):
        self._note(self.agent.failed(outgoing, now_ms))

    def next_timer_ms(self):
        return self.agent.next_timer_ms()

    def take(self):
        return self.agent.take()

    def _note(self, events) -> None:
        for event in events:
            self.log.append(event)
            if isinstance(event, Incoming):
                for after_ms, method, arguments in self.plan:
                    self.agent.timers.at(
                        self.now_ms + after_ms,
                        lambda now_ms, event=event, method=method, arguments=arguments: self._act(
                            event.call, method, arguments, now_ms
                        ),
                    )
            elif isinstance(event, Offered) and self.answers_offers:
                event.call.answer(ANSWER, self.now_ms)

    def _act(self, call, method, arguments, now_ms):
        if call.state.name in ("RINGING", "CONFIRMED", "ACCEPTED"):
            getattr(call, method)(**arguments, now_ms=now_ms)


ANSWERS = ((10, "ring", {}), (1000, "accept", {"body": ANSWER}))


def pair(
    plan=ANSWERS, *, seed: int = 0, weather: Weather | None = None, settings=None, callee_settings=None
) -> tuple[Network, Phone, Phone]:
    network = Network(seed, weather)
    return (
        network,
        Phone(network, "192.0.2.1", settings),
        Phone(network, "192.0.2.9", callee_settings, plan),
    )


def carried(network: Network) -> list[Request | Response]:
    return [parse_message(data) for _, _, data in network.carried]


def summary(network: Network) -> list[str]:
    """Methods and statuses in the order they were sent."""
    return [
        message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
        for message in carried(network)
    ]


def assert_all_over(network: Network, *phones: Phone) -> None:
    """After a while nothing is left of anything."""
    network.run(100_000)
    for phone in phones:
        assert len(phone.agent.layer) == 0
        assert phone.agent.dialogs == 0
        assert phone.agent.next_timer_ms() is None
