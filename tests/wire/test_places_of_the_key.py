"""The key, and every other parameter, from wherever a client may put it."""

from __future__ import annotations

import json

import pytest

from tests.support.wire import call

ME = "/sms/v1/me"


def code(url: str, target: str = ME, **more: object) -> int:
    answer = call(url, target, **more)  # type: ignore[arg-type]
    assert (answer.status == 200) == (answer.json["code"] == 200)
    return answer.json["code"]


BODIES = {
    "json": '{"apiKey": "@@"}',
    "json after a mark": '\ufeff{"apiKey": "@@"}',
    "json after blanks": ' \r\n\t {"apiKey": "@@"}',
    "json with a duplicate": '{"apiKey": "nobody", "apiKey": "@@"}',
    "json with null elsewhere": '{"apiKey": "@@", "_format": null, "unknown": {"a": [1, {}]}}',
    "json in another case": '{"APIKEY": "@@"}',
    "json with blanks": '{"apiKey": "  @@ "}',
    "form": "apiKey=@@",
    "form with others": "a=1&apiKey=@@&b[]=2&b[]=3&c[d]=4",
    "form with escapes": "api%4Bey=@@&x=%ff%00%zz",
    "xml": "<request><apiKey>@@</apiKey></request>",
    "xml with CDATA": '<?xml version="1.0"?><r><apiKey><![CDATA[@@]]></apiKey><other/></r>',
}
TYPES = (None, "application/json", "application/x-www-form-urlencoded", "text/xml", "nonsense")


@pytest.mark.parametrize("body", BODIES, ids=str)
@pytest.mark.parametrize("content_type", TYPES, ids=str)
def test_a_body_is_read_by_its_first_octet_whatever_its_content_type(
    body: str, content_type: str | None, url: str, key: str
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert code(url, headers=headers, body=BODIES[body].replace("@@", key)) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer @@"},
        {"authorization": "bearer  @@ "},
        {"X-Api-Key": "@@"},
        {"x-api-key": " @@"},
        {"apiKey": "@@"},
    ],
    ids=str,
)
def test_the_key_may_stand_in_a_header(headers: dict[str, str], url: str, key: str) -> None:
    filled = {name: value.replace("@@", key) for name, value in headers.items()}
    assert code(url, headers=filled) == 200
    for product in ("voice", "mail"):
        assert call(url, f"/{product}/v1/me", headers=filled).json["success"] is True


def test_another_scheme_of_authorization_is_no_key(url: str, key: str) -> None:
    assert code(url, headers={"Authorization": f"Basic {key}"}) == 1


@pytest.mark.parametrize(
    "target", ["?apikey=@@", "?APIKEY=@@", "??apiKey=@@", "/?apiKey=@@", "?a=1&apiKey=@@"]
)
def test_the_key_may_stand_in_the_query(target: str, url: str, key: str) -> None:
    assert code(url, ME + target.replace("@@", key)) == 200


def test_the_path_goes_before_the_body_before_the_query_before_the_headers(url: str, key: str) -> None:
    wrong = json.dumps({"apiKey": "nobody"})
    right = json.dumps({"apiKey": key})
    bearer, wrong_bearer = {"Authorization": f"Bearer {key}"}, {"Authorization": "Bearer nobody"}
    voice = "/voice/v1/me"
    assert call(url, f"{voice}/{key}?apiKey=nobody", body=wrong, headers=wrong_bearer).status == 200
    assert call(url, f"{voice}/nobody?apiKey={key}", body=right, headers=bearer).status == 401
    assert code(url, f"{ME}?apiKey=nobody", body=right, headers=wrong_bearer) == 200
    assert code(url, f"{ME}?apiKey={key}", body=wrong, headers=bearer) == 10
    assert code(url, f"{ME}?apiKey={key}", headers=wrong_bearer) == 200
    assert code(url, f"{ME}?apiKey=nobody", headers=bearer) == 10


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('""', 1),
        ('"   "', 1),
        ("null", 1),
        ("[]", 1),
        ("{}", 1),
        ('["@@"]', 1),
        ('{"a": "@@"}', 1),
        ("0", 10),
        ("123", 10),
        ("1.5", 10),
        ("true", 10),
        ('"\\ud800"', 10),
        ('"\\u0000"', 1),
        ('"' + "k" * 300 + '"', 10),
        ('"😀"', 10),
    ],
)
def test_a_key_of_another_type_is_absent_or_nobody_s(value: str, expected: int, url: str, key: str) -> None:
    assert code(url, body=f'{{"apiKey": {value.replace("@@", key)}}}') == expected


def test_blanks_in_the_path_are_no_key(url: str) -> None:
    for target in ("/voice/v1/me/", "/voice/v1/me/%20", "/voice/v1/me//"):
        assert call(url, target).json["code"] == 1
    assert call(url, "/voice/v1/me/%00").json["code"] in (1, 10)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_on_a_reading_method_is_read(method: str, url: str, key: str) -> None:
    assert call(url, ME, method=method, body=f'{{"apiKey": "{key}"}}').status == 200


def test_the_format_and_the_language_may_stand_in_the_body(url: str) -> None:
    answer = call(url, ME, body='{"apiKey": "nobody", "_format": "xml", "_lang": "en"}')
    assert answer.headers["content-type"] == "application/xml"
    assert "<entry>Invalid API key</entry>" in answer.text
