"""Opening a store: the secret that belongs to the database, and who may read the files."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from chappe.storage.database import StorageRefused
from chappe.storage.folder import Folder
from chappe.storage.store import open_store
from chappe.storage.vault import Vault


@pytest.fixture(autouse=True)
def _no_configured_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAPPE_SECRET_FILE", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def fingerprint(folder: Folder) -> str:
    store = await open_store(folder)
    await store.close()
    return store.vault.fingerprint


async def test_the_secret_is_made_once_and_for_its_owner_alone(folder: Folder) -> None:
    first = await fingerprint(folder)
    made = folder.secret.read_bytes()
    assert folder.secret.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(made.decode())) == 32
    assert await fingerprint(folder) == first
    assert folder.secret.read_bytes() == made
    assert not list(folder.path.glob("secret.key.*"))


async def test_every_file_of_the_database_is_for_its_owner_alone(folder: Folder) -> None:
    store = await open_store(folder)
    try:
        files = list(folder.path.glob("chappe.db*"))
        assert {file.name for file in files} >= {"chappe.db", "chappe.db-wal"}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    finally:
        await store.close()


async def test_a_missing_secret_is_refused_and_not_made_anew(folder: Folder) -> None:
    await fingerprint(folder)
    folder.secret.unlink()
    with pytest.raises(StorageRefused, match="is missing: restore it from your backup"):
        await open_store(folder)
    assert not folder.secret.exists()


async def test_another_secret_is_refused(folder: Folder) -> None:
    await fingerprint(folder)
    kept = folder.secret.read_text()
    folder.secret.write_text(secrets.token_hex(32))
    with pytest.raises(StorageRefused, match="is not the one of this database"):
        await open_store(folder)
    folder.secret.write_text(kept)
    await fingerprint(folder)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "shorter than 32 bytes"),
        (b"00" * 31, "shorter than 32 bytes"),
        (b"not hexadecimal", "is not hexadecimal"),
        (b"\xff\xfe", "cannot read the secret"),
    ],
)
async def test_a_secret_that_is_none_is_refused(folder: Folder, content: bytes, why: str) -> None:
    folder.secret.write_bytes(content)
    with pytest.raises(StorageRefused, match=why):
        await open_store(folder)


async def test_a_secret_without_a_database_is_adopted(folder: Folder) -> None:
    # As after a crash between making the secret and remembering its fingerprint, or put there by hand.
    secret = secrets.token_hex(32)
    folder.secret.write_text(secret)
    assert await fingerprint(folder) == Vault(bytes.fromhex(secret)).fingerprint
    assert folder.secret.read_text() == secret


async def test_what_a_start_left_that_died_while_making_the_secret_is_no_obstacle(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a container every start has the same process number.
    monkeypatch.setattr("os.getpid", lambda: 7)
    folder.secret.with_name("secret.key.7").write_text("half a sec")
    await fingerprint(folder)


async def test_a_configured_secret_file_is_used_instead(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(elsewhere))
    await fingerprint(folder)
    assert elsewhere.exists()
    assert not folder.secret.exists()
    monkeypatch.setenv("CHAPPE_SECRET_FILE", "")  # an empty variable is an unset one
    with pytest.raises(StorageRefused, match=r"secret\.key .* is missing"):
        await open_store(folder)


async def test_a_secret_that_cannot_be_written_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAPPE_SECRET_FILE", str(folder.path / "no" / "such" / "folder.key"))
    with pytest.raises(StorageRefused, match="cannot write the secret"):
        await open_store(folder)


def test_hashes_depend_on_the_secret_and_on_the_purpose() -> None:
    one, other = Vault(b"1" * 32), Vault(b"2" * 32)
    hashes = {
        one.keyed_hash("a", b"value"),
        one.keyed_hash("b", b"value"),
        other.keyed_hash("a", b"value"),
    }
    assert len(hashes) == 3
    assert one.keyed_hash("a", b"value") in hashes


def test_what_is_sealed_opens_for_its_purpose_and_place_only() -> None:
    vault = Vault(b"1" * 32)
    sealed = vault.seal("api-key", b"value", bound_to=b"row 1")
    assert vault.open("api-key", sealed, bound_to=b"row 1") == b"value"
    assert b"value" not in sealed
    assert vault.seal("api-key", b"value", bound_to=b"row 1") != sealed
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for vault_, purpose, octets, row in (
        (vault, "other", sealed, b"row 1"),
        (vault, "api-key", sealed, b"row 2"),
        (vault, "api-key", changed, b"row 1"),
        (Vault(b"2" * 32), "api-key", sealed, b"row 1"),
    ):
        with pytest.raises(InvalidTag):
            vault_.open(purpose, octets, bound_to=row)
