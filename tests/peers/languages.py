"""The languages that the documentation has samples in: how a program of each is compiled and run.

Every function gives the command of `stem` in its language, compiled into `folder` where it needs to be.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.peers import need, need_module, need_npm
from tests.support.server import clean_environment

PROGRAMS = Path(__file__).parent / "programs"
COMPILE_S_MAX = 300
RUN_S_MAX = 60


def compile_with(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=COMPILE_S_MAX,
    )
    assert done.returncode == 0, done.stdout


def php(_folder: Path, stem: str) -> list[str]:
    interpreter = need("php")
    need_module("the curl extension", interpreter, "-r", "exit(extension_loaded('curl') ? 0 : 1);")
    return [interpreter, str(PROGRAMS / f"{stem}.php")]


def python_requests(_folder: Path, stem: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / f"{stem}_requests.py")]


def python_http_client(_folder: Path, stem: str) -> list[str]:
    return [sys.executable, str(PROGRAMS / f"{stem}_http_client.py")]


def curl(_folder: Path, stem: str) -> list[str]:
    return ["/bin/sh", str(PROGRAMS / f"{stem}.sh"), need("curl")]


def node_axios(_folder: Path, stem: str) -> list[str]:
    modules = need_npm("axios")
    return ["/usr/bin/env", f"NODE_PATH={modules}", need("node"), str(PROGRAMS / f"{stem}.js")]


def java(folder: Path, stem: str) -> list[str]:
    machine, name = need("java", "javac"), stem.capitalize()
    compile_with(need("javac"), "-encoding", "UTF-8", "-d", folder, PROGRAMS / f"{name}.java")
    return [machine, "-cp", str(folder), name]


def go(folder: Path, stem: str) -> list[str]:
    program = folder / stem
    # One file, the standard library only: no module, no network, no C compiler.
    command = [need("go"), "build", "-o", program, PROGRAMS / f"{stem}.go"]
    # The compiled library is shared by all programs of a run of the tests.
    cache = str(folder.parent / "go-cache")
    compile_with(*command, GO111MODULE="off", CGO_ENABLED="0", GOFLAGS="", GOCACHE=cache)
    return [str(program)]


def ruby(_folder: Path, stem: str) -> list[str]:
    """The documentation has no sample in Ruby; the one library for Voice Partner that others wrote is."""
    return [need("ruby"), str(PROGRAMS / f"{stem}.rb")]


def csharp_httpclient(folder: Path, stem: str) -> list[str]:
    return _csharp(folder, f"{stem.capitalize()}HttpClient", "-r:System.Net.Http")


def csharp_httpwebrequest(folder: Path, stem: str) -> list[str]:
    return _csharp(folder, f"{stem.capitalize()}HttpWebRequest")


def _csharp(folder: Path, name: str, *references: str) -> list[str]:
    machine, program = need("mono", "mcs"), folder / f"{name}.exe"
    compile_with(need("mcs"), f"-out:{program}", *references, PROGRAMS / f"{name}.cs")
    return [machine, str(program)]


LANGUAGES = (
    php,
    python_requests,
    python_http_client,
    curl,
    node_axios,
    java,
    go,
    csharp_httpclient,
    csharp_httpwebrequest,
)


def run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """What a program wrote and its exit code."""
    return subprocess.run(
        command,
        # A UTF-8 locale, or Java and Mono print a question mark for what is not ASCII.
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=RUN_S_MAX,
    )
