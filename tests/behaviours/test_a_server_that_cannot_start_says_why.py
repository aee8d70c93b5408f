"""Whatever keeps the server from starting is said in one clear line on standard error, and the exit code is 1."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.server import CHAPPE, ChappeServer, clean_environment

START_S_MAX = 60.0


def refusal(data: Path, *flags: str, **environment: str) -> str:
    """The one line that `chappe serve` ends with."""
    command = [str(CHAPPE), "serve", "--host", "127.0.0.1", "--port", "0", "--data", str(data), *flags]
    done = subprocess.run(
        command,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=START_S_MAX,
    )
    assert (done.returncode, done.stdout) == (1, ""), done
    # What was logged before is JSON; the refusal is the last line and the only other one.
    *logged, last = done.stderr.splitlines()
    assert all(line.startswith("{") and '"exc_type"' not in line for line in logged), done.stderr
    assert last.startswith("chappe: "), done.stderr
    return last.removeprefix("chappe: ")


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ("port = ", "chappe.toml: Invalid value"),
        ("prot = 8000", "unknown field `prot`"),
        ("port = 'http'", "Expected `int | null`, got `str`"),
        ("tls_port = 70000\ntls_cert = 'a'\ntls_key = 'b'", "tls_port is 70000, not a port number"),
        ("log_level = 'loud'", "loud"),
        ("callback_allow = ['nowhere']", "'nowhere' is not an IP address"),
        ("[[routes]]\nproduct = 'sms'\noperators = ['op1']", "'op1', which is not configured"),
        ("[[operators]]\nname = 'op1'\nkind = 'smpp'\nhost = 'h'\nport = 0", "operator op1: port 0"),
        ("[[operators]]\nname = 'op1'\nkind = 'fax'\nhost = 'h'\nport = 1", "fax"),
        ("tls_port = 0", "--tls-port needs --tls-cert and --tls-key"),
        ("tls_port = 0\ntls_cert = 'none.pem'\ntls_key = 'none.pem'", "none.pem"),
    ],
    ids=lambda text: text.replace("\n", " ")[:40],
)
def test_a_configuration_that_cannot_be_used(configuration: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "chappe.toml").write_text(configuration, "utf-8")
    assert words in refusal(tmp_path)


def test_flags_and_variables_that_cannot_be_used(tmp_path: Path) -> None:
    assert "there is no configuration file" in refusal(tmp_path, "--config", str(tmp_path / "none.toml"))
    assert "CHAPPE_TLS_PORT is 'https'" in refusal(tmp_path, CHAPPE_TLS_PORT="https")
    assert "neither on nor off" in refusal(tmp_path, CHAPPE_RATE_LIMITS="perhaps")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_in_use(taken: int, tmp_path: Path) -> None:
    assert f"127.0.0.1:{taken}" in (said := refusal(tmp_path, "--port", str(taken)))
    assert "Address already in use: --port or CHAPPE_PORT chooses another one" in said
    assert not (tmp_path / "chappe.db").exists()


def test_a_port_of_the_built_in_network_that_was_asked_for_and_is_in_use(taken: int, tmp_path: Path) -> None:
    (tmp_path / "chappe.toml").write_text(f"[simulator]\nsmpp_port = {taken}\n")
    assert str(taken) in refusal(tmp_path)


def test_an_address_that_is_not_this_machine_s(tmp_path: Path) -> None:
    assert "192.0.2.1" in refusal(tmp_path, "--host", "192.0.2.1")


@pytest.mark.parametrize("place", ["file", "file/data", "proc"])
def test_a_folder_that_cannot_be_written(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = Path("/proc/chappe") if place == "proc" else tmp_path / place
    said = refusal(data)
    assert str(data) in said


def test_a_folder_that_another_server_holds(tmp_path: Path) -> None:
    with ChappeServer(tmp_path) as server:
        assert f"is held by another server (process {server.pid})" in refusal(server.data)
        assert server.running


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that ran."""
    with ChappeServer(tmp_path_factory.mktemp("used")) as server:
        pass
    return server.data


def test_a_database_from_a_newer_version(used: Path, tmp_path: Path) -> None:
    data = shutil.copytree(used, tmp_path / "newer")
    with closing(sqlite3.connect(data / "chappe.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "newer than this version" in refusal(data)


def test_a_database_that_is_none(used: Path, tmp_path: Path) -> None:
    data = shutil.copytree(used, tmp_path / "none")
    for file in data.glob("chappe.db*"):
        file.unlink()
    (data / "chappe.db").write_bytes(b"Dear operator, these are my holiday notes. " * 100)
    assert "is not a database of Chappe" in refusal(data)


def test_a_secret_that_is_missing_or_another_one(used: Path, tmp_path: Path) -> None:
    data = shutil.copytree(used, tmp_path / "secret")
    (data / "secret.key").write_text("ab" * 32)
    assert "is not the one of this database" in refusal(data)
    (data / "secret.key").unlink()
    assert "of this database is missing" in refusal(data)


def test_a_database_server_that_does_not_answer(tmp_path: Path) -> None:
    secret = tmp_path / "secret.key"
    secret.write_text("ab" * 32)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"postgresql://chappe@127.0.0.1:{closed.getsockname()[1]}/chappe"
        assert "cannot connect to PostgreSQL" in refusal(
            tmp_path, "--database", url, CHAPPE_SECRET_FILE=str(secret)
        )
