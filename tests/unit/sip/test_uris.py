"""URIs and addresses: what is read, what is written, what is the same."""

from __future__ import annotations

import pytest

from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.syntax.address import Address, parse_address, parse_addresses
from chappe.operators.sip.syntax.uri import SipUri, TelUri, is_same, parse_uri, sip_uri


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@atlanta.example.com",
        "sip:alice:secret@atlanta.example.com;transport=tcp",
        "sips:alice@atlanta.example.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.example.com;user=phone",
        "sips:1212@gateway.example.com",
        "sip:alice@192.0.2.4:5071",
        "sip:atlanta.example.com;method=REGISTER?to=alice%40atlanta.example.com",
        "sip:alice;day=tuesday@atlanta.example.com",
        "sip:[2001:db8::10]:5070;lr",
        "sip:#31#0612345678@exchange.example.com",
        "SIP:x@H;LR;Ob=1",
        "tel:+33-6-12-34-56-78;phone-context=example.com",
        "tel:112",
    ],
)
def test_a_uri_is_written_as_it_was_read(text):
    assert str(parse_uri(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "sip:",
        "sip:@host",
        "sip:a b@host",
        "sip:a@host:",
        "sip:a@host:70000",
        "sip:a@host:0",
        "sip:%zz@host",
        "sip:a@host;x=%z",
        "sip:a@host?x=%z",
        "sip:a@host<x>",
        "sip:a@b@c",
        "sip:[::1",
        "tel:",
        "tel:abc;ü=x y",
        "http:with blank",
        "1sip:x@y",
        "sip:a@h" + ";p" * 65,
    ],
)
def test_what_is_no_uri_is_told_so(text):
    with pytest.raises(RemoteError):
        parse_uri(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.example.com;transport=TCP", "sip:alice@AtLanTa.example.com;Transport=tcp"),
        ("sip:carol@chicago.example.com", "sip:carol@chicago.example.com;newparam=5"),
        ("sip:carol@chicago.example.com;newparam=5", "sip:carol@chicago.example.com;security=on"),
        (
            "sip:biloxi.example.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.example.com",
            "sip:biloxi.example.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.example.com",
        ),
        ("sip:a@h?subject=x&priority=urgent", "sip:a@h?priority=urgent&subject=x"),
        ("tel:+33-6-12", "tel:+33(6)12"),
        ("urn:x", "urn:x"),
    ],
)
def test_uris_that_are_the_same(one, other):
    """RFC 3261, 19.1.4"""
    assert is_same(parse_uri(one), parse_uri(other))
    assert is_same(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.example.com;Transport=udp", "sip:alice@AtLanTa.example.com;Transport=UDP"),
        ("sip:bob@biloxi.example.com", "sip:bob@biloxi.example.com:5060"),
        ("sip:bob@biloxi.example.com", "sip:bob@biloxi.example.com;transport=udp"),
        ("sip:bob@biloxi.example.com", "sips:bob@biloxi.example.com"),
        ("sip:carol@chicago.example.com", "sip:carol@chicago.example.com?Subject=next%20meeting"),
        ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:a@h;newparam=5", "sip:a@h;newparam=6"),
        ("sip:h;user=phone", "sip:h"),
        ("tel:+331", "tel:331"),
        ("tel:1", "sip:1@h"),
    ],
)
def test_uris_that_differ(one, other):
    assert not is_same(parse_uri(one), parse_uri(other))
    assert not is_same(parse_uri(other), parse_uri(one))


def test_a_uri_of_ours_is_escaped_and_verified():
    assert str(sip_uri("a b@c", "2001:db8::1", 5070, {"transport": "tcp"})) == (
        "sip:a%20b%40c@[2001:db8::1]:5070;transport=tcp"
    )
    assert str(sip_uri(None, "h", is_secure=True)) == "sips:h"
    for user, host, port in (
        ("a", "h h", None),
        ("a", "", None),
        ("a", "h", 70_000),
        ("a", "h>\r\nX: y", None),
    ):
        with pytest.raises(LocalError):
            sip_uri(user, host, port)


def test_transport_and_address_of_a_uri():
    def of(text: str) -> tuple[str, str]:
        uri = parse_uri(text)
        assert isinstance(uri, SipUri)
        return uri.transport, uri.host_address

    assert of("sip:h") == ("udp", "h")
    assert of("sip:h;transport=TCP") == ("tcp", "h")
    assert of("sips:[::1]") == ("tls", "::1")
    assert of("sips:h;transport=tcp") == ("tls", "h")


def test_addresses_in_every_form():
    assert parse_address('"A \\"B\\" \\\\" <sip:a@h;lr>;tag=x;expires="5"') == Address(
        SipUri("h", "a", parameters={"lr": None}), 'A "B" \\', {"tag": "x", "expires": "5"}
    )
    assert parse_address("sip:a@h;tag=x").parameters == {"tag": "x"}
    assert parse_address("Élodie (Paris) <tel:+331>").display == "Élodie (Paris)"
    assert parse_address("<sip:a@h>;").parameters == {}
    first, second = parse_addresses('"x, <y>" <sip:a,b@h>, ,<sip:c@h>;q=0.5,')
    assert (str(first.uri), first.display, second.parameters) == ("sip:a,b@h", "x, <y>", {"q": "0.5"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<sip:a@h",
        "sip:a@h>",
        '"a" sip:a@h',
        '"a <sip:a@h>',
        "<sip:a@h> x",
        "a, b <sip:a@h>",
        "<sip:a@h>;=",
    ],
)
def test_what_is_no_address_is_told_so(text):
    with pytest.raises(RemoteError):
        parse_address(text)


def test_an_address_is_written_so_that_it_reads_the_same():
    address = Address(TelUri("+331"), 'Ça "va" \\', {"tag": "a b", "x": None, "received": "[::1]"})
    assert parse_address(str(address)) == address
    with pytest.raises(LocalError):
        str(Address(TelUri("+331"), "a\r\nVia: x"))
    with pytest.raises(LocalError):
        str(Address(TelUri("+331"), "", {"a b": "x"}))
