"""Lets a plain function wait for coroutines: units and queries are plain functions, the driver is asynchronous.

The function runs in a greenlet of its own on the event loop. Where it waits for the database, the loop goes on with
others. A thread for each would cost twice the processor time, for the hops and for the interpreter lock (figures in
docs/changing/decisions.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def call_waiting(function: Callable[..., T], *arguments: Any) -> T:
    """Calls `function`, which may use `wait_for`; gives its value or raises its error."""
    running = greenlet(function)
    running.gr_context = getcurrent().gr_context
    step: Any = running.switch(*arguments)
    while not running.dead:
        try:
            value = await step
        except BaseException as error:
            step = running.throw(error)
        else:
            step = running.switch(value)
    return step


def wait_for(awaitable: Awaitable[T]) -> T:
    """The value of `awaitable`; only within a function that `call_waiting` has called."""
    caller = getcurrent().parent
    assert caller is not None, "wait_for outside of call_waiting"
    return caller.switch(awaitable)
