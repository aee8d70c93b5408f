"""A trunk that lies: it knows SIP and says anything at any time. By a seed, so that what fails fails again."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field

STATUSES = (302, 403, 404, 408, 422, 480, 481, 486, 487, 488, 491, 600, 603, 699)
PROGRESS = (100, 180, 181, 183, 199)
CONTACTS = (
    "sip:x@[::1]",
    "sip:x@127.0.0.9:9;transport=tcp",
    "tel:+33",
    "sip:x@224.0.0.1",
    "sips:x@127.0.0.1",
)
SESSIONS = ("", "", "", "90;refresher=uas", "90;refresher=uac", "1", "4294967296", "x")


@dataclass
class _Dialog:
    """As we see it. `remote` is the other end's From or To with its tag, "" while we have seen none."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 1


@dataclass
class Liar(asyncio.DatagramProtocol):
    """`port` is the server's. It answers what it is asked as it likes, and calls as it likes."""

    port: int
    seed: int
    dialogs: dict[str, _Dialog] = field(default_factory=dict)
    """Of calls to the server, by Call-ID."""
    answered: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self.is_quiet = False

    async def open(self) -> None:
        self._transport, _ = await self._loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.own_port = self._transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        self._transport.close()

    # A call to the server

    def call(self, number: str) -> None:
        chance = self._chance
        call_id, branch, tag = self._token(), self._token(), self._token()
        more = chance.choice(
            (
                "",
                "Supported: timer, 100rel\r\nSession-Expires: 90;refresher=uac\r\n",
                "Require: 100rel\r\n",
                "Privacy: id\r\n",
            )
        )
        local = f"<sip:+336{chance.randrange(10**8):08}@h>;tag={tag}"
        invite = self._written(
            f"INVITE sip:{number}@127.0.0.1",
            f"z9hG4bK{branch}",
            (local, f"<sip:{number}@127.0.0.1>", call_id, "1 INVITE"),
            more,
            chance.choice((self._sdp(), self._sdp(), "", self._sdp("0.0.0.0"), self._sdp("x.y"))),
        )
        self.dialogs[call_id] = dialog = _Dialog(call_id, local, "", f"sip:x@127.0.0.1:{self.port}")
        self._send(invite)
        after_s = 0.0
        for _ in range(chance.randrange(6)):
            after_s += chance.choice((0.0, 0.001, 0.05, 0.3))
            what = chance.choice(
                ("CANCEL", "again", "ACK", "ACK", "ACK", "BYE", "INVITE", "UPDATE", "INFO", "PRACK")
            )
            if what == "CANCEL":
                cancel = re.sub(
                    r"(?:Content-Type.*)?Content-Length(?s:.)*", "Content-Length: 0\r\n\r\n", invite
                )
                self._later(after_s, self._send, cancel.replace("INVITE", "CANCEL"))
            elif what == "again":
                self._later(after_s, self._send, invite)
            else:
                self._later(after_s, self._within, what, dialog)

    # What comes in

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode(errors="replace")
        chance = self._chance
        if message.startswith("SIP/2.0 "):
            self._on_response(message)
        elif self.is_quiet:
            self._answer(message, 481)  # as one who knows nothing of it any more
        elif not message.startswith("INVITE "):
            if not message.startswith("ACK ") and chance.random() < 0.8:
                self._answer(message, 200)
        elif ";tag=" in _value(message, "To"):
            if chance.random() < 0.7:
                self._answer(message, chance.choice((200, 488, 491, 481)), body=self._sdp())
        elif (key := (_value(message, "Call-ID"), _value(message, "CSeq"))) not in self.answered:
            self.answered.add(key)
            self._act(message)

    def _on_response(self, message: str) -> None:
        dialog = self.dialogs.get(_value(message, "Call-ID"))
        if dialog is None:
            return
        if ";tag=" in _value(message, "To"):
            dialog.remote = _value(message, "To")
        is_final = not message.startswith("SIP/2.0 1") and "INVITE" in _value(message, "CSeq")
        if is_final and (self.is_quiet or self._chance.random() < 0.7):
            branch = _value(message, "Via").rpartition("branch=")[2]
            if message.startswith("SIP/2.0 2"):
                branch = f"z9hG4bK{self._token()}"
            number = _value(message, "CSeq").split()[0]
            names = (dialog.local, dialog.remote, dialog.call_id, f"{number} ACK")
            body = self._chance.choice(("", "", "", "junk"))
            self._send(self._written(f"ACK {dialog.target}", branch, names, "", body))

    def _act(self, invite: str) -> None:
        """What a call of the server's meets."""
        chance = self._chance
        tags = (self._token(), self._token())
        dialogs = [
            _Dialog(
                _value(invite, "Call-ID"),
                f"{_value(invite, 'To')};tag={tag}",
                _value(invite, "From"),
                _value(invite, "Contact").strip("<>"),
            )
            for tag in tags
        ]
        after_s = 0.0
        for _ in range(chance.randrange(1, 7)):
            after_s += chance.choice((0.0, 0.001, 0.05, 0.3))
            place = chance.randrange(2)
            what = chance.choice(
                (
                    *("progress", "progress", "progress", "success", "success", "failure"),
                    *("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "REFER", "MESSAGE", "ACK"),
                )
            )
            if what == "progress":
                more = chance.choice(("", "", f"Require: 100rel\r\nRSeq: {chance.randrange(1, 4)}\r\n"))
                self._later(after_s, self._answer, invite, chance.choice(PROGRESS), tags[place], more)
            elif what == "success":
                session = chance.choice(SESSIONS)
                more = f"Session-Expires: {session}\r\n" if session else ""
                status = chance.choice((200, 200, 202, 299))
                self._later(after_s, self._answer, invite, status, tags[place], more)
            elif what == "failure":
                self._later(after_s, self._answer, invite, chance.choice(STATUSES), tags[place])
            else:
                self._later(after_s, self._within, what, dialogs[place])

    # What is said

    def _answer(
        self, request: str, status: int, tag: str = "", more: str = "", body: str | None = None
    ) -> None:
        chance = self._chance
        if body is None:
            body = chance.choice(
                ("", self._sdp(), self._sdp(), self._sdp("::1"), self._sdp("h.x"), "v=0\r\n")
            )
        contact = f"sip:x@127.0.0.1:{self.own_port}"
        if chance.random() < 0.2:
            contact = chance.choice(CONTACTS)
        to = _value(request, "To")
        lines = [
            f"SIP/2.0 {status} x",
            *(f"Via: {via}" for via in re.findall(r"^Via: (.*)\r$", request, re.MULTILINE)),
            f"From: {_value(request, 'From')}",
            f"To: {to}" if ";tag=" in to else f"To: {to};tag={tag or self._token()}",
            f"Call-ID: {_value(request, 'Call-ID')}",
            f"CSeq: {_value(request, 'CSeq')}",
            *([] if chance.random() < 0.1 else [f"Contact: <{contact}>"]),
            *(["Content-Type: application/sdp"] if body else []),
            f"{more}Content-Length: {len(body)}",
            "",
            body,
        ]
        self._send("\r\n".join(lines))

    def _within(self, method: str, dialog: _Dialog) -> None:
        chance = self._chance
        if not dialog.remote:
            return
        if method != "ACK":
            dialog.cseq += chance.choice((1, 1, 1, 0, 100))
        number = chance.choice((1, 1, dialog.cseq)) if method == "ACK" else dialog.cseq
        body, more = "", ""
        if method in ("INVITE", "UPDATE", "INFO", "ACK"):
            body = chance.choice(("", self._sdp(), self._sdp("0.0.0.0"), "junk"))
        if method == "PRACK":
            more = f"RAck: {chance.randrange(40_000)} 1 INVITE\r\n"
        elif session := chance.choice(SESSIONS):
            more = f"Session-Expires: {session}\r\nSupported: timer\r\n"
        names = (dialog.local, dialog.remote, dialog.call_id, f"{number} {method}")
        self._send(self._written(f"{method} {dialog.target}", f"z9hG4bK{self._token()}", names, more, body))

    def _written(
        self, start: str, branch: str, names: tuple[str, str, str, str], more: str, body: str
    ) -> str:
        local, remote, call_id, cseq = names
        kind = self._chance.choice(("application/sdp", "application/sdp", "text/plain"))
        typed = f"Content-Type: {kind}\r\n" if body else ""
        return (
            f"{start} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.own_port};branch={branch}\r\n"
            f"From: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"
            f"Contact: <sip:x@127.0.0.1:{self.own_port}>\r\nMax-Forwards: 70\r\n{more}{typed}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _sdp(self, host: str = "127.0.0.1") -> str:
        formats = self._chance.choice(("8", "0", "18", "8 101", "0 8"))
        kind = "IP6" if ":" in host else "IP4"
        return f"v=0\r\no=- 1 1 IN {kind} {host}\r\ns=-\r\nc=IN {kind} {host}\r\nt=0 0\r\nm=audio 9 RTP/AVP {formats}\r\n"

    def _later(self, after_s: float, action, *arguments: object) -> None:
        self._loop.call_later(after_s, self._unless_quiet, action, arguments)

    def _unless_quiet(self, action, arguments: tuple[object, ...]) -> None:
        if not self.is_quiet:
            action(*arguments)

    def _token(self) -> str:
        self._count += 1
        return f"{self.seed}x{self._count}"

    def _send(self, message: str) -> None:
        self._transport.sendto(message.encode(), ("127.0.0.1", self.port))


def _value(message: str, name: str) -> str:
    """Of the first field of this name; "" where there is none."""
    found = re.search(rf"^{name}: (.*)\r$", message, re.MULTILINE)
    return "" if found is None else found.group(1)
