"""Bodies that are too large, compressed, or not what they say: one answer each, in JSON, and it arrives."""

from __future__ import annotations

import contextlib
import gzip

import pytest
import requests

from tests.support.wire import Connection, call, head

CAPS = {"sms": 8 << 20, "voice": 1 << 20, "mail": 32 << 20}


@pytest.mark.parametrize("product", CAPS)
def test_a_body_over_the_cap_is_413_by_its_length_alone(product: str, url: str) -> None:
    with Connection(url) as connection:
        connection.send(head("GET", f"/{product}/v1/me", {"Content-Length": str(CAPS[product] + 1)}))
        answer = connection.answer()
        assert answer.status == 413
        assert answer.json["code"] == 413
        assert f"{CAPS[product] >> 20} Mio" in answer.json["message"]


@pytest.mark.parametrize("product", CAPS)
def test_a_body_of_the_cap_is_read(product: str, url: str) -> None:
    body = b'{"apiKey": "nobody"' + b" " * (CAPS[product] - 20) + b"}"
    assert len(body) == CAPS[product]
    assert call(url, f"/{product}/v1/me", body=body).json["code"] == 10


def test_a_chunked_body_over_the_cap_is_413_as_soon_as_it_is(url: str) -> None:
    with Connection(url) as connection:
        connection.send(head("GET", "/voice/v1/me", {"Transfer-Encoding": "chunked"}))
        for _ in range(17):
            connection.send(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert connection.answer().status == 413
        connection.send(b"0\r\n\r\n")
        assert connection.is_closed()


@pytest.mark.parametrize("size_mib", [2, 40])
def test_the_answer_reaches_a_client_that_sends_everything_first(size_mib: int, url: str) -> None:
    # Closing while octets are unread would reset the connection, and the answer would be lost on its way.
    body = b"{" + b" " * (size_mib << 20) + b"}"
    for _ in range(3):
        answer = requests.get(f"{url}/voice/v1/me", data=body, timeout=20)
        assert answer.status_code == 413
        assert answer.json()["code"] == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity", "nonsense"])
def test_a_compressed_body_is_415_and_not_unpacked(encoding: str, url: str, key: str) -> None:
    body = gzip.compress(b'{"apiKey": "%s"}' % key.encode())
    with Connection(url) as connection:
        for _ in range(2):
            headers = {"Content-Encoding": encoding, "Content-Length": str(len(body))}
            connection.send(head("GET", "/sms/v1/me", headers) + body)
            answer = connection.answer()
            assert answer.status == 415
            assert answer.json["code"] == 415


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_says_it_is_not_compressed_is_read(encoding: str, url: str, key: str) -> None:
    answer = call(url, "/sms/v1/me", headers={"Content-Encoding": encoding}, body=f'{{"apiKey": "{key}"}}')
    assert answer.status == 200


@pytest.mark.parametrize("product", CAPS)
@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"apiKey": "a"',
        '{"apiKey": "a",}',
        '{"apiKey": "a" "b"}',
        "[]",
        "[1, 2]",
        '"text"',
        "null",
        '{"a": NaN}',
        '{"a": 1e999999}',
        '{"a": "\x00"}',
        '{"a": "\n"}',
        '{"a": "' + "[" * 40,
        '{"a": ' + "[" * 33 + "]" * 33 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "{" + '"a":1,' * 1000 + "}",
    ],
    ids=lambda body: ascii(body[:25]) + str(len(body)),
)
def test_malformed_json_is_400_with_code_90(product: str, body: str, url: str) -> None:
    answer = call(url, f"/{product}/v1/me", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert answer.json["code"] == 90


@pytest.mark.parametrize(
    "body",
    [
        "<a>",
        "<a><b></a>",
        "<a>&undefined;</a>",
        '<!DOCTYPE a [<!ENTITY e "x">]><a><apiKey>&e;</apiKey></a>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><a/>',
        '<?xml version="1.0" encoding="nonsense"?><a/>',
        "<a>" * 100 + "</a>" * 100,
        "<a>\x00</a>",
    ],
    ids=lambda body: ascii(body[:25]),
)
def test_malformed_xml_is_400_with_code_90(body: str, url: str) -> None:
    answer = call(url, "/sms/v1/me", body=body)
    assert answer.status == 400
    assert answer.json["code"] == 90


def test_octets_that_are_no_text_are_400_with_code_90(url: str) -> None:
    for body in (b'{"apiKey": "\xff"}', b"\xff\xfe{\x00}\x00", b"\x00{", b"<a>\xff</a>"):
        answer = call(url, "/sms/v1/me", body=body)
        assert (answer.status, answer.json["code"]) == (400, 90)


def test_the_order_is_413_before_415_before_90_before_the_key(url: str) -> None:
    gzipped = {"Content-Encoding": "gzip"}
    large = {"Content-Length": str(2 << 20)}
    assert call(url, "/voice/v1/me", headers=gzipped | large, body=b"").status == 413
    assert call(url, "/voice/v1/me", headers=gzipped, body="{").status == 415
    assert call(url, "/voice/v1/me?apiKey=nobody", body="{").json["code"] == 90


def test_large_bodies_at_once_have_a_limit_that_ordinary_requests_do_not_feel(url: str, key: str) -> None:
    size = 30 << 20
    request = head("GET", "/mail/v1/me", {"Content-Length": str(size)}) + b"{" + b" " * (size - 2)
    with contextlib.ExitStack() as closing:
        connections = [closing.enter_context(Connection(url)) for _ in range(10)]
        for connection in connections:
            connection.send(request)  # but for its last octet: it waits, and is held
        answer = connections[-1].answer()
        assert (answer.status, answer.json["code"]) == (503, 503)
        assert answer.headers["retry-after"] == "1"
        assert call(url, f"/voice/v1/me/{key}").status == 200
        assert call(url, "/mail/v1/me", body=b'{"apiKey": "%s"}' % key.encode()).status == 200
        for connection in connections[:8]:
            connection.send(b"}")
            assert connection.answer().status in (400, 408)  # without a key; late on a slow machine
    # They are answered, so there is room again.
    assert call(url, "/mail/v1/me", body=b"{" + b" " * (size - 2) + b"}").json["code"] == 1
