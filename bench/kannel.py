"""Kannel, the gateway that this field runs: bearerbox and smsbox, everything in memory, towards the bench's SMSC.

Debian's package `kannel`. It keeps neither messages nor receipts on disk here (no store-file, internal DLR storage),
writes no log, and has a core for itself: it is shown at its best.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from bench.figures import Void
from bench.load import Exchange, get
from bench.machine import cpu_s, pin_server
from bench.servers import BOUND_S_MAX, POLL_S, STOP_S_MAX, WINDOW, Smsc, free_ports

ACCEPTED = b"HTTP/1.1 202 "
SAYS = b"0: Accepted for delivery"
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = bench
admin-interface = "127.0.0.1"
smsbox-port = {box}
smsbox-interface = "127.0.0.1"
log-file = /dev/null
log-level = 4
dlr-storage = internal
sms-outgoing-queue-limit = 10000000
sms-incoming-queue-limit = 10000000

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""
max-pending-submits = {window}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = "127.0.0.1"
log-file = /dev/null
log-level = 4
global-sender = 36000

group = sendsms-user
username = bench
password = bench
"""


class Kannel:
    """Its two processes on the servers' core; ready when it is bound to `smsc` and takes requests."""

    def __init__(self, folder: Path, smsc: Smsc) -> None:
        boxes = {name: shutil.which(name, path=_PATH) for name in ("bearerbox", "smsbox")}
        if missing := [name for name, found in boxes.items() if found is None]:
            raise Void(f"{' and '.join(missing)} not found: `make test-peers` installs Kannel")
        admin, box, sendsms = free_ports(3)
        folder.mkdir()
        configuration = folder / "kannel.conf"
        configuration.write_text(
            _CONFIGURATION.format(admin=admin, box=box, sendsms=sendsms, smsc=smsc.port, window=WINDOW)
        )
        self.address = ("127.0.0.1", sendsms)
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for name, port in (("bearerbox", box), ("smsbox", sendsms)):
                self._processes.append(
                    subprocess.Popen(
                        [str(boxes[name]), configuration],
                        cwd=folder,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                        preexec_fn=pin_server,
                    )
                )
                self._listens(name, port)
            smsc.bound()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def cpu_s(self) -> float:
        return sum(cpu_s(process.pid) for process in self._processes)

    def stop(self) -> None:
        """smsbox first, so that bearerbox loses nothing; returns when they are gone."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _listens(self, name: str, port: int) -> None:
        end_s = time.monotonic() + BOUND_S_MAX
        while self._processes[-1].poll() is None and time.monotonic() < end_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(POLL_S)
        raise Void(f"{name} does not listen on its port")


def sendsms(number: int, text: str, *, receipt: bool) -> Exchange:
    """Its call for one message."""
    asked = {
        "username": "bench",
        "password": "bench",
        "from": "36000",
        "to": f"+{number}",
        "text": text,
        **({"dlr-mask": "3"} if receipt else {}),
    }
    return get(f"/cgi-bin/sendsms?{urlencode(asked)}", ACCEPTED, SAYS)
