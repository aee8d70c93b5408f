"""The data folder: made once, held by one process at a time, with the secret that keys everything else."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType

from chappe.storage.database import StorageRefused

SECRET_BYTES = 32


class FolderHeld(StorageRefused):
    """Another process holds the folder (a server: the command line then goes through its socket)."""


class Folder:
    """A data folder. `hold()` takes the lock, which the kernel gives back however the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd: int | None = None

    @property
    def database(self) -> Path:
        return self.path / "chappe.db"

    @property
    def socket(self) -> Path:
        return self.path / "chappe.sock"

    @property
    def secret(self) -> Path:
        return self.path / "secret.key"

    def hold(self) -> None:
        """Creates the folder if need be and takes its lock; raises `FolderHeld` or `StorageRefused`."""
        lock = self.path / "chappe.lock"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageRefused(f"cannot use the data folder {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise FolderHeld(f"the data folder {self.path} is held by another server (process {holder or '?'})") from error
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._lock_fd = fd

    def release(self) -> None:
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def __enter__(self) -> Folder:
        self.hold()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def read_secret(path: Path) -> bytes | None:
    """The secret at `path`, or None when there is no such file; raises `StorageRefused` if it is unusable."""
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StorageRefused(f"cannot read the secret {path}: {error}") from error
    try:
        secret = bytes.fromhex(text)
    except ValueError as error:
        raise StorageRefused(f"the secret {path} is not hexadecimal") from error
    if len(secret) < SECRET_BYTES:
        raise StorageRefused(f"the secret {path} is shorter than {SECRET_BYTES} bytes")
    return secret


def make_secret(path: Path) -> bytes:
    """Writes a new secret, mode 0600, on disk before it returns; never over an existing one."""
    secret = secrets.token_bytes(SECRET_BYTES)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, secret.hex().encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        os.link(temporary, path)
        os.unlink(temporary)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise StorageRefused(f"cannot write the secret {path}: {error.strerror}") from error
    return secret
