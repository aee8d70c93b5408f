"""The yardstick for media: a loop that only sends a packet of each stream every 20 ms, and reads whatever comes.

`python -m bench.rtp_bare` is told in a line of JSON on its standard input which ports its streams send to, one each; it
answers with the ports that they have, and goes on until it is ended. The packet is always the same, what comes is thrown away.
"""

from __future__ import annotations

import gc
import json
import resource
import select
import signal
import socket
import sys
import time

FRAME_MS = 20
PACKET = bytes((0x80, 8)) + bytes(170)
READ_OCTETS = 2048
READY_MAX = 64


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    remotes: list[int] = json.loads(sys.stdin.readline())
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in remotes]
    poll = select.epoll()
    for sock in sockets:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        poll.register(sock, select.EPOLLIN)
    print(json.dumps([sock.getsockname()[1] for sock in sockets]), flush=True)
    turns = [
        [
            (sock.sendto, ("127.0.0.1", port))
            for sock, port in zip(sockets[slot::FRAME_MS], remotes[slot::FRAME_MS], strict=True)
        ]
        for slot in range(FRAME_MS)
    ]
    reads = {sock.fileno(): sock.recvfrom for sock in sockets}
    gc.disable()
    start_ns, tick = time.monotonic_ns(), 0
    while True:
        wait_ns = start_ns + tick * 1_000_000 - time.monotonic_ns()
        if wait_ns <= 0:
            for send, remote in turns[tick % FRAME_MS]:
                send(PACKET, remote)
            tick += 1
        for fd, _ in poll.poll(max(0, wait_ns) / 1e9, READY_MAX):
            reads[fd](READ_OCTETS)


if __name__ == "__main__":
    main()
