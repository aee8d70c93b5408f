"""A server whose voice goes to trunks of the test's own, and a customer who has it call there over HTTP."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import requests
import soundfile
from numpy.typing import NDArray

from chappe.administration.commands import AccountCreate, CallShow, Check
from chappe.audio.convert import convert
from chappe.audio.sound import Converted
from tests.support.server import ChappeServer
from tests.support.sipp import far_ports

REQUEST_S_MAX = 60
END_S_MAX = 60.0
PRICE_MICRO = 900
"""A second of a voice SMS to a mobile."""
CREDIT = "10"


def babble(seconds: float, seed: int) -> NDArray[np.float32]:
    """Noise in syllables, 8 kHz: no two parts of it are alike, so that whoever hears it knows which part it was."""
    count = round(8000 * seconds)
    noise = np.random.default_rng(seed).standard_normal(count)
    spectrum = np.fft.rfft(noise)
    hz = np.fft.rfftfreq(count, 1 / 8000)
    spectrum[(hz < 300) | (hz > 3000)] = 0
    band = np.fft.irfft(spectrum, count)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count) / 8000)
    return (0.1 * band / np.std(band) * syllables).astype(np.float32)


def as_wav(wave: NDArray[np.float32]) -> bytes:
    written = io.BytesIO()
    soundfile.write(written, wave, 8000, format="WAV", subtype="PCM_16")
    return written.getvalue()


class TrunkedServer:
    """A context manager. `trunks`: by name, lines of each one's `[[operators]]` besides name, kind, host and port.
    `routes`: names of trunks, by a name of the route's own; each trunk is a route by itself too. At the end every
    invariant holds.
    """

    def __init__(
        self,
        directory: Path,
        trunks: Mapping[str, str],
        routes: Mapping[str, tuple[str, ...]] | None = None,
        voice: str = "",
    ) -> None:
        self.directory = directory
        self.ports = dict(zip(trunks, far_ports(len(trunks)), strict=True))
        self._routes = {name: (name,) for name in trunks} | dict(routes or {})
        self._calls = 0
        self.server = ChappeServer(directory / "server", rate_limits=False)
        lines = ["[voice]", 'sip_host = "127.0.0.1"', voice]
        for name, more in trunks.items():
            lines += ["[[operators]]", f'name = "{name}"', 'kind = "sip"', 'host = "127.0.0.1"']
            lines += [f"port = {self.ports[name]}", "calls_per_second = 100", more]
            if "options_s" not in more and "register_s" not in more:
                lines.append("options_s = 0")  # it counts as up, whether sipp is there yet or not
        for place, operators in enumerate(self._routes.values()):
            lines += ["[[routes]]", 'product = "voice"', f'prefix = "33611{place:02}"']
            lines.append(f"operators = {json.dumps(list(operators))}")
        (self.server.data / "chappe.toml").write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self.start()
        self.key: str = self.server.ask(AccountCreate("ana@example.fr", credit=CREDIT))["apiKey"]
        return self

    def __exit__(self, *failure: object) -> None:
        if failure[0] is None:
            self.server.assert_no_traceback()
            assert self.server.ask(Check())["breaches"] == []
        self.server.__exit__(*failure)

    def start(self) -> None:
        self.server.start()

    def number(self, route: str) -> str:
        """Another one each time, as people write it."""
        self._calls += 1
        return f"0611{list(self._routes).index(route):02}{self._calls:04}"

    def upload(self, content: bytes) -> str:
        """The token of a stored file."""
        answer = requests.post(
            f"{self.server.base_url}/voice/v1/audio-file/upload",
            files={"file": ("annonce.wav", content)},
            data={"apiKey": self.key, "filename": "annonce"},
            timeout=REQUEST_S_MAX,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["tokenAudio"]

    def send(self, token: str, *numbers: str, **fields: object) -> str:
        """A voice SMS that plays a stored file; its campaignId."""
        body = {"apiKey": self.key, "phoneNumbers": ",".join(numbers), "tokenAudio": token, **fields}
        answer = requests.post(f"{self.server.base_url}/voice/v1/tts/send", json=body, timeout=REQUEST_S_MAX)
        assert answer.status_code == 200, answer.text
        return answer.json()["campaignId"]

    def campaign(self, campaign_id: str) -> Any:
        """What `chappe call show --json` shows."""
        return self.server.ask(CallShow(campaign_id))

    def ended(self, campaign_id: str) -> list[Any]:
        """The callees, once all of them have ended."""
        deadline = time.monotonic() + END_S_MAX
        while (campaign := self.campaign(campaign_id))["endedAtMs"] is None:
            assert time.monotonic() < deadline, f"not ended: {campaign}\n{self.server.stderr}"
            time.sleep(0.05)
        return campaign["callees"]

    @property
    def credit(self) -> str:
        answer = requests.get(f"{self.server.base_url}/voice/v1/me/{self.key}", timeout=REQUEST_S_MAX)
        return answer.json()["credit"]


def on_the_network(content: bytes) -> Converted:
    """What a file is once it is stored: the octets that are to be heard."""
    return convert(content)
