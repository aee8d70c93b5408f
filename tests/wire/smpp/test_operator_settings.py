"""Settings that an SMPP link could only find out about once it connects are refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from chappe.settings import Flags, SettingsRefused, load_settings

SMALLEST = '[[operators]]\nname = "op1"\nkind = "smpp"\nhost = "127.0.0.1"\nport = 2775\n'


def load(folder: Path, *lines: str) -> None:
    (folder / "chappe.toml").write_text(SMALLEST + "\n".join(lines))
    load_settings(Flags(data=str(folder)), {})


@pytest.mark.parametrize(
    "line",
    [
        "binds = 0",
        "binds = 33",
        'bind = "both"',
        'tls = "starttls"',
        f'system_id = "{"x" * 65}"',
        'system_id = "été"',
        f'password = "{"x" * 65}"',
        'password = "a\\u0000b"',
        'system_type = "thirteen-long"',
        'service_type = "sixsix"',
        f'address_range = "{"3" * 41}"',
        "source_ton = 256",
        "source_npi = -1",
        'short_number = "36"',
        'country_code = "+33"',
        'country_code = ""',
        'validity_period = "48h"',
        "reconnect_s_max = 0",
        "response_timeout_s = nan",
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, line)
    assert "\n" not in str(refused.value)
    assert line.split(" ", 1)[0] in str(refused.value)


def test_a_password_is_never_in_the_refusal(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, f'password = "{"secret" * 20}"')
    assert "secret" not in str(refused.value)


def test_everything_may_be_said(tmp_path: Path) -> None:
    load(
        tmp_path,
        'bind = "pair"',
        "binds = 2",
        'smsc = "network"',
        'tls = "tls"',
        'tls_ca = "operator.pem"',
        'charset = "latin1"',
        'long_messages = "payload"',
        "source_ton = 5",
        "source_npi = 0",
        'country_code = "352"',
        'address_range = "^36"',
        'service_type = "VMA"',
        'validity_period = ""',
        "reconnect_s_max = 5",
    )
