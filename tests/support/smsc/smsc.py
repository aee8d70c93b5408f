"""What the stand-in does with a message: takes or refuses it, answers, owes a receipt until that is acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chappe.operators.smpp import (
    Bind,
    CommandStatus,
    DeliverSm,
    EsmClass,
    InFlight,
    SubmitSm,
    SubmitSmResp,
)
from tests.support.smsc.agenda import Agenda
from tests.support.smsc.journal import Journal, read_journal
from tests.support.smsc.options import Options

if TYPE_CHECKING:
    from tests.support.smsc.connection import Connection

AGAIN_MS = 300
"""A receipt that was answered with an error is delivered again after so long."""
STATES = {"DELIVRD": ("001", "000"), "UNDELIV": ("000", "011")}


class Owed(NamedTuple):
    """A receipt that its ESME has not acknowledged."""

    message_id: str
    number: str
    """The phone."""
    sender: str
    state: str


class Smsc:
    """All binds together. An ESME is known by its system_id; its receipts go out on any bind that receives."""

    def __init__(self, options: Options, journal_path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.options = options
        self._random = random.Random(options.seed)
        self._answer_delay_ms = float(options.answer_delay_ms)
        self._owed: dict[str, deque[Owed]] = {}
        self._next_id = 1
        self._next_bind = 1
        self._connections: list[Connection] = []
        self._touched: dict[Connection, None] = {}
        self._started_s = loop.time()
        self._loop = loop
        self._minute = ""
        self._minute_s = 0
        if journal_path.exists():
            self._remember(journal_path)
        self.journal = Journal(journal_path)
        self.agenda = Agenda(loop, self.write)

    # Binds

    def bind(self, connection: Connection, request: Bind) -> int:
        """The status of the bind; 0 gives it a number and what is owed to it."""
        options = self.options
        if options.system_id and request.system_id != options.system_id:
            return int(CommandStatus.ESME_RINVSYSID)
        if options.password and request.password != options.password:
            return int(CommandStatus.ESME_RINVPASWD)
        connection.number, connection.system_id = self._next_bind, request.system_id
        self._next_bind += 1
        self._connections.append(connection)
        self.journal.note("bound", _now_ms(), connection.number, detail=request.system_id)
        return 0

    def ended(self, connection: Connection, unacknowledged: list[Owed]) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._touched.pop(connection, None)
        if self.options.slow_until_ended:
            self._answer_delay_ms = 0.0
        self.journal.note("ended", _now_ms(), connection.number, detail=connection.system_id)
        self._owed.setdefault(connection.system_id, deque()).extendleft(reversed(unacknowledged))
        self.deliver(connection.system_id)

    # Messages

    def submitted(self, connection: Connection, request: SubmitSm) -> None:
        options = self.options
        status = self._status()
        sequence_number, number = request.sequence_number, request.destination_addr
        if status:
            kind = "throttled" if status == CommandStatus.ESME_RTHROTTLED else "refused"
            self.journal.note(
                kind, _now_ms(), connection.number, sequence_number, number=number, detail=str(status)
            )
            answer = SubmitSmResp(command_status=status, sequence_number=sequence_number)
            self._answer(connection, answer, None, first=False)
            return
        message_id = str(self._next_id)
        self._next_id += 1
        detail = f"{request.data_coding}:{request.esm_class}:{request.short_message.hex()}"
        self.journal.note("taken", _now_ms(), connection.number, sequence_number, message_id, number, detail)
        owed = None
        if request.registered_delivery & 0x03 and self._chance(options.receipts):
            state = "UNDELIV" if self._chance(options.undelivered) else "DELIVRD"
            owed = Owed(message_id, number, request.source_addr, state)
        answer = SubmitSmResp(message_id, sequence_number=sequence_number)
        self._answer(connection, answer, owed, first=self._chance(options.receipts_first))

    def _answer(
        self, connection: Connection, answer: SubmitSmResp, owed: Owed | None, *, first: bool
    ) -> None:
        options = self.options
        if owed is not None and first:
            self._owe(connection, owed)
        delay_ms = self._answer_delay_ms
        if options.answer_jitter_ms:
            delay_ms += self._random.random() * options.answer_jitter_ms
        if delay_ms:
            self.agenda.later(delay_ms, partial(self._answer_now, connection, answer, owed, first))
        else:
            self._answer_now(connection, answer, owed, first)

    def _answer_now(
        self, connection: Connection, answer: SubmitSmResp, owed: Owed | None, first: bool
    ) -> None:
        # Where the connection is gone its ESME never learns the id; the message is ours all the same.
        if connection.respond(answer):
            detail = str(answer.command_status)
            self.journal.note(
                "answered",
                _now_ms(),
                connection.number,
                answer.sequence_number,
                answer.message_id,
                "",
                detail,
            )
            self._touched[connection] = None
        if owed is not None and not first:
            delay_ms = self.options.receipt_delay_ms
            if delay_ms:
                self.agenda.later(delay_ms, partial(self._owe, connection, owed))
            else:
                self._owe(connection, owed)

    def _status(self) -> int:
        options = self.options
        if options.throttle_every_ms:
            now_ms = (self._loop.time() - self._started_s) * 1000 % options.throttle_every_ms
            if now_ms > options.throttle_every_ms - options.throttle_ms:
                return int(CommandStatus.ESME_RTHROTTLED)
        return options.refused_status if self._chance(options.refused) else 0

    def _chance(self, share: float) -> bool:
        return share > 0 and (share >= 1 or self._random.random() < share)

    # Receipts

    def _owe(self, connection: Connection, owed: Owed) -> None:
        queue = self._owed.setdefault(connection.system_id, deque())
        queue.append(owed)
        if self._chance(self.options.receipts_twice):
            queue.append(owed)
        if connection.can_deliver:
            self._deliver_on(connection, queue)
        else:
            self.deliver(connection.system_id)

    def acknowledged(self, connection: Connection, sent: InFlight, status: int) -> None:
        owed = sent.context
        assert isinstance(owed, Owed)
        self.journal.note(
            "acknowledged",
            _now_ms(),
            connection.number,
            sent.request.sequence_number,
            owed.message_id,
            owed.number,
            str(status),
        )
        if status:
            self.agenda.later(AGAIN_MS, partial(self._owe, connection, owed))

    def not_acknowledged(self, connection: Connection, sent: InFlight) -> None:
        """No deliver_sm_resp came in time."""
        assert isinstance(sent.context, Owed)
        self._owe(connection, sent.context)

    def deliver(self, system_id: str) -> None:
        """Sends what is owed on whatever bind of the ESME has room."""
        queue = self._owed.get(system_id)
        if not queue:
            return
        for connection in self._connections:
            if connection.system_id == system_id and connection.can_deliver:
                self._deliver_on(connection, queue)

    def _deliver_on(self, connection: Connection, queue: deque[Owed]) -> None:
        now_ms = _now_ms()
        while queue and connection.can_deliver:
            owed = queue.popleft()
            sequence_number = connection.send(self._receipt(owed), owed)
            self.journal.note(
                "receipt",
                now_ms,
                connection.number,
                sequence_number,
                owed.message_id,
                owed.number,
                owed.state,
            )
            self._touched[connection] = None

    def _receipt(self, owed: Owed) -> DeliverSm:
        delivered, error = STATES[owed.state]
        now_s = int(time.time())
        if now_s >= self._minute_s + 60 or not self._minute:
            self._minute, self._minute_s = time.strftime("%y%m%d%H%M", time.gmtime(now_s)), now_s // 60 * 60
        text = (
            f"id:{owed.message_id} sub:001 dlvrd:{delivered} submit date:{self._minute} done date:{self._minute}"
            f" stat:{owed.state} err:{error} text:"
        )
        return DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=owed.number,
            destination_addr=owed.sender,
            esm_class=int(EsmClass.RECEIPT),
            short_message=text.encode("ascii"),
        )

    # Writing

    def write(self) -> None:
        """First the journal, then the wire: one write a connection."""
        self.journal.flush()
        touched, self._touched = self._touched, {}
        for connection in touched:
            connection.write()

    # After a restart

    def _remember(self, path: Path) -> None:
        """What an earlier process took and was never acknowledged a receipt for is owed still."""
        system_ids: dict[int, str] = {}
        open_: dict[str, tuple[str, Owed]] = {}
        for entry in read_journal(path):
            if entry.kind == "bound":
                system_ids[entry.bind] = entry.detail
                self._next_bind = entry.bind + 1
            elif entry.kind == "taken":
                self._next_id = int(entry.message_id) + 1
                owed = Owed(entry.message_id, entry.number, "", "DELIVRD")
                open_[entry.message_id] = system_ids[entry.bind], owed
            elif entry.kind == "acknowledged" and entry.detail == "0":
                open_.pop(entry.message_id, None)
        for system_id, owed in open_.values():
            self._owed.setdefault(system_id, deque()).append(owed)


def _now_ms() -> int:
    return int(time.time() * 1000)
