"""Paths, hosts and methods: JSON whatever was asked, and nothing is ever redirected."""

from __future__ import annotations

import pytest

from tests.support.wire import call

PRODUCTS = ("sms", "voice", "mail")


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    "host", ["api.{}partner.fr", "API.{}PARTNER.FR", "api.{}partner.fr:80", "api.{}partner.fr."]
)
def test_a_bare_v1_is_the_product_of_its_host(product: str, host: str, url: str, key: str) -> None:
    answer = call(url, f"/v1/me?apiKey={key}", headers={"Host": host.format(product)})
    assert answer.text == call(url, f"/{product}/v1/me?apiKey={key}").text


def test_a_bare_v1_of_an_unknown_host_names_the_three_prefixes(url: str, key: str) -> None:
    for host in ("127.0.0.1", "example.org", "api.smspartner.fr.example.org", "", "[::1]:8000", "\xff"):
        for target in ("/v1", "/v1/", f"/v1/me?apiKey={key}", "/v1/no/such"):
            answer = call(url, target, headers={"Host": host})
            assert answer.status == 404
            assert answer.json["code"] == 404
            for prefix in ("/sms/v1", "/voice/v1", "/mail/v1"):
                assert prefix in answer.json["message"]


@pytest.mark.parametrize("target", ["/sms/v1/me/", "//sms/v1/me", "/sms/v1//me", "/sms/v1/me//"])
def test_slashes_too_many_are_ignored_and_never_redirected(target: str, url: str, key: str) -> None:
    answer = call(url, f"{target}?apiKey={key}")
    assert answer.status in (200, 404)
    if target != "/sms/v1/me//":
        assert answer.status == 200


WRONG_PATHS = (
    *(
        "/sms/v1",
        "/sms/v1/",
        "/sms/v1/nothing",
        "/sms/v1/me/key",
        "/mail/v1/me/key",
        "/sms/v1x/me",
        "/sms/v2/me",
    ),
    *("/nothing", "/sms", "/v1x", "/voice/v1/me/a/b", "/sms/v1/%6de%2f", "/sms/v1/../v1/me", "/.env", "/%00"),
    *("/sms/v1/" + "a" * 5000, "/" + "a" * 5000, "/sms/v1/m\xc3\xa9", "/m\xc3\xa9"),
)


@pytest.mark.parametrize("target", WRONG_PATHS, ids=lambda target: ascii(target[:30]))
def test_a_wrong_path_is_404_in_json_and_does_not_repeat_what_was_asked(target: str, url: str) -> None:
    answer = call(url, target)
    assert answer.status == 404
    assert answer.json["success"] is False
    assert answer.json["code"] == 404
    assert "a" * 100 not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_a_wrong_method_is_405_in_json_with_the_right_ones(method: str, product: str, url: str) -> None:
    answer = call(url, f"/{product}/v1/me", method=method, body="{}")
    assert answer.status == 405
    assert answer.json["code"] == 405
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "HEAD", "OPTIONS"}
    english = call(url, f"/{product}/v1/me", method=method, headers={"Accept-Language": "en"})
    assert "Method not allowed" in english.json["message"]


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/"])
def test_the_other_pages_refuse_in_json_too(target: str, url: str) -> None:
    answer = call(url, target, method="POST", body="{}")
    assert answer.status == 405
    assert answer.json == {"success": False, "code": 405, "message": "Méthode non autorisée"}
    assert "GET" in answer.headers["allow"]
    assert call(url, target, method="HEAD").status == 200


@pytest.mark.parametrize("target", ["/sms/v1/me", "/voice/v1/me", "/voice/v1/me/key", "/mail/v1/me"])
def test_options_are_answered_without_a_key_and_without_a_length(target: str, url: str) -> None:
    answer = call(url, target, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert "content-length" not in answer.headers


def test_head_is_get_without_its_body(url: str, key: str) -> None:
    for target in (f"/sms/v1/me?apiKey={key}", "/sms/v1/me", "/sms/v1/nothing", "/healthz"):
        got, headed = call(url, target), call(url, target, method="HEAD")
        assert (headed.status, headed.body) == (got.status, b"")
        for name in ("content-length", "content-type"):
            assert headed.headers[name] == got.headers[name]


def test_an_absolute_address_in_the_request_line_is_read(url: str, key: str) -> None:
    assert call(url, f"http://api.smspartner.fr/sms/v1/me?apiKey={key}").status == 200


def test_plain_utf_8_in_an_address_is_read_as_if_it_were_escaped(url: str, key: str) -> None:
    assert call(url, f"/sms/v1/me?tag=\xc3\xa9t\xc3\xa9&apiKey={key}").status == 200
    assert call(url, "/sms/v1/me?apiKey=\xff\xfe").json["code"] == 10
