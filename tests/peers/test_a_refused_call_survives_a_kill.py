"""The server is killed after a trunk has refused a call and before the next one makes it: the next one makes it all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.behaviours.callbacks import until
from tests.support.sipp import Sipp, accept, answer, heard, hung_up, pause, refuse, sdp
from tests.support.trunked import TrunkedServer, as_wav, babble

pytestmark = pytest.mark.peer


def test_a_refused_call_is_made_by_the_next_trunk_after_a_kill(tmp_path: Path) -> None:
    trunks = {"full": "", "busy": "concurrent_calls = 1"}
    with TrunkedServer(tmp_path, trunks, {"both": ("full", "busy")}, "ring_s_max = 60") as trunked:
        token = trunked.upload(as_wav(babble(0.5, seed=1)))
        rings = (heard("INVITE"), accept("180 Ringing"), pause(50_000))
        refuses = (heard("INVITE"), answer("100 Trying"), refuse("503 Service Unavailable"))
        with (
            Sipp(tmp_path / "rings", trunked.ports["busy"], *rings) as ringing,
            Sipp(tmp_path / "refuses", trunked.ports["full"], *refuses) as refusing,
        ):
            # The second trunk's only place is taken by a call that rings, so the refused one has to wait for it.
            lost = trunked.send(token, trunked.number("busy"))
            until(lambda: bool(ringing.received), "the second trunk rings")
            campaign = trunked.send(token, trunked.number("both"))
            refusing.over()
            until(lambda: callee(trunked, campaign)["state"] == "waiting", "the refusal is committed")
            trunked.server.kill()
        answers = (heard("INVITE"), accept("200 OK", body=sdp(), repeats=True), heard("ACK"), hung_up())
        with Sipp(tmp_path / "answers", trunked.ports["busy"], *answers) as answering:
            trunked.start()
            (held,) = trunked.ended(lost)
            (made,) = trunked.ended(campaign)
            answering.over()
        assert [call["result"] for call in held["calls"]] == ["lost"]
        assert held["refund"] == held["cost"]
        assert made["state"] == "delivered"
        assert [(call["operator"], call["result"]) for call in made["calls"]] == [
            ("full", "not taken"),
            ("busy", "answered"),
        ]
        assert made["refund"] == "0"
        assert trunked.credit == "9.9991"


def callee(trunked: TrunkedServer, campaign: str) -> dict[str, object]:
    return trunked.campaign(campaign)["callees"][0]
