"""The data folder: made once, held by one process at a time, with the secret that keys everything else."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from pathlib import Path

from chappe.storage.database import StorageRefused

SECRET_BYTES = 32
WAIT_S_MAX = 30.0
WAIT_STEP_S = 0.02


class FolderHeld(StorageRefused):
    """Another process holds the folder; `by_server` says that it is a server and not a short command."""

    def __init__(self, path: Path, holder: str) -> None:
        what, _, pid = holder.partition(" ")
        self.by_server = what == "server"
        super().__init__(
            f"the data folder {path} is held by another {what or 'process'} (process {pid or 'unknown'})"
        )


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

    def hold(self, *, as_server: bool) -> None:
        """Creates the folder if need be and takes its lock; raises `FolderHeld` or `StorageRefused`.

        A command gives the folder back within moments, so it is waited for; a server is not.
        """
        deadline = time.monotonic() + WAIT_S_MAX
        while True:
            try:
                self._try_to_hold("server" if as_server else "command")
            except FolderHeld as held:
                if held.by_server or time.monotonic() > deadline:
                    raise
                time.sleep(WAIT_STEP_S)
            else:
                return

    def _try_to_hold(self, holder: str) -> None:
        lock = self.path / "chappe.lock"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageRefused(f"cannot use the data folder {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            other = os.read(fd, 64).decode("ascii", "replace").strip()
            os.close(fd)
            raise FolderHeld(self.path, other if _is_alive(other) else "") from error
        os.ftruncate(fd, 0)
        os.write(fd, f"{holder} {os.getpid()}\n".encode())
        self._lock_fd = fd

    def release(self) -> None:
        if self._lock_fd is not None:
            os.ftruncate(self._lock_fd, 0)
            os.close(self._lock_fd)
            self._lock_fd = None


def _is_alive(holder: str) -> bool:
    # Who holds the lock writes its name a moment after taking it: until then the name is the last holder's.
    pid = holder.partition(" ")[2]
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # another user's
    return True


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
        temporary.unlink(missing_ok=True)  # of a start that died here: in a container the number is the same
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(fd, secret.hex().encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            os.link(temporary, path)
        except FileExistsError:
            made = read_secret(path)  # by another process that starts on the same database
            if made is None:
                raise
            secret = made
        os.unlink(temporary)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise StorageRefused(f"cannot write the secret {path}: {error.strerror}") from error
    return secret
