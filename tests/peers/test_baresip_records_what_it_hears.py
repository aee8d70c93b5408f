"""baresip picks up a call of a whole server and records it: the recording is the file that was uploaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from chappe.audio import g711
from tests.support.baresip import Baresip
from tests.support.trunked import TrunkedServer, as_wav, babble, on_the_network

pytestmark = pytest.mark.peer

FILE = as_wav(babble(4.0, seed=5))
PIECE = 4000
"""Half a second."""


def place_of(piece: NDArray[np.float64], recording: NDArray[np.float64]) -> tuple[int, float]:
    """Where a piece of the file is in the recording, by cross-correlation, and how alike they are there, up to 1."""
    size = 1 << (len(recording) + len(piece)).bit_length()
    product = np.fft.rfft(recording, size) * np.conj(np.fft.rfft(piece, size))
    place = int(np.argmax(np.fft.irfft(product, size)[: len(recording) - len(piece) + 1]))
    found = recording[place : place + len(piece)]
    return place, float(np.corrcoef(found, piece)[0, 1])


def level(samples: NDArray[np.float64]) -> float:
    """In decibels."""
    return 10 * float(np.log10(np.mean(samples**2)))


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_the_recording_is_the_file(tmp_path: Path, codec: str) -> None:
    with TrunkedServer(tmp_path, {"phone": "options_s = 5"}) as trunked:
        number = trunked.number("phone")
        telephone = Baresip(
            tmp_path / "baresip",
            trunked.ports["phone"],
            f"+33{number[1:]}",
            codec,
            speaks=as_wav(0.3 * babble(30.0, seed=6)),
        )
        with telephone:
            (callee,) = trunked.ended(trunked.send(trunked.upload(FILE), number))
    assert callee["state"] == "delivered"
    (call,) = callee["calls"]
    assert (call["result"], call["playedMs"], call["progress"]) == ("answered", 4000, "180 200")
    assert callee["durationS"] == 4
    stored = on_the_network(FILE)
    sent = (g711.decode(stored.alaw, "alaw") if codec == "PCMA" else g711.decode(stored.ulaw, "ulaw")).astype(
        np.float64
    )
    heard = telephone.heard()
    # Piece by piece: should a packet come late, the rest of the call is not to count as another sound.
    pieces = [sent[begin : begin + PIECE] for begin in range(0, len(sent), PIECE)]
    places, likenesses = zip(*(place_of(piece, heard) for piece in pieces), strict=True)
    assert min(likenesses) > 0.9, likenesses
    assert list(places) == sorted(places)
    assert places[-1] - places[0] == pytest.approx(len(sent) - PIECE, abs=800)
    spoken = heard[places[0] : places[-1] + PIECE]
    assert level(spoken) == pytest.approx(level(sent), abs=0.5)
    # Nothing but silence is heard before and after.
    assert np.max(np.abs(heard[places[-1] + PIECE :]), initial=0.0) < 100
    assert np.max(np.abs(heard[: places[0]]), initial=0.0) < 100
