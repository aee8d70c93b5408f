"""A customer's HTTP server for the tests: keeps what it gets, answers as it is told, also not at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

WAIT_S_MAX = 20.0


@dataclass(frozen=True)
class Request:
    """One request as it came. Header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is right, computed as Standard Webhooks tells receivers to."""
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mac = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256)
        return self.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


class Receiver:
    """Listens on a free port of 127.0.0.1 as a context manager.

    `status` is the answer to every request, `hanging` are paths (without query) whose requests get none until the end.
    """

    def __init__(self, status: int = 200, hanging: tuple[str, ...] = ()) -> None:
        self.status = status
        self.hanging = set(hanging)
        self._requests: list[Request] = []
        self._arrived = threading.Condition()
        self._over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/dlr") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    @property
    def requests(self) -> list[Request]:
        with self._arrived:
            return list(self._requests)

    def wait(self, count: int = 1, where: Callable[[Request], bool] = lambda _: True) -> list[Request]:
        """The requests `where` that came, once there are `count`; AssertionError when they do not come."""
        deadline = time.monotonic() + WAIT_S_MAX
        with self._arrived:
            while len(found := [request for request in self._requests if where(request)]) < count:
                left_s = deadline - time.monotonic()
                assert left_s > 0, f"{len(found)} of {count} requests came in {WAIT_S_MAX} s"
                self._arrived.wait(left_s)
        return found

    def take(self, request: Request) -> bool:
        """Keeps a request; False when it is to get no answer."""
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()
        if request.path.partition("?")[0] in self.hanging:
            self._over.wait()
            return False
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of what the tests do."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if receiver.take(Request(self.path, headers, body)):
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.close_connection = True

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
