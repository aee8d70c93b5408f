"""Where parameters may stand: path, body, query, headers, in this order."""

import pytest

from tests.unit.partner.example_pages import SMS_CREDITS, SMS_STATUS, VOICE_CREDITS
from tests.unit.partner.reading import reading


def test_path_wins_over_body_body_over_query_and_headers_come_last() -> None:
    everywhere = reading(
        b'{"apiKey": "body", "tag": "body"}',
        query=b"apiKey=query&tag=query&sender=query",
        headers={"apikey": "header", "tag": "header", "sender": "header", "webhookurl": "header"},
        path={"apiKey": "path"},
    )
    assert everywhere.text("apiKey") == "path"
    assert everywhere.text("tag") == "body"
    assert everywhere.text("sender") == "query"
    assert everywhere.text("webhookUrl") == "header"


def test_unknown_keys_are_ignored() -> None:
    parameters = reading(b'{"apiKey": "k", "webhookUrl": {"deep": [1]}, "": 3}', query=b"&&x&=y&z=1")
    assert parameters.api_key() == "k"
    assert parameters.text("message") is None


def test_null_is_absent_so_a_weaker_place_is_looked_at() -> None:
    parameters = reading(b'{"tag": null, "urlDlr": null}', query=b"tag=query")
    assert parameters.text("tag") == "query"
    assert parameters.raw("urlDlr") is None
    assert "urlDlr" not in parameters


@pytest.mark.parametrize("query", [b"?apiKey=k", b"??apiKey=k&_format=json", b"apiKey=k"])
def test_leading_question_marks_of_the_first_query_name_are_dropped(query: bytes) -> None:
    assert reading(query=query, page=SMS_CREDITS, method="GET").api_key() == "k"


def test_names_are_matched_without_case_as_a_last_resort() -> None:
    parameters = reading(b'{"APIKey": "k", "Message": "Bonjour", "message": "exact", "To": "0600000001"}')
    assert parameters.api_key() == "k"
    assert parameters.text("message") == "exact"
    assert parameters.text("to") == "0600000001"
    assert reading(query=b"APIKEY=k").api_key() == "k"


def test_an_exact_name_in_a_weaker_place_wins_over_another_case_in_a_stronger_one() -> None:
    assert reading(b'{"TAG": "body"}', query=b"tag=query").text("tag") == "query"


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_body_is_read_with_every_method(method: str) -> None:
    assert reading(b'{"messageId": 412}', page=SMS_STATUS, method=method).integer("messageId") == 412


def test_an_ordinary_header_is_no_parameter() -> None:
    parameters = reading(headers={"from": "bot@example.org", "date": "Mon", "host": "h", "user-agent": "x"})
    for name in ("from", "date", "host", "user-agent"):
        assert parameters.raw(name) is None


def test_an_empty_segment_of_the_path_is_no_key() -> None:
    assert reading(query=b"apiKey=query", path={"apiKey": ""}, page=VOICE_CREDITS).api_key() == "query"
    assert reading(path={"apiKey": ""}, page=VOICE_CREDITS).api_key() is None


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer   abc "}, "abc"),
        ({"x-api-key": "abc"}, "abc"),
        ({"x-api-key": "other", "authorization": "Bearer abc"}, "abc"),
        ({"authorization": "Basic abc"}, None),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "Basic abc", "x-api-key": "other"}, "other"),
        ({"apikey": "abc"}, "abc"),
        ({"x-api-key": b"caf\xc3\xa9"}, "café"),
        ({"x-api-key": b"caf\xe9"}, "café"),
    ],
)
def test_the_key_may_come_as_a_bearer_or_in_x_api_key(headers: dict[str, str], key: str | None) -> None:
    assert reading(headers=headers).api_key() == key


def test_a_key_among_the_parameters_wins_over_the_headers_and_a_blank_one_does_not() -> None:
    headers = {"authorization": "Bearer header"}
    assert reading(b'{"apiKey": "body"}', headers=headers).api_key() == "body"
    assert reading(b'{"apiKey": "  "}', headers=headers).api_key() == "header"
    assert reading(b'{"apiKey": ["list"]}').api_key() is None


def test_what_a_request_holds_does_not_show_when_it_is_printed() -> None:
    assert "secret" not in repr(reading(b'{"apiKey": "secret"}'))


def test_escapes_plus_signs_and_bad_utf8_of_a_query_are_read() -> None:
    parameters = reading(query=b"message=caf%C3%A9+noir%21&tag=%ff%zz%&a%5Fb=1&raw=caf\xc3\xa9&bad=\xe9")
    assert parameters.text("message") == "café noir!"
    assert parameters.text("tag") == "\ufffd%zz%"
    assert parameters.text("a_b") == "1"
    assert parameters.text("raw") == "café"
    assert parameters.text("bad") == "\ufffd"


def test_a_lost_plus_sign_is_a_leading_blank_that_is_kept() -> None:
    assert reading(query=b"phoneNumber=+33600000001").text("phoneNumber") == " 33600000001"


def test_format_and_language_come_from_body_or_query() -> None:
    assert reading(b'{"_format": "xml", "_lang": "en"}').format == "xml"
    assert reading(b'{"_format": "xml", "_lang": "en"}').language == "en"
    assert reading(query=b"_format=XML").format == "xml"
    assert reading(b'{"_format": ["xml"]}').format == "json"
    assert reading(b'{"_format": "csv"}', query=b"_lang=de").language == "fr"
