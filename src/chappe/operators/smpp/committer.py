"""Brings outcomes to be committed, in batches; only then gives slots back and answers the operator.

One task an operator: the next batch is whatever was collected while the last one was being committed. While the
storage is not available nothing is given back and nothing acknowledged, so the operator keeps what we cannot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog

from chappe.messages.port import Operator, Outcome, Outcomes
from chappe.operators.smpp.connection import Connection
from chappe.operators.smpp.constants import CommandStatus
from chappe.operators.smpp.errors import LocalError
from chappe.operators.smpp.pacing import back_off_ms
from chappe.operators.smpp.pdu import Request, Response
from chappe.storage.database import StorageUnavailable

_log: structlog.stdlib.BoundLogger = structlog.get_logger("smpp")

OUTCOMES_MAX: Final = 256
"""In one transaction, which holds up those of customers while it runs."""
RETRY_MS_FIRST: Final = 100
RETRY_MS_MAX: Final = 5_000


class Collected(NamedTuple):
    """An outcome, and what its commit allows: a slot of `connection` given back, or `request` answered there.
    Without an outcome: what was committed before allows it.
    """

    outcome: Outcome | None
    connection: Connection | None = None
    request: Request | None = None


class Committer:
    """`on_settled` is called after each commit with the connections that have something to write now or room."""

    def __init__(
        self,
        operator: Operator,
        outcomes: Outcomes,
        *,
        on_settled: Callable[[Iterable[Connection]], None],
        on_unexpected: Callable[[Exception], None],
        random: Callable[[], float],
    ) -> None:
        self._operator = operator
        self._outcomes = outcomes
        self._on_settled = on_settled
        self._on_unexpected = on_unexpected
        self._random = random
        self._collected: deque[Collected] = deque()
        self._something = asyncio.Event()
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=f"smpp {operator.name} commits")

    def put(
        self, outcome: Outcome | None, connection: Connection | None = None, request: Request | None = None
    ) -> None:
        """Collects; see `Collected`."""
        self._collected.append(Collected(outcome, connection, request))
        self._something.set()

    async def stop(self, within_s: float) -> None:
        """Commits what is left; what cannot be is on record as leaving, or delivered again by the operator."""
        self._stopping = True
        self._something.set()
        done, _ = await asyncio.wait([self._task], timeout=within_s)
        if not done:
            _log.error("stopped before everything was stored", operator=self._operator.name)
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        collected = self._collected
        while collected or not self._stopping:
            if not collected:
                self._something.clear()
                await self._something.wait()
                continue
            await self._commit([collected.popleft() for _ in range(min(len(collected), OUTCOMES_MAX))])

    async def _commit(self, batch: list[Collected]) -> None:
        outcomes = [collected.outcome for collected in batch if collected.outcome is not None]
        failures = 0
        while True:
            try:
                if outcomes:
                    await self._outcomes.commit(self._operator, outcomes)
            except StorageUnavailable as error:
                failures += 1
                if failures == 1:
                    _log.error(
                        "the storage is not available; outcomes wait",
                        operator=self._operator.name,
                        reason=str(error),
                    )
                wait_ms = back_off_ms(failures, RETRY_MS_FIRST, RETRY_MS_MAX, self._random)
                await asyncio.sleep(wait_ms / 1000)
            except Exception as error:
                self._on_unexpected(error)
                if len(batch) == 1:
                    self._settle(batch, CommandStatus.ESME_RX_T_APPN)
                    return
                # One bad outcome must not keep its neighbours.
                for collected in batch:
                    await self._commit([collected])
                return
            else:
                if failures:
                    _log.info("the storage is available again", operator=self._operator.name)
                self._settle(batch, CommandStatus.ESME_ROK)
                return

    def _settle(self, batch: list[Collected], command_status: int) -> None:
        touched: dict[Connection, None] = {}
        try:
            for _, connection, request in batch:
                if connection is None:
                    continue
                touched[connection] = None
                if request is None:
                    connection.settle(1)
                else:
                    self._answer(connection, request.response(command_status))
            self._on_settled(touched)
        except Exception as error:
            self._on_unexpected(error)

    def _answer(self, connection: Connection, response: Response) -> None:
        try:
            # A connection that is gone was to be told nothing: its operator delivers again, which changes nothing.
            connection.respond(response)
        except LocalError as error:
            _log.warning("a request could not be answered", operator=self._operator.name, reason=str(error))
