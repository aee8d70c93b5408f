"""Limits: what is counted, what the headers say, and how they are configured or turned off."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from chappe.administration.commands import AccountCreate, AccountRotateKey, AccountSet
from tests.support.server import ChappeServer
from tests.support.wire import Answer, call


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChappeServer]:
    with ChappeServer(tmp_path_factory.mktemp("limited")) as running:
        yield running
    running.assert_no_traceback()


def limit_headers(answer: Answer) -> tuple[int, int]:
    assert 0 < int(answer.headers["x-ratelimit-reset"]) - time.time() < 70
    return int(answer.headers["x-ratelimit-limit"]), int(answer.headers["x-ratelimit-remaining"])


def test_the_sixth_credits_call_of_voice_in_a_minute_is_429(limited: ChappeServer) -> None:
    key = limited.ask(AccountCreate("five@example.fr"))["apiKey"]
    url = limited.base_url
    # However they are asked, they are the same page.
    ways = (
        f"/voice/v1/me/{key}",
        f"/voice/v1/me?apiKey={key}",
        f"/voice/v1/me/{key}/",
        f"/voice/v1/me/{key}?a=b",
    )
    for number, way in enumerate((*ways, ways[0])):
        answer = call(url, way)
        assert answer.status == 200
        assert limit_headers(answer) == (5, 4 - number)
    for way in ways:
        refused = call(url, way)
        assert refused.status == 429
        assert refused.json == {
            "success": False,
            "code": 429,
            "message": "Trop de requêtes effectuées (limite : 5 requêtes / minute)",
        }
        assert limit_headers(refused) == (5, 0)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
    english = call(url, f"/voice/v1/me/{key}", headers={"Accept-Language": "en"})
    assert english.json["message"] == "Too many requests (limit: 5 requests / minute)"
    in_xml = call(url, f"/voice/v1/me/{key}?_format=xml")
    assert in_xml.status == 429
    assert "<entry>429</entry>" in in_xml.text


def test_limits_are_counted_by_account_and_by_page(limited: ChappeServer) -> None:
    ana, bob = (limited.ask(AccountCreate(f"{name}@example.fr"))["apiKey"] for name in ("ana", "bob"))
    url = limited.base_url
    for _ in range(6):
        last = call(url, f"/voice/v1/me/{ana}")
    assert last.status == 429
    assert call(url, f"/voice/v1/me/{bob}").status == 200
    assert call(url, f"/sms/v1/me?apiKey={ana}").status == 200
    assert call(url, f"/mail/v1/me?apiKey={ana}").status == 200


def test_a_rotated_key_does_not_begin_again(limited: ChappeServer) -> None:
    key = limited.ask(AccountCreate("rotating@example.fr"))["apiKey"]
    for _ in range(5):
        assert call(limited.base_url, f"/voice/v1/me/{key}").status == 200
    fresh = limited.ask(AccountRotateKey("rotating@example.fr"))["apiKey"]
    assert fresh != key
    assert call(limited.base_url, f"/voice/v1/me/{fresh}").status == 429


def test_a_wrong_key_is_not_counted_and_a_refused_account_is(limited: ChappeServer) -> None:
    key = limited.ask(AccountCreate("blocked@example.fr"))["apiKey"]
    limited.ask(AccountSet("blocked@example.fr", state="blocked"))
    for _ in range(7):
        assert call(limited.base_url, "/voice/v1/me/nobody").status == 401
    answers = [call(limited.base_url, f"/voice/v1/me/{key}") for _ in range(6)]
    # The limit comes before the state (the order of checks), and its headers stand on the refusal too.
    assert [answer.json["code"] for answer in answers] == [30] * 5 + [429]
    assert limit_headers(answers[0]) == (5, 4)


def test_mail_has_the_documented_limit_of_2000_a_minute_and_sms_has_none(limited: ChappeServer) -> None:
    key = limited.ask(AccountCreate("mail@example.fr"))["apiKey"]
    mail = call(limited.base_url, f"/mail/v1/me?apiKey={key}")
    assert int(mail.headers["x-ratelimit-limit"]) == 2000
    sms = call(limited.base_url, f"/sms/v1/me?apiKey={key}")
    assert not [name for name in sms.headers if name.startswith("x-ratelimit")]


def test_limits_can_be_turned_off(wire_server: ChappeServer) -> None:
    key = wire_server.ask(AccountCreate("endless@example.fr"))["apiKey"]
    for _ in range(20):
        answer = call(wire_server.base_url, f"/voice/v1/me/{key}")
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
