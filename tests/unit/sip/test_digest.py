"""Digest authentication: the published examples, challenges of every kind, requests that are challenged on their way."""

from __future__ import annotations

import itertools

import pytest

from chappe.operators.sip.agent.digest import Authenticator, Tried, is_right
from chappe.operators.sip.agent.events import Answered, Ended, Failed, Pinged
from chappe.operators.sip.agent.ping import Ping
from chappe.operators.sip.agent.settings import Settings
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.credentials import Credentials, parse_credentials
from chappe.operators.sip.syntax.message import Request, parse_message
from chappe.operators.sip.syntax.uri import SipUri
from chappe.operators.sip.transactions.events import RequestReceived
from chappe.operators.sip.transactions.layer import Layer
from tests.unit.sip.network import Network
from tests.unit.sip.phones import ANSWER, Phone, assert_all_over, summary

MUFASA = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


@pytest.mark.parametrize(
    ("parameters", "password"),
    [
        (  # RFC 7616, 3.9.1
            {**MUFASA, "algorithm": "MD5", "response": "8ca523f5e9506fed4657c9700eebdbec"},
            "Circle of Life",
        ),
        (
            {
                **MUFASA,
                "algorithm": "SHA-256",
                "response": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            },
            "Circle of Life",
        ),
        (  # RFC 2617, 3.5
            {
                "username": "Mufasa",
                "realm": "testrealm@host.com",
                "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                "uri": "/dir/index.html",
                "qop": "auth",
                "nc": "00000001",
                "cnonce": "0a4f113b",
                "response": "6629fae49393a05397450978507c4ef1",
            },
            "Circle Of Life",
        ),
    ],
)
def test_the_published_examples(parameters, password):
    assert is_right(Credentials("digest", parameters), "GET", password)
    assert not is_right(Credentials("digest", parameters), "GET", password + "x")
    assert not is_right(Credentials("digest", parameters), "PUT", password)
    assert not is_right(Credentials("basic", parameters), "GET", password)
    assert not is_right(Credentials("digest", {**parameters, "qop": "auth-int"}), "GET", password)
    assert not is_right(Credentials("digest", {**parameters, "algorithm": "MD4"}), "GET", password)


def authenticator(password: str = "secret") -> Authenticator:
    numbers = itertools.count(1)
    return Authenticator("alice", password, lambda: f"c{next(numbers)}")


def response(*challenges: str, status: int = 401, name: str = "WWW-Authenticate"):
    request = parse_message(
        b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        b"Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    assert isinstance(request, Request)
    return request.respond(status, headers=[(name, challenge) for challenge in challenges])


def answers(*challenges: str, password: str = "secret", tried: Tried | None = None, **more):
    return authenticator(password).answer(
        response(*challenges, **more), "INVITE", "sip:b@h", {} if tried is None else tried
    )


@pytest.mark.parametrize("algorithm", ["", "MD5", "md5", "MD5-sess", "SHA-256", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["", 'qop="auth"', 'qop="auth-int,auth"', "qop=auth"])
def test_every_kind_of_challenge_is_answered_so_that_it_is_right(algorithm, qop):
    parts = [
        'Digest realm="r, \\"q\\""',
        'nonce="n1"',
        'opaque="o"',
        qop,
        algorithm and f"algorithm={algorithm}",
    ]
    ((name, value),) = answers(", ".join(part for part in parts if part))
    assert name == "Authorization"
    credentials = parse_credentials(value)
    assert is_right(credentials, "INVITE", "secret")
    assert not is_right(credentials, "INVITE", "wrong")
    assert credentials.get("opaque") == "o"
    assert credentials.get("uri") == "sip:b@h"
    assert credentials.get("algorithm") == algorithm
    assert credentials.get("qop") == ("auth" if qop else "")


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="n", algorithm=SHA-512-256',
        'Digest realm="r"',
        'Basic realm="r"',
        "NTLM",
        'Digest realm="r',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_left_alone(challenge):
    assert answers(challenge) is None


def test_the_first_algorithm_that_is_known_is_taken():
    ((_, value),) = answers(
        'Digest realm="r", nonce="n0", algorithm=SHA-512-256',
        'Digest realm="r", nonce="n1", algorithm=SHA-256',
        'Digest realm="r", nonce="n2", algorithm=MD5',
    )
    assert parse_credentials(value).get("nonce") == "n1"


def test_a_password_that_was_wrong_is_not_tried_again_with_the_same_nonce():
    tried: Tried = {}
    assert answers('Digest realm="r", nonce="n"', tried=tried)
    assert answers('Digest realm="r", nonce="n"', tried=tried) is None
    assert answers('Digest realm="r", nonce="n", stale=true', tried=tried)
    assert answers('Digest realm="r", nonce="n2"', tried=tried)


def test_a_registrar_and_a_proxy_with_one_nonce_are_both_answered_and_the_first_once_more():
    alice = authenticator()
    tried: Tried = {}
    challenge = 'Digest realm="r", nonce="n", qop="auth"'
    (first,) = alice.answer(response(challenge), "INVITE", "sip:b@h", tried)
    by_proxy = response(challenge, status=407, name="Proxy-Authenticate")
    second, again = alice.answer(by_proxy, "INVITE", "sip:b@h", tried)
    assert [first[0], second[0], again[0]] == ["Authorization", "Proxy-Authorization", "Authorization"]
    counts = [parse_credentials(value).get("nc") for _, value in (first, second, again)]
    assert counts == ["00000001", "00000001", "00000002"]
    assert alice.answer(by_proxy, "INVITE", "sip:b@h", tried) is None
    assert alice.answer(response(challenge), "INVITE", "sip:b@h", tried) is None


def test_the_nonce_count_goes_on_and_old_realms_are_forgotten():
    alice = authenticator()
    for number in range(10):
        alice.answer(response(f'Digest realm="r{number}", nonce="n", qop="auth"'), "INVITE", "sip:b@h", {})
    tried: Tried = {}
    foreseen = [parse_credentials(value) for _, value in alice.foresee("BYE", "sip:b@h", tried)]
    assert [item.get("realm") for item in foreseen] == [f"r{number}" for number in range(2, 10)]
    assert {item.get("nc") for item in foreseen} == {"00000002"}
    assert all(is_right(item, "BYE", "secret") for item in foreseen)
    assert tried == {("Authorization", f"r{number}"): {"n"} for number in range(2, 10)}


# On the way


class Guard:
    """Challenges every request, and answers it 200 once the password is right. `status` 401 or 407."""

    def __init__(
        self, host: str, status: int = 401, *, password: str = "secret", nonce_uses: int = 1000
    ) -> None:
        numbers = itertools.count(1)
        self.layer = Layer(sent_by=lambda hop: (host, 5060), ids=lambda: f"{host}-{next(numbers)}")
        self.host, self.status, self.password, self.nonce_uses = host, status, password, nonce_uses
        self.nonces = itertools.count(1)
        self.uses: dict[str, list[str]] = {}
        self.acks: list[Request] = []

    def receive(self, data, hop, now_ms):
        for event in self.layer.receive(data, hop, now_ms):
            if isinstance(event, RequestReceived) and event.transaction is None:
                self.acks.append(event.request)
            elif isinstance(event, RequestReceived):
                self.answer(event, now_ms)

    def answer(self, event, now_ms):
        request = event.request
        name = "Authorization" if self.status == 401 else "Proxy-Authorization"
        stale = False
        for credentials in request.credentials(name):
            uses = self.uses.get(credentials.get("nonce"), ["used up"] * 10_000)
            if is_right(credentials, request.method, self.password):
                stale = len(uses) >= self.nonce_uses or credentials.get("nc") in uses
                if not stale:
                    uses.append(credentials.get("nc"))
                    headers = [("Contact", f"<sip:{self.host}>"), ("Content-Type", "application/sdp")]
                    self.layer.respond(
                        event.transaction, request.respond(200, tag="g", headers=headers, body=ANSWER), now_ms
                    )
                    return
        nonce = f"n{next(self.nonces)}"
        self.uses[nonce] = []
        challenge = f'Digest realm="guard", nonce="{nonce}", qop="auth", algorithm=SHA-256, stale={stale}'
        asked = "WWW-Authenticate" if self.status == 401 else "Proxy-Authenticate"
        self.layer.respond(
            event.transaction, request.respond(self.status, tag="g", headers=[(asked, challenge)]), now_ms
        )

    def tick(self, now_ms):
        self.layer.tick(now_ms)

    def failed(self, outgoing, now_ms):
        self.layer.failed(outgoing, now_ms)

    def next_timer_ms(self):
        return self.layer.next_timer_ms()

    def take(self):
        return self.layer.take()


def guarded(status: int = 401, **more) -> tuple[Network, Phone, Guard]:
    network = Network()
    caller, guard = (
        Phone(network, "192.0.2.1", Settings(session_expires_s=0)),
        Guard("192.0.2.9", status, **more),
    )
    network.add(guard, "192.0.2.9")
    return network, caller, guard


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenged_call_goes_again_and_later_ones_need_not(status):
    network, caller, guard = guarded(status)
    alice = Authenticator("alice", "secret", caller.agent.ids)
    call = caller.call("192.0.2.9", authenticator=alice)
    network.run(1000)
    assert summary(network) == [
        "INVITE",
        "100 INVITE",
        f"{status} INVITE",
        "ACK",
        "INVITE",
        "100 INVITE",
        "200 INVITE",
        "ACK",
    ]
    invites = [parse_message(data) for _, _, data in network.carried if data.startswith(b"INVITE")]
    assert [invite.cseq.number for invite in invites] == [1, 2]
    assert invites[0].call_id == invites[1].call_id
    assert invites[0].from_ == invites[1].from_
    # The ACK repeats the credentials (section 22.1), and counts as no use of the nonce.
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    assert guard.acks[0].first(name) == invites[1].first(name)
    caller.do(call.hang_up)
    network.run(1000)
    assert summary(network)[-2:] == ["BYE", "200 BYE"]
    caller.call("192.0.2.9", authenticator=alice)
    network.run(1000)
    assert summary(network)[-4:] == ["INVITE", "100 INVITE", "200 INVITE", "ACK"]
    assert guard.uses == {"n1": ["00000001", "00000002", "00000003"]}
    assert len(caller.of(Answered)) == 2
    assert caller.of(Ended)[0].cause.origin == "local"


def test_a_stale_nonce_is_exchanged_for_a_new_one():
    network, caller, guard = guarded(nonce_uses=1)
    alice = Authenticator("alice", "secret", caller.agent.ids)
    for _ in range(3):
        caller.call("192.0.2.9", authenticator=alice)
        network.run(1000)
    assert len(caller.of(Answered)) == 3
    assert [len(uses) for uses in guard.uses.values()] == [1, 1, 1]


def test_a_wrong_password_fails_after_one_try():
    network, caller, guard = guarded()
    caller.call("192.0.2.9", authenticator=Authenticator("alice", "wrong", caller.agent.ids))
    network.run(1000)
    # Each 401 brings a new nonce, so it is tried as often as proxies may stand on the way, and no more.
    assert caller.of(Failed)[0].cause.status == 401
    assert len(guard.uses) == 4
    caller.call("192.0.2.9")
    network.run(1000)
    assert caller.of(Failed)[1].cause.status == 401
    assert len(guard.uses) == 5
    assert_all_over(network, caller)


def test_a_ping_is_challenged_too():
    network, caller, _ = guarded(407)
    hop = Hop("udp", "192.0.2.9", 5060)
    ours = Address(SipUri("192.0.2.1", "chappe"))
    for password in ("secret", "wrong"):
        Ping(
            caller.agent,
            SipUri("192.0.2.9"),
            ours,
            hop,
            network.now_ms,
            authenticator=Authenticator("alice", password, caller.agent.ids),
            context=password,
        )
        network.run(1000)
    network.remove("192.0.2.9")
    Ping(caller.agent, SipUri("192.0.2.9"), ours, hop, network.now_ms)
    network.run(40_000)
    assert [event.status for event in caller.of(Pinged)] == [200, 407, None]
