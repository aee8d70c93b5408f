"""One transaction of the simulator: everything that came in while the last one was committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from chappe.messages.segments import PARTS_MAX
from chappe.operators.smpp.binds import Unbind
from chappe.operators.smpp.pdu import Response
from chappe.simulator.asked import Asking, answer
from chappe.simulator.esme import Esme
from chappe.simulator.intake import Submission, store
from chappe.simulator.notebook import DELIVERED, Delivery, Notebook, Numbering
from chappe.storage.database import Transaction

SUBMISSIONS_MAX: Final = 128
"""In one transaction: a millisecond or two on the event loop."""

Call = Callable[[Transaction, Notebook], Any]


@dataclass(slots=True)
class Work:
    """What is waiting, and after `run` what is to be answered once it is committed."""

    submissions: list[tuple[Esme, Submission]] = field(default_factory=list[tuple[Esme, Submission]])
    asked: list[tuple[Esme, Asking | Unbind]] = field(default_factory=list[tuple[Esme, Asking | Unbind]])
    """unbind too: it is answered after what came before it."""
    acknowledged: list[Delivery] = field(default_factory=list[Delivery])
    calls: list[tuple[Call, asyncio.Future[Any]]] = field(
        default_factory=list[tuple[Call, asyncio.Future[Any]]]
    )

    def __bool__(self) -> bool:
        return bool(self.submissions or self.acknowledged or self.calls or self.asked)

    def run(self, tx: Transaction, numbering: Numbering, now_ms: int) -> Done:
        """Everything, in one transaction."""
        note = Notebook(numbering, now_ms)
        done = Done(note)
        done.values = [call(tx, note) for call, _ in self.calls]
        for connection, submission in self.submissions:
            answered_id = store(note, connection.system_id, submission)
            done.answers.append((connection, submission.answer(answered_id)))
        for connection, request in self.asked:
            answered = (
                request.response()
                if isinstance(request, Unbind)
                else answer(tx, note, connection.system_id, request)
            )
            done.answers.append((connection, answered))
        note.write(tx)
        if self.acknowledged:
            self._forget(tx, note)
        return done

    def _forget(self, tx: Transaction, note: Notebook) -> None:
        tx.run_many("DELETE FROM sim_deliveries WHERE id = ?", [(each.id,) for each in self.acknowledged])
        for each in self.acknowledged:
            if each.is_reply:
                tx.run(
                    "UPDATE sim_messages SET status = ?, changed_at_ms = ? WHERE id = ?"
                    # The parts of a reply have neighbouring ids.
                    " AND NOT EXISTS (SELECT 1 FROM sim_deliveries WHERE message_id = ? AND id BETWEEN ? AND ?)",
                    (
                        DELIVERED,
                        note.now_ms,
                        each.message_id,
                        each.message_id,
                        each.id - PARTS_MAX,
                        each.id + PARTS_MAX,
                    ),
                )
                note.phones.add(int(each.pdu.source_addr))


@dataclass(slots=True)
class Done:
    """What one transaction did."""

    note: Notebook
    answers: list[tuple[Esme, Response]] = field(default_factory=list[tuple[Esme, Response]])
    values: list[Any] = field(default_factory=list[Any])
