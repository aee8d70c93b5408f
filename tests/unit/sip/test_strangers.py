"""Who is answered of those whom nobody knows."""

from __future__ import annotations

from chappe.operators.sip.strangers import ANSWERS_PER_S, HOST_ANSWERS_PER_S, HOSTS_MAX, Strangers


def answered(strangers: Strangers, host: str, times: int, from_s: float, to_s: float) -> int:
    """How often, asked at even intervals."""
    step_s = (to_s - from_s) / times
    return sum(strangers.is_answered(host, from_s + number * step_s) for number in range(times))


def test_a_scanner_does_not_use_up_what_is_for_the_others():
    strangers = Strangers(0.0)
    scanned = others = 0
    for second in range(10):
        scanned += answered(strangers, "198.51.100.1", 500, second, second + 1)
        others += answered(strangers, f"192.0.2.{second}", 1, second + 0.99, second + 1)
    assert scanned <= 10 * HOST_ANSWERS_PER_S + 2
    assert others == 10


def test_an_address_of_version_6_is_its_network():
    strangers = Strangers(0.0)
    flood = sum(strangers.is_answered(f"2001:db8::{number:x}", 0.0) for number in range(100))
    assert flood == 2
    assert strangers.is_answered("2001:db8:0:1::1", 0.0)
    assert strangers.is_answered("fe80::1%eth0", 0.0)


def test_forged_addresses_are_answered_only_so_often_and_not_all_remembered():
    strangers = Strangers(0.0)
    count = sum(
        strangers.is_answered(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", number / 1000)
        for number in range(10_000)
    )
    assert count <= 10 * ANSWERS_PER_S + 20
    assert len(strangers._hosts) <= HOSTS_MAX
    assert strangers.is_answered("192.0.2.1", 11.0)
