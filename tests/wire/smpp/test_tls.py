"""TLS towards an operator: verified by default."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from chappe.settings import SettingsRefused
from tests.wire.smpp.conftest import Bench
from tests.wire.smpp.scripted import ScriptedSmsc, departure
from tests.wire.smpp.virtual import until


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smsc")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "smsc.pem", folder / "smsc.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_path, key_path


@pytest.fixture
async def certificate(smsc: ScriptedSmsc, tmp_path: Path) -> Path:
    """The SMSC speaks TLS with this certificate."""
    await smsc.close()
    path, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    await smsc.listen(context)
    return path


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
