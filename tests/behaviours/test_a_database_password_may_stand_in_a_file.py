"""The password of PostgreSQL may stand in a file that PGPASSFILE names, as docs/running/postgresql.md shows it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.postgres import PostgresServer
from tests.support.server import ChappeServer

PAGE = Path(__file__).parents[2] / "docs" / "running" / "postgresql.md"


def test_the_file_of_the_page_with_other_names_lets_a_server_in(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    database = postgres.create_database()
    url = urlsplit(postgres.url(database))
    (line,) = re.findall(r"^ *([^\s:]+:[0-9]+:\w+:\w+:.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    host, port, name, user, password = line.split(":")
    assert (host, port, name, user) == ("127.0.0.1", "5432", "chappe", "chappe")
    assert password == "choose one"
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"{host}:{url.port}:{database}:{url.username}:{url.password}\n")
    passfile.chmod(0o600)
    environment = {
        "CHAPPE_DATABASE": f"postgresql://{url.username}@127.0.0.1:{url.port}/{database}",
        "CHAPPE_SECRET_FILE": str(tmp_path / "secret.key"),
        "PGPASSFILE": str(passfile),
    }
    with ChappeServer(tmp_path, environment=environment) as server:
        server.create_account("ana@example.fr")
        assert url.password
        assert url.password not in server.stderr
    # Readable by others, the file is not used: PostgreSQL's own programs do the same.
    passfile.chmod(0o644)
    with pytest.raises(AssertionError, match="password"):
        ChappeServer(tmp_path / "again", environment=environment).start()
