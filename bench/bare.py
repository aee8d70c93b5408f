"""The yardstick: the smallest ASGI application, on Chappe's own listener or on uvicorn as it comes.

`python -m bench.bare listener|uvicorn` prints `ready http://H:P` like the server it stands beside.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
import uvloop

from chappe.http.listener import Listener

BODY = b"Hello, world!"
CONNECTIONS_MAX = 4096

Message = MutableMapping[str, Any]


async def hello(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answers everything with the same thirteen octets."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", b"13"), (b"content-type", b"text/plain")],
        }
    )
    await send({"type": "http.response.body", "body": BODY})


async def _on_listener() -> None:
    logging.getLogger("uvicorn").propagate = False
    listener = Listener(hello, connections_max=CONNECTIONS_MAX)
    port = await listener.listen("127.0.0.1", 0)
    _ready(port)
    await asyncio.Event().wait()


def _on_uvicorn() -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    _ready(listening.getsockname()[1])
    config = uvicorn.Config(
        hello, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False
    )
    config.log_level = logging.ERROR
    uvicorn.Server(config).run(sockets=[listening])


def _ready(port: int) -> None:
    gc.collect()
    gc.freeze()
    print(f"ready http://127.0.0.1:{port}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["uvicorn"]:
        _on_uvicorn()
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_on_listener())
