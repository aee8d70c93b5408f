"""baresip as a telephone without a sound card: it picks up by itself, speaks a file, and records what it hears."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from tests.support.peers import need
from tests.support.server import clean_environment

RUN_S_MAX = 90
READY_S_MAX = 20.0
END_S_MAX = 20.0
MODULE_FOLDERS = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")

# 1.0 listens on the addresses of an interface; on a bare address it can be made to by this name for one.
CONFIGURATION = """
poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
rtp_ports 20000-29998
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_app account.so
module_app menu.so
audio_source aufile,{speaks}
audio_player aubridge,nobody
audio_alert aubridge,nobody
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
snd_path {directory}
"""


class Baresip:
    """A context manager: the telephone of one number (as it stands in the request), with one codec."""

    def __init__(self, directory: Path, port: int, number: str, codec: str, speaks: bytes) -> None:
        self._program = need("baresip")
        self._directory = directory
        directory.mkdir(parents=True)
        spoken = directory / "speaks.wav"
        spoken.write_bytes(speaks)
        modules = next((folder for folder in MODULE_FOLDERS if Path(folder).is_dir()), MODULE_FOLDERS[0])
        (directory / "config").write_text(
            CONFIGURATION.format(port=port, modules=modules, speaks=spoken, directory=directory)
        )
        (directory / "accounts").write_text(
            f"<sip:{number}@127.0.0.1>;regint=0;answermode=auto;audio_codecs={codec}/8000/1\n"
        )
        (directory / "contacts").write_text("")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._directory / "baresip.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["timeout", "-k", "5", str(RUN_S_MAX), self._program, "-f", str(self._directory)],
                cwd=self._directory,
                env=clean_environment(HOME=str(self._directory)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_S_MAX
        while "baresip is ready" not in self.log:
            assert self._process.poll() is None, f"baresip has ended: {self.log}"
            assert time.monotonic() < deadline, f"baresip is not ready: {self.log}"
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        # timeout and baresip are a process group of their own.
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def log(self) -> str:
        return (self._directory / "baresip.log").read_text("utf-8", "replace")

    def heard(self) -> NDArray[np.float64]:
        """What came out of the receiver in its only call, at 8 kHz; after the end of this program."""
        (path,) = self._directory.glob("dump-*-dec.wav")
        samples, rate_hz = soundfile.read(path, dtype="int16")
        assert rate_hz == 8000
        return samples.astype(np.float64)
