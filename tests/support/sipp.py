"""sipp as the far end of a trunk: its scenarios, written where the test stands, and the program that plays them.

A scenario is a list of steps. `heard` takes a request, `answer` responds to what was taken last, `ask` sends a request of
sipp's own inside of the call. sipp itself is the judge: what comes out of order, or lacks what a step demands, makes it
end with 1.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self
from xml.sax.saxutils import quoteattr

from tests.support.peers import need
from tests.support.server import clean_environment

RUN_S_MAX = 60
"""Of a run in all; what is not over by then is killed."""
LISTEN_S_MAX = 20.0
REPEAT_MS = 500
_TAG = "[pid]s[call_number]"
_ANSWER_HEADERS = ("[last_Via:]", "[last_From:]", "{to}", "[last_Call-ID:]", "[last_CSeq:]")
_CONTACT = "Contact: <sip:sipp@[local_ip]:{port};transport=[transport]>"


_ports = itertools.count(10_000 + os.getpid() * 7 % 9_000)


def sdp(direction: str = "sendrecv", *, version: int = 1, codec: str = "PCMA") -> str:
    """sipp's side of the audio: one codec, and telephone-event."""
    number = {"PCMU": 0, "PCMA": 8}[codec]
    return "\n".join(
        [
            "v=0",
            f"o=sipp 77 {version} IN IP4 [local_ip]",
            "s=-",
            "c=IN IP4 [local_ip]",
            "t=0 0",
            f"m=audio [rtp_port] RTP/AVP {number} 101",
            f"a=rtpmap:{number} {codec}/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=ptime:20",
            f"a={direction}",
        ]
    )


def heard(
    method: str,
    *demands: tuple[str, str],
    optional: bool = False,
    jump: str = "",
    actions: str = "",
) -> str:
    """A request of ours. `demands`: (header, regular expression) that it must match. `jump`: the label to go on at."""
    checks = "".join(
        f'<ereg regexp={quoteattr(pattern)} search_in="hdr" header="{name}:" check_it="true" assign_to="seen"/>'
        for name, pattern in demands
    )
    if method == "INVITE":
        # Who calls whom, for requests of sipp's own; an INVITE inside of the call says the same.
        checks += "".join(
            f'<ereg regexp={quoteattr(pattern)} search_in="hdr" header="{name}:" assign_to="{variable}"/>'
            for name, pattern, variable in (
                ("From", ".*", "caller"),
                ("To", "[^;]*", "callee"),
                ("Contact", "sip:[^>]*", "contact"),
                ("Via", ".*", "via"),
                ("Call-ID", ".*", "call_id"),
                ("CSeq", ".*", "cseq_of_invite"),
            )
        )
    checks += actions
    more = (' optional="true"' if optional else "") + (f' next="{jump}"' if jump else "")
    return f'<recv request="{method}"{more}>{f"<action>{checks}</action>" if checks else ""}</recv>'


def answered(status: int, *, jump: str = "") -> str:
    """A response of ours to a request of sipp's own; a 100 may come before."""
    more = f' next="{jump}"' if jump else ""
    return f'<recv response="100" optional="true"></recv><recv response="{status}"{more}></recv>'


def answer(
    status: str,
    *headers: str,
    body: str = "",
    begins: bool = False,
    repeats: bool = False,
    compact: bool = False,
    of_invite: bool = False,
) -> str:
    """A response to the request that was heard last, or to the INVITE before that (`of_invite`). `begins`: sipp's tag is
    put behind To; inside of a call the request has it. `repeats` until ACK comes: a final one to INVITE. `compact`: one
    to the INVITE, with names of one letter (RFC 3261, 7.3.3).
    """
    code = int(status.split()[0])
    to = f"[last_To:];tag={_TAG}" if begins and code > 100 else "[last_To:]"
    lines = [line.format(to=to) for line in _ANSWER_HEADERS]
    if compact:
        lines = [
            "v:[$via]",
            "f:[$caller]",
            f"t:[$callee];tag={_TAG}",
            "i:[$call_id]",
            "CSeq:[$cseq_of_invite]",
        ]
    elif of_invite:
        lines = [
            "Via:[$via]",
            "[last_From:]",
            f"To:[$callee];tag={_TAG}",
            "[last_Call-ID:]",
            "CSeq:[$cseq_of_invite]",
        ]
    return _send([f"SIP/2.0 {status}", *lines, *headers], body, repeats=repeats, compact=compact)


def accept(status: str, *headers: str, body: str = "", contact_port: int = 0, **more: Any) -> str:
    """An answer that begins the dialog, with sipp's Contact, be it on another port than its own."""
    contact = _CONTACT.format(port=contact_port or "[contact_port]")
    return answer(status, contact, *headers, body=body, begins=True, **more)


def refuse(status: str, *headers: str, begins: bool = True) -> list[str]:
    """A final answer to INVITE that is no success, and its ACK."""
    return [answer(status, *headers, begins=begins, repeats=True), heard("ACK")]


def ask(method: str, *headers: str, body: str = "") -> str:
    """A request of sipp's own inside of the call. Its CSeq counts from 1."""
    return _send(
        [
            f"{method} [$contact] SIP/2.0",
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
            f"From:[$callee];tag={_TAG}",
            "To:[$caller]",
            "[last_Call-ID:]",
            f"CSeq: [cseq] {method}",
            "Max-Forwards: 70",
            _CONTACT.format(port="[contact_port]"),
            *headers,
        ],
        body,
        repeats=method != "ACK",
    )


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def lingers(milliseconds: int = 4000) -> str:
    """The last step: what comes once more, because our answer was lost, is answered once more."""
    return f'<timewait milliseconds="{milliseconds}"/>'


def label(name: str) -> str:
    return f'<label id="{name}"/>'


def hung_up() -> list[str]:
    """We hang up: the BYE and its answer."""
    return [heard("BYE"), answer("200 OK")]


def _send(lines: Iterable[str], body: str, *, repeats: bool, compact: bool = False) -> str:
    kind, length = ("c", "l") if compact else ("Content-Type", "Content-Length")
    head = [*lines, *([f"{kind}: application/sdp"] if body else []), f"{length}: [len]"]
    text = "\n".join([*head, "", *body.splitlines()]) if body else "\n".join([*head, "", ""])
    more = f' retrans="{REPEAT_MS}"' if repeats else ""
    return f"<send{more}><![CDATA[\n{text}\n]]></send>"


def scenario(*steps: str | Sequence[str]) -> str:
    """The file that sipp reads."""
    flat = "\n".join(step if isinstance(step, str) else "\n".join(step) for step in steps)
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
        f'<scenario name="far end">\n{flat}\n{_reference(flat)}</scenario>\n'
    )


def _reference(steps: str) -> str:
    """sipp refuses variables that are not used."""
    names = sorted(set(re.findall(r'assign_to="(\w+)"', steps)))
    return f'<Reference variables="{",".join(names)}"/>\n' if names else ""


def far_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1, for UDP and TCP, that the kernel gives to nobody who asks for any: programs that are started
    later still find them free.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    while len(found) < count:
        port = next(_ports)
        assert port < first, "no ports below those that the kernel gives away"
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                for each in (tcp, udp):
                    each.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found


class Sipp:
    """A context manager: sipp plays `steps` for `calls` calls on `port`, then ends. `over()` waits for that. What it asks
    to be sent to it goes to `contact_port`, if that is another; audio to `rtp_port`.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        *steps: str | Sequence[str],
        calls: int = 1,
        transport: str = "u1",
        rtp_port: int = 9,
        contact_port: int = 0,
        in_bad_weather: bool = False,
        run_s_max: int = RUN_S_MAX,
    ) -> None:
        self._program = need("sipp")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._port = port
        self._transport = transport
        path = directory / "scenario.xml"
        path.write_text(scenario(*steps), "iso-8859-1")
        self._command = [
            *("timeout", "-k", "5", str(run_s_max), self._program),
            *("-sf", str(path), "-i", "127.0.0.1", "-p", str(port), "-t", transport, "-m", str(calls)),
            *("-nostdin", "-timeout", f"{run_s_max - 10}s", "-timeout_error", "-recv_timeout", "40000"),
            *("-trace_msg", "-message_file", str(directory / "messages.log")),
            *("-trace_err", "-error_file", str(directory / "errors.log")),
            *("-key", "rtp_port", str(rtp_port), "-key", "contact_port", str(contact_port or port)),
        ]
        if in_bad_weather:
            # By itself it ends a call when a copy of something earlier comes.
            self._command += ["-nd", "-rtcheck", "loose"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._directory / "screen.log").open("wb") as screen:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=clean_environment(TERM="dumb"),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + LISTEN_S_MAX
        while not self._listens():
            assert self._process.poll() is None, f"sipp has ended: {self.story}"
            assert time.monotonic() < deadline, f"sipp does not listen: {self.story}"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            # timeout and sipp are a process group of their own.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def over(self) -> None:
        """Waits for its end; AssertionError unless every call went as the scenario says."""
        assert self._process is not None
        code = self._process.wait(RUN_S_MAX + 10)
        assert code == 0, f"sipp ended with {code}:\n{self.story}"

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + RUN_S_MAX
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {RUN_S_MAX} s\n{self.story}"
            time.sleep(0.02)

    @property
    def trace(self) -> str:
        """Every message, as sipp received and sent it."""
        return self._read("messages.log")

    @property
    def received(self) -> list[str]:
        """What it got from us, oldest first."""
        pieces = re.split(r"^-{20,} .*$", self.trace, flags=re.MULTILINE)
        found = [re.split(r"message received.*\n\n?", piece, maxsplit=1) for piece in pieces]
        return [piece[1].strip("\n") for piece in found if len(piece) == 2]

    @property
    def story(self) -> str:
        return "\n".join(self._read(name) for name in ("screen.log", "errors.log", "messages.log"))[-20_000:]

    def _read(self, name: str) -> str:
        path = self._directory / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _listens(self) -> bool:
        table = Path("/proc/net/tcp" if self._transport.startswith("t") else "/proc/net/udp").read_text()
        return f"0100007F:{self._port:04X} 00000000:0000" in table
