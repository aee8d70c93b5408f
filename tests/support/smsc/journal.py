"""The journal of the stand-in: what it saw and said, one line each, in a file that outlives every kill.

A line is in the file before the octets that it is about are on the wire, and a line that is not whole was never
acted upon. So what the journal says is the truth about the network, whoever died when.

    kind at_ms bind sequence_number message_id number detail

`bound` and `ended` are about a bind (detail: its system_id). `taken`: the SMSC has the message from now on (detail:
`data_coding:esm_class:short_message in hex`); `refused` and `throttled`: it has not (detail: the status). `answered`:
submit_sm_resp was written. `receipt` (detail: its state) and `acknowledged` (detail: the status of deliver_sm_resp).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["bound", "ended", "taken", "refused", "throttled", "answered", "receipt", "acknowledged"]
COLUMNS = 7


class Entry(NamedTuple):
    """One line. What does not go with its kind is 0 or empty."""

    kind: str
    at_ms: int
    bind: int
    sequence_number: int
    message_id: str
    number: str
    detail: str

    @property
    def octets(self) -> bytes:
        """short_message of a `taken` line."""
        return bytes.fromhex(self.detail.rpartition(":")[2])

    @property
    def esm_class(self) -> int:
        return int(self.detail.split(":")[1])

    @property
    def data_coding(self) -> int:
        return int(self.detail.split(":")[0])


class Journal:
    """Appends. `note` collects, `flush` writes what was collected with one system call."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._fd, _whole_octets(path))
        self._lines: list[str] = []

    def note(
        self,
        kind: Kind,
        at_ms: int,
        bind: int,
        sequence_number: int = 0,
        message_id: str = "",
        number: str = "",
        detail: str = "",
    ) -> None:
        self._lines.append(f"{kind} {at_ms} {bind} {sequence_number} {message_id} {number} {detail}\n")

    def flush(self) -> None:
        if not self._lines:
            return
        data = "".join(self._lines).encode("latin-1", "replace")
        self._lines.clear()
        while data:
            data = data[os.write(self._fd, data) :]


def _whole_octets(path: Path) -> int:
    """Octets up to the end of the last whole line."""
    return path.read_bytes().rfind(b"\n") + 1


class JournalReader:
    """Reads a journal that may still grow: each call of `more` gives the lines that came since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def more(self) -> Iterator[Entry]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._position += whole
        for line in data[:whole].decode("latin-1").split("\n")[:-1]:
            columns = line.split(" ", COLUMNS - 1)
            kind, at_ms, bind, sequence_number, message_id, number, detail = columns
            yield Entry(kind, int(at_ms), int(bind), int(sequence_number), message_id, number, detail)


def read_journal(path: Path) -> list[Entry]:
    """Every whole line of the journal."""
    return list(JournalReader(path).more())
