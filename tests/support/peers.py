"""Independent programs that the tests drive: a missing one fails in CI and is a visible skip elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "node_modules"
PROBE_S_MAX = 30.0


def need(program: str, *more: str) -> str:
    """The path of `program`, when it and all of `more` are on the PATH (or in /usr/sbin)."""
    # Debian keeps daemons such as Kannel's in /usr/sbin, which is not on everyone's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = {name: shutil.which(name, path=path) for name in (program, *more)}
    absent = [name for name, place in found.items() if place is None]
    if absent:
        missing(", ".join(absent))
    return str(found[program])


def need_module(module: str, *probe: str) -> None:
    """A library of another language: there when the command `probe` exits with 0.

    `need_module("Net::SMPP", need("perl"), "-MNet::SMPP", "-e", "1")`
    """
    done = subprocess.run(
        probe, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S_MAX, check=False
    )
    if done.returncode != 0:
        missing(f"{module} (for {Path(probe[0]).name})")


def need_npm(package: str) -> Path:
    """The node_modules folder (for NODE_PATH) that holds the npm package `package`."""
    if not (NODE_MODULES / package / "package.json").is_file():
        missing(f"npm package {package}", "make setup-dev")
    return NODE_MODULES


def missing(what: str, remedy: str = "make test-peers") -> NoReturn:
    """Fails the test in CI, skips it elsewhere; either way it is listed with what it needs."""
    reason = f"not installed: {what}; `{remedy}` installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
