"""TLS towards an operator: verified by default."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from chappe.settings import SettingsRefused
from tests.support.certificates import make_certificate
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import ScriptedSmsc, departure
from tests.wire.smpp.virtual import until


@pytest.fixture
async def certificate(smsc: ScriptedSmsc, tmp_path: Path) -> Path:
    """The SMSC speaks TLS with this certificate."""
    await smsc.close()
    made = make_certificate(tmp_path)
    await smsc.listen(made.server())
    return made.cert


async def test_an_operator_with_a_trusted_certificate_is_bound_to(
    bench: Bench, smsc: ScriptedSmsc, certificate: Path
) -> None:
    operator = await bench.start(tls="tls", tls_ca=str(certificate))
    operator.submit([departure(message_id, "x" * 100) for message_id in range(1, 51)])
    await until(lambda: len(bench.outcomes.submitted) == 50)
    assert {word[2] for word in bench.outcomes.words()} == {"accepted"}
    await operator.stop()
    assert smsc.peer.unbinds


async def test_an_operator_with_a_strange_certificate_is_not(
    bench: Bench, smsc: ScriptedSmsc, certificate: Path
) -> None:
    with capture_logs() as logs:
        operator = await bench.start(tls="tls", binds=0)
        await until(lambda: [line for line in logs if line["event"] == "the operator cannot be reached"])
    assert "CERTIFICATE_VERIFY_FAILED" in str(logs)
    assert not operator.is_up
    assert smsc.peers == []


async def test_unless_it_is_not_to_be_verified(bench: Bench, smsc: ScriptedSmsc, certificate: Path) -> None:
    with capture_logs() as logs:
        operator = await bench.start(tls="tls", tls_verify=False)
    assert operator.is_up
    assert "the operator's certificate is not verified" in [line["event"] for line in logs]


async def test_a_missing_file_of_certificates_is_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="tls_ca"):
        bench.operator(tls="tls", tls_ca=str(tmp_path / "nowhere.pem"))
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(SettingsRefused, match="tls_ca"):
        bench.operator(tls="tls", tls_ca=str(tmp_path / "none.pem"))
