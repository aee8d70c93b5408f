"""Answers that depend on the configuration: hosts, limits, always 200, a trusted proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chappe.administration.commands import AccountCreate, AccountSet
from tests.support.server import ChappeServer
from tests.support.wire import call

CONFIGURATION = """
[http]
default_product = "voice"
mail_hosts = ["Mail.Example.org"]

[limits.pages]
"voice.credits" = "2/60"
"sms.credits" = "3/10"

[errors]
http_status = "always-200"
"""


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    server = ChappeServer(tmp_path_factory.mktemp("configured"))
    (server.data / "chappe.toml").write_text(CONFIGURATION)
    with server:
        yield server
    server.assert_no_traceback()


def test_configured_hosts_and_a_default_product_are_served(configured: ChappeServer) -> None:
    key = configured.ask(AccountCreate("hosts@example.fr"))["apiKey"]
    target = f"/v1/me?apiKey={key}"
    url = configured.base_url
    assert "creditMail" in call(url, target, headers={"Host": "mail.example.org:8000"}).text
    assert "creditSms" in call(url, target, headers={"Host": "api.smspartner.fr"}).text
    assert "tts_fixe" in call(url, target, headers={"Host": "anything"}).text


def test_limits_are_those_of_the_configuration_by_page(configured: ChappeServer) -> None:
    key = configured.ask(AccountCreate("limits@example.fr"))["apiKey"]
    url = configured.base_url
    voice = [call(url, f"/voice/v1/me/{key}") for _ in range(3)]
    assert [answer.status for answer in voice] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-limit"] for answer in voice] == ["2"] * 3
    assert voice[2].json["message"] == "Trop de requêtes effectuées (limite : 2 requêtes / minute)"
    sms = [call(url, f"/sms/v1/me?apiKey={key}") for _ in range(4)]
    assert [answer.status for answer in sms] == [200, 200, 200, 429]
    assert 1 <= int(sms[3].headers["retry-after"]) <= 10
    assert sms[3].json["message"] == "Trop de requêtes effectuées (limite : 3 requêtes / 10 secondes)"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/sms/v1/me", 1),
        ("/sms/v1/me?apiKey=nobody", 10),
        ("/voice/v1/me/nobody", 10),
        ("/sms/v1/nothing", 404),
    ],
)
def test_errors_are_answered_200_when_the_configuration_says_so(
    target: str, code: int, configured: ChappeServer
) -> None:
    answer = call(configured.base_url, target)
    assert answer.status == 200
    assert answer.json["success"] is False
    assert answer.json["code"] == code


PROXIES = '[http]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8", "::1"]\n'


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server that trusts this machine, and the key of an account for 192.0.2.0/24."""
    server = ChappeServer(tmp_path_factory.mktemp("proxied"), rate_limits=False)
    (server.data / "chappe.toml").write_text(PROXIES)
    with server:
        key = server.ask(AccountCreate("ana@example.fr"))["apiKey"]
        server.ask(AccountSet("ana@example.fr", allow_ip="192.0.2.0/24,2001:db8::/32"))
        yield server.base_url, key
    server.assert_no_traceback()


@pytest.mark.parametrize(
    ("forwarded", "allowed"),
    [
        ("192.0.2.7", True),
        (" 192.0.2.7 ", True),
        ("192.0.2.7:4711", True),
        ("2001:db8::7", True),
        ("[2001:db8::7]:4711", True),
        ("198.51.100.1, 192.0.2.7", True),  # the client's own claim stands left, and counts for nothing
        ("192.0.2.7, 198.51.100.1", False),
        ("192.0.2.7, 10.1.2.3", True),  # a second proxy that is trusted too
        ("192.0.2.7, 10.1.2.3, 127.0.0.1", True),
        ("10.1.2.3", False),
        ("198.51.100.1", False),
        ("unknown", False),
        ("", False),
        (", ,", False),
        ("192.0.2.7,", False),
        ("192.0.2.7\xff", False),
        (None, False),
    ],
)
def test_behind_a_trusted_proxy_the_forwarded_address_counts(
    forwarded: str | None, allowed: bool, behind_a_proxy: tuple[str, str]
) -> None:
    url, key = behind_a_proxy
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    for target in (f"/sms/v1/me?apiKey={key}", f"/sms/v1/me?apiKey={key}&_lang=fr"):
        answer = call(url, target, headers=headers)
        assert answer.json["code"] == (200 if allowed else 96)
