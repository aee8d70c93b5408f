"""Whom an INVITE asks for, and who calls."""

from __future__ import annotations

import pytest

from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri, parse_uri
from chappe.simulator.called import called_of, caller_of


@pytest.mark.parametrize(
    ("uri", "called"),
    [
        ("sip:+33612345678@127.0.0.1", (33612345678, False)),
        ("sip:0033612345678@host;user=phone", (33612345678, False)),
        ("sip:33612345678@host", (33612345678, False)),
        ("sip:0612345678@host", (33612345678, False)),
        ("sip:00442079460000@host", (442079460000, False)),
        ("sip:*+33612345678@host", (33612345678, True)),
        ("sip:%2a0612345678@host", (33612345678, True)),
        ("sip:+0612345678@host", None),
        ("sip:+33@host", None),
        ("sip:+33 612345678@host".replace(" ", "%20"), None),
        ("sip:alice@host", None),
        ("sip:host", None),
        ("tel:+33612345678", None),
    ],
)
def test_numbers_are_read_as_people_dial_them(uri: str, called: tuple[int, bool] | None) -> None:
    assert called_of(parse_uri(uri)) == called


@pytest.mark.parametrize(
    ("user", "shown"),
    [("+33162001122", "+33162001122"), ("alice", "alice"), (None, "anonymous"), ("a%0Ab", "anonymous")],
)
def test_a_caller_is_shown_as_it_came_unless_it_cannot_be(user: str | None, shown: str) -> None:
    assert caller_of(Address(SipUri("host", user))) == shown
