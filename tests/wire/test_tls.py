"""HTTPS on a port of its own, beside HTTP: the same answers, and nothing is redirected."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chappe.administration.commands import AccountCreate
from tests.support.certificates import make_certificate
from tests.support.server import ChappeServer
from tests.support.wire import Connection, call, head


@dataclass(frozen=True)
class Https:
    """A server that answers both schemes."""

    server: ChappeServer
    url: str
    client: ssl.SSLContext
    key: str


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = make_certificate(folder)
    options = ("--tls-port", "0", "--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key))
    with ChappeServer(folder, options=options, rate_limits=False) as server:
        (line,) = [json.loads(line) for line in server.stderr.splitlines() if '"https"' in line]
        key = server.ask(AccountCreate("ana@example.fr"))["apiKey"]
        yield Https(server, line["url"], certificate.client(), key)
    server.assert_no_traceback()


def test_both_schemes_answer_the_same(https: Https) -> None:
    assert https.url.startswith("https://127.0.0.1:")
    for target in (f"/sms/v1/me?apiKey={https.key}", f"/voice/v1/me/{https.key}", "/sms/v1/me", "/healthz"):
        secure = call(https.url, target, tls=https.client)
        plain = call(https.server.base_url, target)
        assert (secure.status, secure.body) == (plain.status, plain.body)


def test_requests_in_a_row_and_large_bodies_pass_through_tls(https: Https) -> None:
    with Connection(https.url, tls=https.client) as connection:
        connection.send(head("GET", f"/sms/v1/me?apiKey={https.key}") * 20)
        assert [connection.answer().status for _ in range(20)] == [200] * 20
    large = b'{"apiKey": "nobody"' + b" " * (4 << 20) + b"}"
    assert call(https.url, "/sms/v1/me", body=large, tls=https.client).json["code"] == 10
    assert call(https.url, "/voice/v1/me", body=large, tls=https.client).status == 413


def test_versions_before_tls_1_2_are_refused(https: Https) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python calls them deprecated, and we ask for them
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    port = int(https.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as raw, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_plain_http_and_garbage_on_the_tls_port_harm_nobody(https: Https) -> None:
    port = int(https.url.rpartition(":")[2])
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, b""):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            try:
                while raw.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    assert call(https.url, "/healthz", tls=https.client).status == 200
    https.server.assert_no_traceback()
