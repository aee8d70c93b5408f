"""Requests as octets on a connection: in pieces, in a row, chunked, upgraded, malformed, too long."""

from __future__ import annotations

import json

import pytest

from chappe.http.connection import HEAD_BYTES_MAX
from tests.support.wire import Answer, Connection, call, head

MALFORMED = {
    "success": False,
    "code": 400,
    "message": "La requête HTTP est malformée. / The HTTP request is malformed.",
}


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def exchange(url: str, data: bytes) -> Answer:
    with Connection(url) as connection:
        connection.send(data)
        return connection.answer()


def test_requests_in_a_row_are_answered_in_their_order(url: str, key: str) -> None:
    body = json.dumps({"apiKey": key}).encode()
    requests = [
        (head("GET", f"/sms/v1/me?apiKey={key}"), 200),
        (head("GET", "/sms/v1/me", {"Content-Length": str(len(body))}) + body, 200),
        (head("GET", "/sms/v1/me"), 400),
        (head("GET", f"/voice/v1/me/{key}"), 200),
        (head("GET", "/nothing"), 404),
        (head("GET", "/mail/v1/me", {"Transfer-Encoding": "chunked"}) + chunked(body[:5], body[5:]), 200),
        (head("GET", f"/sms/v1/me?apiKey={key}x"), 401),
    ] * 5
    with Connection(url) as connection:
        connection.send(b"".join(octets for octets, _ in requests))
        assert [connection.answer().status for _ in requests] == [status for _, status in requests]


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_a_request_may_come_in_pieces_of_any_size(size: int, url: str, key: str) -> None:
    body = json.dumps({"apiKey": key, "_lang": "en"}).encode()
    data = head("GET", "/sms/v1/me", {"Content-Length": str(len(body))}) + body + head("GET", "/healthz")
    with Connection(url) as connection:
        for start in range(0, len(data), size):
            connection.send(data[start : start + size])
        assert connection.answer().status == 200
        assert connection.answer().json["status"] == "ok"


def test_a_chunked_body_is_read_with_extensions_and_trailers(url: str, key: str) -> None:
    body = json.dumps({"apiKey": key}).encode()
    data = head("GET", "/sms/v1/me", {"Transfer-Encoding": "chunked"})
    data += b"%x;name=value\r\n%s\r\n" % (len(body), body) + b"0\r\nX-Api-Key: nobody\r\nX-A: b\r\n\r\n"
    with Connection(url) as connection:
        for _ in range(2):
            connection.send(data)
            assert connection.answer().status == 200


def test_a_client_that_waits_for_100_continue_gets_it(url: str, key: str) -> None:
    body = json.dumps({"apiKey": key}).encode()
    with Connection(url) as connection:
        headers = {"Content-Length": str(len(body)), "Expect": "100-continue"}
        connection.send(head("GET", "/sms/v1/me", headers))
        assert connection.answer().status == 100
        connection.send(body)
        assert connection.answer().status == 200


def test_a_client_that_waits_with_too_large_a_body_is_refused_without_it(url: str) -> None:
    with Connection(url) as connection:
        headers = {"Content-Length": str(2 << 20), "Expect": "100-continue"}
        connection.send(head("GET", "/voice/v1/me", headers))
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "nonsense"])
def test_an_offer_of_another_protocol_is_declined_and_costs_nothing(upgrade: str, url: str, key: str) -> None:
    # Java's HttpClient offers h2c with every request until it is answered.
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": upgrade, "HTTP2-Settings": "AAMAAABkAAQ"}
    body = json.dumps({"apiKey": key}).encode()
    with_length = head("GET", "/sms/v1/me", {**offer, "Content-Length": str(len(body))})
    with_chunks = head("GET", "/sms/v1/me", {**offer, "Transfer-Encoding": "chunked"})
    requests = [
        head("GET", f"/sms/v1/me?apiKey={key}", offer),
        with_length + body,
        with_chunks + chunked(body),
        head("GET", f"/voice/v1/me/{key}", offer),
    ]
    with Connection(url) as connection:
        for request in requests:
            connection.send(request)
            assert connection.answer().status == 200
        connection.send(b"".join(requests))
        assert [connection.answer().status for _ in requests] == [200] * 4
        connection.send(with_length)  # the body in a packet of its own, which looks like a request
        connection.send(body[:-1] + b"\r\n" + body[-1:])
        assert connection.answer().status in (200, 400)


def test_a_body_that_looks_like_a_request_is_none(url: str, key: str) -> None:
    smuggled = head("GET", f"/sms/v1/me?apiKey={key}")
    offers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    for headers in ({}, offers):
        with Connection(url) as connection:
            connection.send(head("POST", "/nothing", {**headers, "Content-Length": str(len(smuggled))}))
            connection.send(smuggled + head("GET", "/healthz"))
            assert connection.answer().status == 404
            assert connection.answer().json["status"] == "ok"


GARBAGE = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200,  # a TLS greeting
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"BREW /coffee HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n",
    b"POST /sms/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /sms/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
    b"POST /sms/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    b"POST /sms/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    b"POST /sms/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b'{"apiKey": "x"}\r\n\r\n',
]


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: ascii(data[:40]))
def test_what_is_not_http_is_answered_400_in_json_and_ended(data: bytes, url: str) -> None:
    with Connection(url) as connection:
        connection.send(data)
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.json == MALFORMED
        assert connection.is_closed()


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "identity"])
def test_a_transfer_coding_that_is_not_spoken_is_answered_501_and_ended(coding: str, url: str) -> None:
    with Connection(url) as connection:
        connection.send(
            head("POST", "/sms/v1/me", {"Transfer-Encoding": coding}) + b"5\r\nhello\r\n0\r\n\r\n"
        )
        answer = connection.answer()
        assert (answer.status, answer.json["code"], answer.headers["connection"]) == (501, 501, "close")
        assert connection.is_closed()


@pytest.mark.parametrize(
    "bad", [b"zz\r\nabc\r\n", b"-1\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n", b"3\r\nabcdef\r\n"]
)
def test_a_chunk_that_is_none_ends_the_connection_without_a_second_answer(bad: bytes, url: str) -> None:
    with Connection(url) as connection:
        connection.send(head("GET", "/sms/v1/me", {"Transfer-Encoding": "chunked"}) + bad)
        assert connection.is_closed() or connection.answer().status == 400


def test_a_client_that_leaves_in_the_middle_is_no_fault_of_ours(url: str, key: str) -> None:
    partial = [
        b"GET /sms",
        head("GET", "/sms/v1/me", {"Content-Length": "100"}) + b'{"apiKey"',
        head("GET", "/sms/v1/me", {"Transfer-Encoding": "chunked"}) + b"5\r\nab",
        head("GET", f"/sms/v1/me?apiKey={key}"),
    ]
    for data in partial * 5:
        with Connection(url) as connection:
            connection.send(data)
    for data in partial:
        with Connection(url) as connection:
            connection.send(data)
            connection.end_sending()
            connection.is_closed()
    metrics = call(url, "/metrics").text
    assert 'chappe_unexpected_total{where="request"} 0.0' in metrics


def test_http_1_0_is_answered_and_ended(url: str, key: str) -> None:
    with Connection(url) as connection:
        connection.send(f"GET /sms/v1/me?apiKey={key} HTTP/1.0\r\n\r\n".encode())
        assert connection.answer().status == 200
        assert connection.is_closed()


def test_a_client_that_asks_for_it_is_answered_and_ended(url: str, key: str) -> None:
    with Connection(url) as connection:
        connection.send(head("GET", f"/sms/v1/me?apiKey={key}", {"Connection": "close"}) * 2)
        answer = connection.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (2 * HEAD_BYTES_MAX),
        b"GET /" + b"a" * (HEAD_BYTES_MAX + 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * (HEAD_BYTES_MAX // 4) + b"\r\n",
    ],
    ids=["one long header", "one endless header", "a long address", "many headers"],
)
def test_a_head_that_is_too_long_is_431_in_json(data: bytes, url: str) -> None:
    with Connection(url) as connection:
        connection.send(data)
        answer = connection.answer()
        assert answer.status == 431
        assert answer.json["code"] == 431
        assert connection.is_closed()


def test_a_long_head_that_is_allowed_is_read(url: str, key: str) -> None:
    headers = {f"X-{number}": "a" * 1000 for number in range(60)}
    assert call(url, f"/sms/v1/me?apiKey={key}", headers=headers).status == 200


def test_a_large_body_before_the_next_head_does_not_count_as_head(url: str) -> None:
    body = b" " * (3 * HEAD_BYTES_MAX)
    first = head("GET", "/sms/v1/me", {"Content-Length": str(len(body))}) + body
    with Connection(url) as connection:
        for _ in range(5):
            connection.send(first + b"GET /health")
            assert connection.answer().json["code"] == 1
            connection.send(b"z HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.answer().json["status"] == "ok"


def test_endless_trailers_are_not_collected(url: str) -> None:
    with Connection(url) as connection:
        connection.send(head("GET", "/sms/v1/me", {"Transfer-Encoding": "chunked"}) + b"0\r\n")
        for _ in range(50):
            connection.send(b"X-A: b\r\n" * 1000)
        connection.send(b"\r\n")
        assert connection.answer().json["code"] == 1
        connection.send(head("GET", "/healthz"))
        assert connection.answer().status == 200
