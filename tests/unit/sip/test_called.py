"""Who calls whom, as operators write it; and who is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.called import (
    called_numbers,
    caller_digits,
    diverted_numbers,
    forwards_left,
    is_circle,
)
from chappe.operators.sip.challenges import ANSWERS_MAX, USED_MAX, VALID_S, Challenges
from chappe.operators.sip.numbers import read, written
from chappe.operators.sip.sources import Sources
from chappe.operators.sip.syntax.message import Request, parse_message
from chappe.settings import OperatorSettings


def invite(uri: str = "sip:+33162001122@h", *headers: str, to: str = "<sip:+33162001122@h>") -> Request:
    lines = [
        f"INVITE {uri} SIP/2.0",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
        "From: <sip:0612345678@h>;tag=1",
        f"To: {to}",
        "Call-ID: 1",
        "CSeq: 1 INVITE",
        *headers,
        "",
        "",
    ]
    message = parse_message("\r\n".join(lines).encode())
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+33162001122", 33162001122),
        ("0033162001122", 33162001122),
        ("33162001122", 33162001122),
        ("0162001122", 33162001122),
        ("01.62-00 (11)22", 33162001122),
        ("+4915112345678", 4915112345678),
        ("", None),
        ("anonymous", None),
        ("+", None),
        ("12", None),
        ("+123456789012345678", None),
        ("0" * 100, None),
        ("٣٣١٦٢٠٠١١٢٢", None),
    ],
)
def test_a_number_is_read_in_whatever_form(text, number):
    assert read(text, "33") == number


@given(
    st.integers(10**8, 10**14).map(lambda n: f"33{n}"[:15]),
    st.sampled_from(["+", "00", "digits", "national"]),
)
def test_what_is_written_is_read(digits, form):
    assert read(written(digits, form, "33"), "33") == int(digits)


@given(st.text(max_size=60))
def test_reading_a_number_never_fails(text):
    assert read(text, "33") is None or isinstance(read(text, "33"), int)


def test_the_called_number_is_where_the_operator_puts_it():
    assert called_numbers(invite(), "33") == (33162001122,)
    assert called_numbers(invite("sip:user@h", to="<tel:+33-1-62-00-11-23>"), "33") == (33162001123,)
    request = invite("sip:0162001124;npdi@h", "P-Called-Party-ID: <sip:0033162001125@h>")
    assert called_numbers(request, "33") == (33162001125, 33162001124, 33162001122)
    assert called_numbers(invite("sip:user@h", to="<sip:user@h>"), "33") == ()
    assert called_numbers(invite("sip:user@h", "P-Called-Party-ID: <<<", to="<sip:user@h>"), "33") == ()


def test_the_caller_is_whom_the_trunk_vouches_for():
    assert caller_digits(invite(), "33") == "33612345678"
    asserted = 'P-Asserted-Identity: "x" <sip:alice@h>, <tel:+33712345678>'
    assert caller_digits(invite("sip:1@h", asserted), "33") == "33712345678"
    assert caller_digits(invite("sip:1@h", asserted, "Privacy: critical;ID"), "33") == ""
    assert caller_digits(invite("sip:1@h", "P-Asserted-Identity: <sip:alice@h>"), "33") == ""


def test_a_circle_is_seen_in_diversion_and_in_history():
    assert diverted_numbers(invite(), "33") == ()
    twice = invite(
        "sip:1@h", "Diversion: <sip:+33162000001@h>;reason=x, <sip:0162000002@h>", "Diversion: nonsense"
    )
    assert diverted_numbers(twice, "33") == (33162000001, 33162000002)
    assert is_circle(33162000002, diverted_numbers(twice, "33"))
    assert not is_circle(33162000003, diverted_numbers(twice, "33"))
    history = "History-Info: <sip:+33162000001@h>;index=1,<sip:+33162000002@h>;index=1.1,<sip:+33162000002@p>;index=1.1.1"
    assert diverted_numbers(invite("sip:1@h", history), "33") == (33162000001,)
    assert is_circle(33162000009, range(33162000001, 33162000006))


@pytest.mark.parametrize(("given", "left"), [(None, 69), (0, -1), (1, 0), (70, 69), (2_000_000_000, 69)])
def test_hops_are_counted_down(given, left):
    headers = [] if given is None else [f"Max-Forwards: {given}"]
    assert forwards_left(invite("sip:1@h", *headers)) == left


# Who is believed


def answered(
    challenges: Challenges, user: str, password: str, now_s: float, *, times: int = 1
) -> list[Request]:
    request = invite()
    response = request.respond(401, tag="t", headers=challenges.headers(now_s))
    authenticator = Authenticator(user, password, iter(f"cnonce{n}" for n in range(100_000)).__next__)
    requests = []
    for number in range(times):
        uri = str(request.uri)
        headers = (
            authenticator.answer(response, "INVITE", uri, {})
            if number == 0
            else authenticator.foresee("INVITE", uri, {})
        )
        assert headers
        requests.append(Request("INVITE", request.uri, [*request.headers, *headers]))
    return requests


def test_an_answer_counts_once_and_for_a_minute():
    challenges = Challenges({"they": "secret"}, b"k" * 16)
    one, other = answered(challenges, "they", "secret", 1000.5, times=2)
    assert challenges.user(one, 1001.0) == "they"
    assert challenges.user(one, 1001.0) is None
    assert challenges.user(other, 1000.0 + VALID_S) == "they"
    (late,) = answered(challenges, "they", "secret", 1000.0)
    assert challenges.user(late, 1001.0 + VALID_S) is None
    (early,) = answered(challenges, "they", "secret", 2000.0)
    assert challenges.user(early, 1000.0) is None


def test_a_wrong_name_password_nonce_or_place_does_not_count():
    challenges = Challenges({"they": "secret"}, b"k" * 16)
    assert challenges.user(invite(), 0.0) is None
    assert challenges.user(answered(challenges, "they", "wrong", 5.0)[0], 5.0) is None
    assert challenges.user(answered(challenges, "others", "secret", 5.0)[0], 5.0) is None
    elsewhere = Challenges({"they": "secret"}, b"o" * 16)
    assert challenges.user(answered(elsewhere, "they", "secret", 5.0)[0], 5.0) is None
    (right,) = answered(challenges, "they", "secret", 5.0)
    moved = Request("INVITE", invite("sip:other@h").uri, right.headers)
    assert challenges.user(moved, 5.0) is None
    others = [("Authorization", "Digest username=x")] * ANSWERS_MAX
    assert challenges.user(Request("INVITE", right.uri, [*right.headers, *others]), 5.0) is None
    assert challenges.user(Request("INVITE", right.uri, [*right.headers, *others[1:]]), 5.0) == "they"
    for value in ("Basic dXNlcg==", "Digest nonsense", 'Digest username="they", realm="chappe", nonce="x-y"'):
        assert challenges.user(invite("sip:1@h", f"Authorization: {value}"), 5.0) is None


def test_answers_that_were_taken_are_forgotten_with_their_minute():
    challenges = Challenges({"they": "secret"}, b"k" * 16)
    for request in answered(challenges, "they", "secret", 0.0, times=USED_MAX):
        assert challenges.user(request, 1.0) == "they"
    (more,) = answered(challenges, "they", "secret", 1.0)
    assert challenges.user(more, 2.0) is None
    (later,) = answered(challenges, "they", "secret", 100.0)
    assert challenges.user(later, 100.0) == "they"


async def test_an_address_is_the_trunk_s_in_whatever_form_it_is_seen():
    def trunk(name: str, host: str, **more) -> OperatorSettings:
        return OperatorSettings(name, "sip", host, 5060, **more)

    sources = Sources(
        [
            trunk("a", "192.0.2.1", incoming_from=("198.51.100.0/24", "2001:db8::/32")),
            trunk("b", "localhost"),
            trunk("c", "no-such-host.invalid"),
            trunk("d", "192.0.2.1"),
        ]
    )
    await sources.start()
    assert sources.trunks_at("192.0.2.1") == ("a", "d")
    assert sources.trunks_at("::ffff:192.0.2.1") == ("a", "d")
    assert sources.trunks_at("198.51.100.77") == ("a",)
    assert sources.trunks_at("2001:db8::5%eth0") == ("a",)
    assert sources.trunks_at("127.0.0.1") == ("b",)
    assert sources.trunks_at("203.0.113.9") == ()
    assert sources.trunks_at("not an address") == ()
    await sources.stop()
