"""What a trunk is made of: its settings, results, pace and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from chappe.calls.rate import CallRate
from chappe.operators.sip.addresses import LocalAddresses
from chappe.operators.sip.agent.causes import Cause
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.numbers import written
from chappe.operators.sip.results import is_trunk_trouble, result_of
from chappe.settings import Flags, SettingsRefused, load_settings

TRUNK = '[[operators]]\nname = "t"\nkind = "sip"\nhost = "192.0.2.1"\nport = 5060\n'


def load(folder: Path, toml: str):
    (folder / "chappe.toml").write_text(toml)
    return load_settings(Flags(data=str(folder)), {})


def test_a_trunk_of_every_setting_is_accepted(tmp_path):
    settings = load(
        tmp_path,
        TRUNK
        + 'username = "u"\npassword = "p"\ntransport = "tls"\ndomain = "example.org"\nregister_s = 0\n'
        + 'caller_id = "33162001122"\ncaller_header = "p-asserted-identity"\nnumber_format = "national"\n'
        + 'calls_per_second = 2.5\nconcurrent_calls = 5\ncodecs = ["PCMU"]\nsession_expires_s = 0\noptions_s = 0\n'
        + "detects_machines = false\ngreeting_s_max = 10\n"
        + 'rtp_from = "never"\n[voice]\nsip_host = "::1"\nsip_port = 5060\npublic_host = "192.0.2.7"\n'
        + "rtp_port_first = 20000\nrtp_port_last = 20999\n",
    )
    assert settings.operators[0].codecs == ("PCMU",)


@pytest.mark.parametrize(
    "wrong",
    [
        'domain = "a b"',
        'username = "a\\nb"',
        'tls = "tls"',
        "register_s = 5",
        'caller_id = "+331"',
        'country_code = "x"',
        "calls_per_second = 0.0",
        "concurrent_calls = 0",
        "codecs = []",
        'codecs = ["PCMA", "PCMA"]',
        'codecs = ["G729"]',
        "session_expires_s = 10",
        "options_s = 1.0",
        "greeting_s_max = 5",
        '[voice]\nsip_host = "here"',
        '[voice]\npublic_host = "here"',
        "[voice]\nsip_port = 70000",
        "[voice]\nrtp_port_first = 20000",
        "[voice]\nrtp_port_first = 20000\nrtp_port_last = 20000",
    ],
)
def test_a_trunk_that_cannot_be_is_refused_in_one_line(tmp_path, wrong):
    with pytest.raises(SettingsRefused) as caught:
        load(tmp_path, TRUNK + wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "has_rung", "result", "trouble"),
    [
        (Cause("remote", 486, 17), False, "busy", False),
        (Cause("remote", 480, 18), True, "no answer", False),
        (Cause("remote", 480, 18), False, "unreachable", False),
        (Cause("remote", 480, 19), False, "no answer", False),
        (Cause("remote", 408, 102), True, "no answer", False),
        (Cause("remote", 487, 16), True, "no answer", False),
        (Cause("remote", 503, 41), False, "not taken", True),
        (Cause("remote", 500, 41), False, "not taken", True),
        (Cause("remote", 505, 127), False, "not taken", True),
        (Cause("remote", 407, 21), False, "not taken", True),
        (Cause("remote", 401, 21), True, "rejected", False),
        (Cause("remote", 403, 21), False, "rejected", False),
        (Cause("remote", 408, 102), False, "unreachable", False),
        (Cause("remote", 503, 1), False, "unreachable", False),
        (Cause("remote", 503, 41), True, "failed", False),
        (Cause("remote", 503, 17), False, "busy", False),
        (Cause("remote", 302, 41), False, "failed", False),
        (Cause("timeout", 408, 102), False, "not taken", True),
        (Cause("timeout", 408, 102), True, "no answer", False),
        (Cause("unreachable", 503, 41), False, "not taken", True),
    ],
)
def test_results(cause, has_rung, result, trouble):
    assert result_of(cause, has_rung=has_rung) == result
    lost = cause.origin == "timeout" and not has_rung
    assert result_of(cause, has_rung=has_rung, is_reliable=True) == ("lost" if lost else result)
    assert is_trunk_trouble(cause, has_rung=has_rung) == trouble


def test_a_pace_of_calls():
    rate = CallRate(10, 0.0)
    begun = []
    now = 0.0
    while now < 2.0:
        while rate.allowance(now):
            rate.took()
            begun.append(now)
        wait = rate.next_s(now)
        assert wait > 0
        now += wait
    assert len(begun) == 2 + 19
    assert len([at for at in begun if at <= 1.0]) <= 12
    slow = CallRate(0.5, 0.0)
    slow.took()
    assert slow.next_s(0.0) == pytest.approx(2.0)
    assert slow.next_s(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("form", "french", "german"),
    [
        ("+", "+33612345678", "+4915112345678"),
        ("00", "0033612345678", "004915112345678"),
        ("digits", "33612345678", "4915112345678"),
        ("national", "0612345678", "004915112345678"),
    ],
)
def test_how_numbers_are_written(form, french, german):
    assert written("33612345678", form, "33") == french
    assert written("4915112345678", form, "33") == german


def test_the_address_that_others_see():
    loopback = Hop("udp", "127.0.0.1", 5060)
    public = LocalAddresses("0.0.0.0", "198.51.100.9")
    public.port = 5062
    assert public(Hop("udp", "192.0.2.1", 5060)) == ("198.51.100.9", 5062)
    assert public(Hop("udp", "trunk.example.org", 5060)) == ("198.51.100.9", 5062)
    # What runs on this machine is not behind the translator: the built-in telephones.
    assert public(loopback) == ("127.0.0.1", 5062)
    assert LocalAddresses("192.0.2.5", "198.51.100.9")(loopback) == ("192.0.2.5", 0)
    assert LocalAddresses("192.0.2.5")(loopback) == ("192.0.2.5", 0)
    assert LocalAddresses("0.0.0.0")(loopback)[0] == "127.0.0.1"
    assert LocalAddresses("::")(Hop("udp", "::1", 5060))[0] == "::1"
    assert LocalAddresses("0.0.0.0")(Hop("udp", "trunk.example.org", 5060))[0]
