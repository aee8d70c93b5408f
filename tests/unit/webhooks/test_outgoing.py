"""The one way out, against real sockets: what is sent, what is refused, and what hostile receivers get away with."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from chappe import __version__
from chappe.http import outgoing as module
from chappe.http.outgoing import NotAnswered, Outgoing
from chappe.webhooks.lanes import AT_ONCE_MAX
from tests.support.certificates import Certificate, make_certificate

LOOPBACK = ["127.0.0.0/8", "::1/128"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A server of raw octets. `requests` has the head and body of each request that came."""

    def __init__(self, answer: bytes | Answer = OK) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                self.requests.append(head + body)
                if isinstance(self.answer, bytes):
                    writer.write(self.answer)
                    await writer.drain()
                else:
                    await self.answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def serving(
    receiver: Receiver, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    server = await asyncio.start_server(receiver.serve, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        receiver.hang_up()
        await receiver.ended()


@asynccontextmanager
async def client(allow: list[str] = LOOPBACK, **options: object) -> AsyncIterator[Outgoing]:
    opened = Outgoing(allow, **options)  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        await opened.close()


async def post(opened: Outgoing, url: str, body: bytes = b"{}") -> int:
    return await opened.send("POST", url, headers={"Content-Type": "application/json"}, body=body)


async def refusal(opened: Outgoing, url: str) -> str:
    with pytest.raises(NotAnswered) as refused:
        await post(opened, url)
    return str(refused.value)


# --- what is sent -------------------------------------------------------------------------------------------


async def test_a_post_carries_its_headers_its_body_and_the_query_as_it_was_given() -> None:
    async with serving(Receiver()) as receiver, client() as out:
        assert (
            await post(
                out, receiver.url("/dlr?secret=a+b%20c%2F&x=%zz&é=1".replace("é", "%C3%A9")), b'{"a":1}'
            )
            == 200
        )
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /dlr?secret=a+b%20c%2F&x=%zz&%C3%A9=1 HTTP/1.1"
    assert f"User-Agent: Chappe/{__version__}" in lines
    assert "Content-Type: application/json" in lines
    assert f"Host: 127.0.0.1:{receiver.port}" in lines
    assert not any(line.lower().startswith(("cookie", "authorization", "referer")) for line in lines)
    assert body == b'{"a":1}'


async def test_connections_are_used_again() -> None:
    async with serving(Receiver()) as receiver, client() as out:
        for _ in range(10):
            await post(out, receiver.url())
        assert (len(receiver.requests), receiver.connections) == (10, 1)


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    """It closes after it got the next request, without an answer: as a server whose idle time just ended."""

    greeted: set[asyncio.StreamWriter] = set()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer in greeted:
            writer.close()
        else:
            greeted.add(writer)
            writer.write(OK)

    receiver = Receiver(once)
    async with serving(receiver), client() as out:
        assert await post(out, receiver.url()) == 200
        assert await post(out, receiver.url()) == 200
        assert receiver.connections == 2


async def test_cookies_are_not_kept() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with serving(Receiver(answer)) as receiver, client() as out:
        await post(out, receiver.url())
        await post(out, receiver.url())
    assert b"cookie" not in receiver.requests[1].lower()


async def test_a_proxy_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    async with serving(Receiver()) as receiver, client() as out:
        assert await post(out, receiver.url()) == 200


# --- the guard ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::127.0.0.1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "１２７.0.0.1",
        "127。0。0。1",
    ],
)
async def test_loopback_is_refused_however_it_is_spelled(host: str) -> None:
    async with serving(Receiver()) as receiver, client([]) as out:
        await refusal(out, receiver.url(host=host))
        assert receiver.connections == 0


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1"]
)
async def test_a_name_that_leads_to_a_private_address_is_refused_before_any_connection(address: str) -> None:
    async with client([], lookup=lambda host: [address]) as out:
        assert address in await refusal(out, "http://customer.example/")


async def test_the_address_that_was_checked_is_the_one_that_is_connected() -> None:
    """DNS rebinding: the name leads to an allowed address first, and to another server a moment later."""
    asked: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    async with serving(Receiver(), "127.0.0.2") as allowed, serving(Receiver()) as inner:
        del inner
        async with client(["127.0.0.2/32"], lookup=rebinding, names_s=0) as out:
            assert await post(out, allowed.url(host="customer.example")) == 200
            assert asked == ["customer.example"], "one resolution a connection"
            allowed.hang_up()
            await asyncio.sleep(0)
            assert "127.0.0.1" in await refusal(out, allowed.url(host="customer.example"))
    assert b"Host: customer.example" in allowed.requests[0]


async def test_of_several_addresses_only_allowed_ones_are_tried() -> None:
    async with serving(Receiver(), "127.0.0.2") as allowed:
        found = ["10.0.0.1", "127.0.0.1", "127.0.0.2"]
        async with client(["127.0.0.2/32"], lookup=lambda host: found) as out:
            assert await post(out, allowed.url(host="customer.example")) == 200


async def test_the_last_gate_is_where_the_socket_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an address that the resolver let through is looked at again before anything is connected."""

    async with serving(Receiver()) as receiver, client([]) as out:
        monkeypatch.setattr(
            module._GuardedResolver, "resolve", lambda self, host, port=0, family=0: _resolved(host, port)
        )
        assert "127.0.0.1 is not public" in await refusal(out, receiver.url(host="customer.example"))
        assert receiver.connections == 0


async def _resolved(host: str, port: int) -> list[module.ResolveResult]:
    return [
        module.ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
        )
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with serving(Receiver()) as inner:
        answer = (
            f"HTTP/1.1 {status} Go\r\nLocation: {inner.url('/inner')}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        async with serving(Receiver(answer)) as receiver, client() as out:
            assert await post(out, receiver.url()) == status
        assert inner.connections == 0


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1/", "file:///etc/passwd", "unix:///x", "http://", "http://\r\nx/"]
)
async def test_what_is_no_http_url_is_refused(url: str) -> None:
    async with client() as out:
        assert await refusal(out, url) == "not a usable http or https URL"


# --- names --------------------------------------------------------------------------------------------------


async def test_a_name_that_does_not_resolve() -> None:
    def nothing(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "secret detail")

    async with client(lookup=nothing) as out:
        assert await refusal(out, "http://nowhere.example/") == "the host name does not resolve"
    async with client(lookup=lambda host: []) as out:
        assert await refusal(out, "http://nowhere.example/") == "the host name does not resolve"
    async with client() as out:
        assert await refusal(out, f"http://{'a' * 64}.example/") == "the host name does not resolve"


async def test_a_name_server_that_does_not_answer_holds_up_one_host_only() -> None:
    import threading

    released = threading.Event()

    def lookup(host: str) -> list[str]:
        if host == "stuck.example":
            released.wait(20)
        return ["127.0.0.1"]

    async with serving(Receiver()) as receiver, client(lookup=lookup, answer_s_max=3.0) as out:
        stuck = [asyncio.create_task(post(out, receiver.url(host="stuck.example"))) for _ in range(200)]
        assert await post(out, receiver.url(host="customer.example")) == 200
        results = await asyncio.gather(*stuck, return_exceptions=True)
        assert {str(result) for result in results} == {"no answer within 3 s"}
        released.set()


async def test_a_hundred_names_that_do_not_resolve_hold_up_no_other() -> None:
    import threading

    released = threading.Event()

    def lookup(host: str) -> list[str]:
        if host.startswith("stuck"):
            released.wait(20)
        return ["127.0.0.1"]

    async with serving(Receiver()) as receiver, client(lookup=lookup) as out:
        for turn in range(2):  # a look-up outlives its attempt
            urls = [receiver.url(host=f"stuck-{turn}-{n}.example") for n in range(AT_ONCE_MAX)]
            stuck = [asyncio.create_task(post(out, url)) for url in urls]
            assert await post(out, receiver.url(host=f"customer-{turn}.example")) == 200
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
        released.set()


# --- hostile receivers --------------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client() as out:
            reason = await refusal(out, f"http://127.0.0.1:{unused.getsockname()[1]}/?secret=1")
    assert "refused" in reason
    assert "secret" not in reason


async def test_no_answer_in_time() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(Receiver(never)) as receiver, client(answer_s_max=0.1) as out:
        assert await refusal(out, receiver.url()) == "no answer within 0.1 s"


async def test_an_octet_at_a_time_for_ever() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with serving(Receiver(drip)) as receiver, client(answer_s_max=0.2) as out:
        assert "no answer" in await refusal(out, receiver.url())


async def test_interim_answers_for_ever() -> None:
    async def interim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    async with serving(Receiver(interim)) as receiver, client(answer_s_max=0.2) as out:
        await refusal(out, receiver.url())


@pytest.mark.parametrize(
    "length", [b"Content-Length: 1000000000\r\n", b"Transfer-Encoding: chunked\r\n", b""]
)
async def test_a_huge_body_is_cut_off_and_the_answer_counts(length: bytes) -> None:
    sent = 0
    cut_off = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        try:
            while True:
                writer.write(chunk)
                sent += len(chunk)
                await writer.drain()
        finally:
            cut_off.set()

    async with serving(Receiver(flood)) as receiver, client() as out:
        assert await post(out, receiver.url()) == 200
        async with asyncio.timeout(10):
            await cut_off.wait()
    assert sent < 32 * 1024 * 1024, "what the sockets of the machine hold, not what was promised"


async def test_a_body_that_never_ends_does_not_hold_up_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_S_MAX", 0.1)

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read()

    async with serving(Receiver(stuck)) as receiver, client() as out:
        assert await post(out, receiver.url()) == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 99999 Big\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_no_answer(answer: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with serving(Receiver(say)) as receiver, client() as out:
        assert await refusal(out, receiver.url()) in (
            "the answer is not HTTP",
            "the connection was closed before the answer",
        )


async def test_a_compressed_body_is_not_inflated() -> None:
    bomb = b"\x1f\x8b\x08\x00not really gzip"
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
    async with serving(Receiver(answer)) as receiver, client() as out:
        assert await post(out, receiver.url()) == 200
        assert await post(out, receiver.url()) == 200
        assert receiver.connections == 1


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server_tls(certificate: Certificate) -> ssl.SSLContext:
    return certificate.server()


async def test_a_certificate_that_nobody_vouches_for_is_refused(server_tls: ssl.SSLContext) -> None:
    async with serving(Receiver(), tls=server_tls) as receiver, client() as out:
        reason = await refusal(out, f"https://127.0.0.1:{receiver.port}/")
    assert reason == "the TLS certificate cannot be verified"
    assert receiver.requests == []


async def test_a_certificate_for_another_host_is_refused(
    server_tls: ssl.SSLContext, certificate: Certificate
) -> None:
    trusting = certificate.client()
    async with serving(Receiver(), "127.0.0.2", server_tls) as receiver, client(tls=trusting) as out:
        reason = await refusal(out, f"https://127.0.0.2:{receiver.port}/")
    assert reason == "the TLS certificate cannot be verified"


async def test_https_with_a_good_certificate(server_tls: ssl.SSLContext, certificate: Certificate) -> None:
    trusting = certificate.client()
    async with serving(Receiver(), tls=server_tls) as receiver, client(tls=trusting) as out:
        assert await post(out, f"https://127.0.0.1:{receiver.port}/x") == 200


async def test_http_on_an_https_url_is_a_failure_that_says_so() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, client() as out:
        port = server.sockets[0].getsockname()[1]
        assert await refusal(out, f"https://127.0.0.1:{port}/") == "TLS cannot be agreed on"
