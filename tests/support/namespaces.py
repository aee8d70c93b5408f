"""Hosts of the tests' own on one machine: network namespaces joined by a cable that can be pulled (root, iproute2)."""

from __future__ import annotations

import os
import secrets
import subprocess
from typing import Self

from tests.support.peers import missing, need

COMMAND_S_MAX = 20.0


class Host:
    """A context manager: a namespace, joined to this one by `cables`. `here(0)` is our address on the first of them."""

    def __init__(self, cables: int) -> None:
        self._cables = range(cables)
        self._ip = need("ip")
        if os.getuid() != 0:
            missing("the right to make network namespaces", "running the tests as root")
        self.name = f"chappe{secrets.token_hex(2)}"

    def __enter__(self) -> Self:
        if self._run("netns", "add", self.name, check=False).returncode != 0:
            missing("the right to make network namespaces", "running the tests where they are permitted")
        try:
            self._run("-n", self.name, "link", "set", "lo", "up")
            for cable in self._cables:
                near, far = f"{self.name}-{cable}", f"far{cable}"
                self._run("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
                self._run("addr", "add", f"{self.here(cable)}/24", "dev", near)
                self._run("link", "set", near, "up")
                self._run("-n", self.name, "addr", "add", f"10.231.{cable + 77}.2/24", "dev", far)
                self._run("-n", self.name, "link", "set", far, "up")
        except BaseException:
            self._run("netns", "delete", self.name, check=False)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._run("netns", "delete", self.name)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command is to begin with to run at the far end."""
        return (self._ip, "netns", "exec", self.name)

    @staticmethod
    def here(cable: int) -> str:
        """This end's address on a cable, which the other end reaches."""
        return f"10.231.{cable + 77}.1"

    def pull(self, cable: int) -> None:
        """Nothing passes any more, and neither end is told."""
        self._run("-n", self.name, "link", "set", f"far{cable}", "down")

    def plug(self, cable: int) -> None:
        """It passes again."""
        self._run("-n", self.name, "link", "set", f"far{cable}", "up")

    def _run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._ip, *words],
            check=check,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=COMMAND_S_MAX,
        )
