"""Kannel, as an ESME: its bearerbox and its smsbox, started for one SMSC and ended by their process ids."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import requests

from tests.behaviours.callbacks import until
from tests.support.peers import need
from tests.support.ports import free_ports
from tests.support.receiver import Receiver
from tests.support.server import clean_environment

STARTS_MAX = 3
END_S_MAX = 10.0
ACCEPTED = "0: Accepted for delivery"

CONFIGURATION = """
group = core
admin-port = {admin_port}
admin-interface = "127.0.0.1"
admin-password = "admin"
smsbox-port = {smsbox_port}
smsbox-interface = "127.0.0.1"
box-allow-ip = "127.0.0.1"
log-file = "{log}"
log-level = 0
dlr-storage = internal
sms-resend-freq = 1

{smsc}

group = smsbox
bearerbox-host = "127.0.0.1"
sendsms-port = {sendsms_port}
sendsms-interface = "127.0.0.1"
mo-recode = false

group = sendsms-user
username = "user"
password = "password"
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{replies}?from=%p&to=%P&charset=%C&text=%b"
"""
SMSC = """
group = smsc
smsc = smpp
smsc-id = "chappe"
host = "127.0.0.1"
smsc-username = "sim"
smsc-password = "sim"
system-type = ""
enquire-link-interval = 1
{bind}
"""
BINDS = {
    "transceiver": ["port = {port}\ntransceiver-mode = true"],
    "pair": ["port = {port}", "receive-port = {port}"],
}


class Kannel:
    """A context manager. Delivery reports and texts from phones go to `receiver`: /dlr/NAME?type=N, /mo?..."""

    def __init__(self, directory: Path, smsc_port: int, bind: str, receiver: Receiver) -> None:
        self._bearerbox_program, self._smsbox_program = need("bearerbox"), need("smsbox")
        self._directory = directory
        self._smsc = "".join(SMSC.format(bind=line.format(port=smsc_port)) for line in BINDS[bind])
        self._receiver = receiver
        self._processes: list[subprocess.Popen[bytes]] = []
        self._admin_port = self._sendsms_port = 0

    def __enter__(self) -> Self:
        for start in range(STARTS_MAX):
            try:
                return self._start()
            except AssertionError:
                # It cannot say which free port it took, and another program may have been faster.
                self.stop()
                if start + 1 == STARTS_MAX:
                    raise
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """What the bearerbox logged: every PDU field by field."""
        path = self._directory / "bearerbox.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def send(self, name: str, to: str, text: str, **more: Any) -> None:
        """By sendsms, with every delivery report asked for, under `name`."""
        parameters = {
            "username": "user",
            "password": "password",
            "from": "Kannel",
            "to": to,
            "text": text,
            "charset": "UTF-8",
            "dlr-mask": 63,
            "dlr-url": self._receiver.url(f"/dlr/{name}?type=%d"),
            **more,
        }
        url = f"http://127.0.0.1:{self._sendsms_port}/cgi-bin/sendsms"
        answer = requests.get(url, params=parameters, timeout=30)
        assert (answer.status_code, answer.text) == (202, ACCEPTED)

    def stop(self) -> None:
        """Ends the smsbox, then the bearerbox, which unbinds."""
        while self._processes:
            process = self._processes.pop()
            process.terminate()
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # Inside

    def _start(self) -> Self:
        self._admin_port, smsbox_port, self._sendsms_port = free_ports(3)
        configuration = self._directory / "kannel.conf"
        configuration.write_text(
            CONFIGURATION.format(
                admin_port=self._admin_port,
                smsbox_port=smsbox_port,
                sendsms_port=self._sendsms_port,
                log=self._directory / "bearerbox.log",
                smsc=self._smsc,
                replies=self._receiver.url("/mo"),
            )
        )
        self._run(self._bearerbox_program, configuration)
        until(lambda: "<status>running" in self._status(), "the bearerbox runs")
        self._run(self._smsbox_program, configuration)
        until(lambda: "<status>on-line" in self._status(), "the smsbox is there")
        until(lambda: self._answers(self._sendsms_port), "sendsms answers")
        return self

    def _run(self, program: str, configuration: Path) -> None:
        errors = self._directory / f"{Path(program).name}.err"
        with errors.open("ab") as log:
            process = subprocess.Popen(
                [program, str(configuration)],
                cwd=self._directory,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)

    def _status(self) -> str:
        for process in self._processes:
            assert process.poll() is None, f"{process.args} has ended: {self._complaints()}"
        with suppress(requests.ConnectionError):
            url = f"http://127.0.0.1:{self._admin_port}/status.xml"
            return requests.get(url, params={"password": "admin"}, timeout=30).text
        return ""

    def _answers(self, port: int) -> bool:
        self._status()
        with suppress(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/", timeout=30)
            return True
        return False

    def _complaints(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self._directory.glob("*.err"))
