"""The guard: which addresses are public, and which URLs can be callbacks at all."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.http.outgoing import valid_callback_url
from chappe.http.public_addresses import AllowedAddresses, is_public

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a01:e0a::1",
    "2003::1",
    "2001:200::1",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert address not in AllowedAddresses()


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert address in AllowedAddresses()


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "2130706433", "0x7f000001", "fe80::1%eth0", "::1%lo"]
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    assert text not in AllowedAddresses(["127.0.0.0/8", "::1/128", "fe80::/10"])


def test_the_configuration_allows_networks_beside_the_public_ones() -> None:
    allowed = AllowedAddresses(["127.0.0.0/8", "::1/128", "10.1.0.0/16"])
    assert all(address in allowed for address in ("127.0.0.1", "::1", "10.1.2.3", "8.8.8.8"))
    # A mapped address is a way around: it is not the network that was allowed.
    assert all(address not in allowed for address in ("10.2.0.1", "::ffff:127.0.0.1", "192.168.0.1"))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_the_standard_library_calls_private(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        assert not is_public(ip)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org/dlr?secret=a%20b&x=1",
        "HTTPS://Example.ORG:8443/x",
        "http://user:pw@example.org/",
        "http://192.0.2.1/x",
        "http://[2001:db8::1]:8080/x",
        "http://my_host.example.org/",
        "https://exämple.fr/é?a=ü",
        "http://localhost:3000/hook",
        "https://example.org/" + "a" * 2028,
    ],
)
def test_a_url_can_be_a_callback(url: str) -> None:
    assert valid_callback_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/dlr",
        "//example.org/dlr",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://example.org/",
        "http://",
        "http:///path",
        "http://?x",
        "http://exam ple.org/",
        "http://example.org/a b",
        "http://example.org/\r\nX-Injected: 1",
        "http://example.org/\x00",
        "http://example.org\\@127.0.0.1/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:abc/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://%31%32%37.0.0.1/",
        "http://a,b/",
        "http://" + "a" * 254 + "/",
        "https://example.org/" + "a" * 2029,
        "http://example.org/\ud800",
        "http://example.org/\u2028",
    ],
)
def test_a_url_cannot_be_a_callback(url: str) -> None:
    assert not valid_callback_url(url)


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_is_a_callback_or_not(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.org:{text}", f"https://example.org/{text}"):
        valid_callback_url(url)
