"""A speech server for the tests: one tone for whatever it is asked to speak, or no answer at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.unit.audio.sounds import file_of, tone

SPOKEN = file_of(tone(600, 1.5, 16_000), 16_000, "WAV", "PCM_16")


class SpeechServer(ThreadingHTTPServer):
    """Speaks everything but what begins with "Attente", which it keeps until `release` is set and then refuses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Speech)
        self.release = threading.Event()
        self.held = threading.Semaphore(0)


class _Speech(BaseHTTPRequestHandler):
    server: SpeechServer

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
        if text.startswith("Attente"):
            self.server.held.release()
            self.server.release.wait()
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("content-length", str(len(SPOKEN)))
        self.end_headers()
        self.wfile.write(SPOKEN)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def speech_server() -> Iterator[SpeechServer]:
    """Runs until the end of the block."""
    with SpeechServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()
