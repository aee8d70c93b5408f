"""SIGTERM while operators never answer, bodies never end and callbacks hang: exit 0 within 10 s, nothing lost."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.clocked import until
from tests.support.server import ChappeServer
from tests.support.speech_server import speech_server
from tests.support.wire import call
from tests.wire.voice.conftest import VoiceCustomer, refused, server_with

BIND_TRANSCEIVER, ENQUIRE_LINK, SUBMIT_SM = 0x09, 0x15, 0x04
_HEADER = struct.Struct(">IIII")
OPERATORS = {"336": "0600000001", "337": "0700000001", "32": "+32470123456"}


class SilentSmsc:
    """Accepts every bind, and from then on answers nothing: no submit_sm, no unbind."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.submitted = threading.Event()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        pending = b""
        try:
            while octets := connection.recv(65536):
                pending += octets
                while len(pending) >= 4 and len(pending) >= int.from_bytes(pending[:4]):
                    length, command_id, _, sequence_number = _HEADER.unpack_from(pending)
                    pending = pending[length:]
                    if command_id == BIND_TRANSCEIVER:
                        connection.sendall(_HEADER.pack(17, 0x80000009, 0, sequence_number) + b"\0")
                    elif command_id == SUBMIT_SM:
                        self.submitted.set()
        except OSError:
            pass


@pytest.fixture
def operators() -> Iterator[list[SilentSmsc]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(SilentSmsc())) for _ in OPERATORS]


def configuration(operators: list[SilentSmsc]) -> str:
    tables = [
        f'[[operators]]\nname = "op{prefix}"\nkind = "smpp"\nhost = "127.0.0.1"\nport = {smsc.port}\n'
        f'system_id = "e"\npassword = "s"\n'
        f'[[routes]]\nproduct = "sms"\nprefix = "{prefix}"\noperators = ["op{prefix}"]\n'
        for prefix, smsc in zip(OPERATORS, operators, strict=True)
    ]
    return "\n".join(tables)


def test_a_stop_is_in_time_whoever_makes_it_wait(tmp_path: Path, operators: list[SilentSmsc]) -> None:
    server = ChappeServer(tmp_path, rate_limits=False, environment={"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8"})
    (server.data / "chappe.toml").write_text(configuration(operators))
    with ExitStack() as stack:
        never_accepts = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        url_dlr = f"http://127.0.0.1:{never_accepts.getsockname()[1]}/"
        stack.enter_context(server)
        key = server.create_account("a@example.org")["apiKey"]

        def send(number: str, **more: object) -> None:
            body = {"apiKey": key, "phoneNumbers": number, "message": "x", "urlDlr": url_dlr, **more}
            answer = call(server.base_url, "/sms/v1/send", method="POST", body=json.dumps(body))
            assert answer.status == 200, answer.text

        for number in OPERATORS.values():
            send(number)
        send("0600000002", sandbox=1)  # its callback hangs
        for smsc in operators:
            assert smsc.submitted.wait(10)
        host, _, port = server.base_url.removeprefix("http://").rpartition(":")
        half = stack.enter_context(closing(socket.create_connection((host, int(port)))))
        half.sendall(b"POST /sms/v1/send HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{")
        never_accepts.settimeout(20)
        callback, _ = never_accepts.accept()  # and is never answered
        stack.enter_context(closing(callback))
        server.stop()
        server.start()
        until(lambda: "every invariant holds" in server.run("check"), "the store is sound")
    server.assert_no_traceback()


def test_texts_that_are_not_spoken_do_not_keep_a_server_from_stopping(tmp_path: Path) -> None:
    with speech_server() as speech:
        table = f'[voice]\nspeech_url = "http://127.0.0.1:{speech.server_port}/"\nspeech_url_langs = ["xx"]\n'
        with server_with(tmp_path, table) as server, ThreadPoolExecutor(12) as threads:
            customer = VoiceCustomer(server)
            sent = [threads.submit(customer.tts, text=f"Attente {n}", lang="xx") for n in range(12)]
            for _ in range(4):  # half of what is asked of a speech server at once
                assert speech.held.acquire(timeout=30)
            server.stop()
            # Who waited for a turn is told; who was being spoken for is cut off when its time is over.
            answers = {refused(future.result()) for future in sent if future.exception() is None}
            assert answers <= {(503, 503)}
        server.assert_no_traceback()
