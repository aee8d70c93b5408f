"""What may stand in an account: e-mail addresses, names, networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.accounts.account import (
    AccountRefused,
    address_is_allowed,
    clean_email,
    clean_name,
    clean_networks,
    clean_reason,
)


@pytest.mark.parametrize(
    ("given", "stored"),
    [(" Ana@Example.FR\n", "ana@example.fr"), ("é@bücher.example", "é@bücher.example"), ("a@b", "a@b")],
)
def test_an_email_address_is_stored_in_one_form(given: str, stored: str) -> None:
    assert clean_email(given) == stored


NOT_EMAILS = (
    *("", "@", "ana", "@example.fr", "ana@", "a@b@c", "a b@c", "a@\0b", "a@b\ud800", "\u200ba@b"),
    *("a" * 250 + "@b.fr", "a\tb@c.fr", "a\nb@c.fr"),
)


@pytest.mark.parametrize("email", NOT_EMAILS, ids=lambda email: ascii(email[:20]))
def test_what_is_no_email_address_is_refused_in_one_line(email: str) -> None:
    with pytest.raises(AccountRefused) as refused:
        clean_email(email)
    assert str(refused.value).isprintable()


@given(st.text())
def test_every_text_is_an_email_address_or_refused(text: str) -> None:
    try:
        assert clean_email(clean_email(text)) == clean_email(text)
    except AccountRefused:
        pass


@pytest.mark.parametrize("text", ["x" * 101, "a\nb", "a\0", "\ud800"])
def test_names_are_short_and_printable(text: str) -> None:
    with pytest.raises(AccountRefused):
        clean_name(text)


@pytest.mark.parametrize("text", ["x" * 201, "a\nb", "a\0", "\ud800"])
def test_reasons_are_short_and_printable(text: str) -> None:
    with pytest.raises(AccountRefused):
        clean_reason(text)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("", ""),
        (" , ", ""),
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.7/24, 2001:db8::1", "192.0.2.0/24,2001:db8::1/128"),
    ],
)
def test_networks_are_stored_in_one_form(given: str, stored: str) -> None:
    assert clean_networks(given) == stored


@pytest.mark.parametrize(
    "text", ["example.fr", "192.0.2.1/33", "192.0.2", "1;2", ",".join(["10.0.0.1"] * 101)]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(AccountRefused):
        clean_networks(text)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ("", "192.0.2.1", True),
        ("", "", True),
        ("192.0.2.0/24", "192.0.2.99", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24,2001:db8::/32", "2001:db8::7", True),
        ("2001:db8::/32", "192.0.2.1", False),
        ("192.0.2.0/24", "", False),
        ("192.0.2.0/24", "unknown", False),
    ],
)
def test_an_allow_list_lets_its_networks_in_and_nobody_else(
    networks: str, address: str, allowed: bool
) -> None:
    assert address_is_allowed(networks, address) is allowed
