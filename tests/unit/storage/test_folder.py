"""The data folder: who holds it, and what is said to the others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chappe.storage import folder as folder_module
from chappe.storage.database import StorageRefused
from chappe.storage.folder import Folder, FolderHeld


def process_that_has_ended() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "deep" / "data")
    folder.hold(as_server=True)
    folder.release()
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_folder_held_by_a_server_is_refused_at_once(tmp_path: Path) -> None:
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.hold(as_server=True)
    for as_server in (True, False):
        with pytest.raises(FolderHeld, match=rf"held by another server \(process {os.getpid()}\)") as held:
            second.hold(as_server=as_server)
        assert held.value.by_server
    first.release()
    second.hold(as_server=True)
    second.release()


def test_a_folder_held_by_a_command_is_waited_for(tmp_path: Path) -> None:
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.hold(as_server=False)
    done = threading.Event()

    def wait() -> None:
        second.hold(as_server=True)
        done.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not done.is_set()
    first.release()
    waiting.join(10)
    assert done.is_set()
    second.release()


def test_a_command_that_stays_is_named_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "WAIT_S_MAX", 0.0)
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.hold(as_server=False)
    with pytest.raises(FolderHeld, match="held by another command"):
        second.hold(as_server=True)
    first.release()


@pytest.mark.parametrize("left_behind", ["", "server {ended}\n", "server x\n", "\xff\n"])
def test_the_name_that_a_killed_server_left_is_not_taken_for_the_holder(
    tmp_path: Path, left_behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever takes the lock writes its name a moment later: in between stands the name of the last one.
    monkeypatch.setattr(folder_module, "WAIT_S_MAX", 0.0)
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.hold(as_server=False)
    name = left_behind.format(ended=process_that_has_ended())
    (tmp_path / "chappe.lock").write_text(name, encoding="latin-1")
    with pytest.raises(FolderHeld) as held:
        second.hold(as_server=True)
    assert not held.value.by_server
    first.release()


@pytest.mark.parametrize("place", ["/proc/chappe", "/dev/null/chappe", "a-file"])
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(StorageRefused, match="cannot use the data folder"):
        Folder(tmp_path / place).hold(as_server=True)
