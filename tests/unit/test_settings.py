"""Settings: which source counts, and that whatever is wrong is refused in one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from chappe.settings import Flags, Settings, SettingsRefused, load_settings


def load(
    folder: Path, toml: str = "", environment: dict[str, str] | None = None, **flags: object
) -> Settings:
    (folder / "chappe.toml").write_text(toml)
    return load_settings(Flags(data=str(folder), **flags), environment or {})  # type: ignore[arg-type]


OPERATOR = """
[[operators]]
name = "op1"
kind = "smpp"
host = "127.0.0.1"
port = 2775
"""
DOCUMENTED = """
[[operators]]
name = "op1"
kind = "smpp"
host = "127.0.0.1"
port = 2775
system_id = "esme"
password = "secret"
bind = "transceiver"
window = 100
throughput = 0

[[operators]]
name = "trunk1"
kind = "sip"
host = "127.0.0.1"
port = 5060
username = ""
password = ""

[[operators]]
name = "relay1"
kind = "smtp"
host = "127.0.0.1"
port = 25
tls = "none"

[[routes]]
product = "sms"
prefix = ""
operators = ["op1"]
"""


def test_without_any_source_the_defaults_count(tmp_path: Path) -> None:
    settings = load_settings(Flags(data=str(tmp_path)), {})
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8000, "info")
    assert settings.rate_limits
    assert not settings.demo
    assert settings.errors.http_status == "by-meaning"
    assert settings.simulated_products == ("sms", "voice")
    assert load_settings(Flags(), {}).data == Path("var")


def test_a_flag_goes_before_a_variable_before_the_file(tmp_path: Path) -> None:
    toml = 'host = "192.0.2.1"\nport = 1001'
    variables = {"CHAPPE_HOST": "192.0.2.2", "CHAPPE_PORT": "1002"}
    assert load(tmp_path, toml).port == 1001
    assert load(tmp_path, toml).host == "192.0.2.1"
    assert load(tmp_path, toml, variables).port == 1002
    assert load(tmp_path, toml, variables).host == "192.0.2.2"
    assert load(tmp_path, toml, variables, port=0, host="192.0.2.3").port == 0
    assert load(tmp_path, toml, variables, port=0, host="192.0.2.3").host == "192.0.2.3"


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    names = ("HOST", "PORT", "DATABASE", "ROLE", "LOG_LEVEL", "RATE_LIMITS", "CALLBACK_ALLOW", "DEMO")
    empty = {f"CHAPPE_{name}": "" for name in (*names, "CONFIG", "TLS_PORT", "TLS_CERT", "SIMULATOR")}
    assert load(tmp_path, "", empty) == load(tmp_path)
    assert load(tmp_path, "", host="").host == "127.0.0.1"


def test_the_folder_comes_from_the_flag_or_the_variable(tmp_path: Path) -> None:
    assert load_settings(Flags(), {"CHAPPE_DATA": str(tmp_path)}).data == tmp_path
    assert load_settings(Flags(data="/elsewhere"), {"CHAPPE_DATA": str(tmp_path)}).data == Path("/elsewhere")


def test_a_certificate_without_a_port_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path, "", {"CHAPPE_TLS_CERT": "cert.pem"}).tls_port is None


def test_limits_are_turned_off_by_variable_or_file(tmp_path: Path) -> None:
    assert not load(tmp_path, "", {"CHAPPE_RATE_LIMITS": "off"}).rate_limits
    assert not load(tmp_path, "[limits]\nenabled = false").rate_limits
    assert load(tmp_path, "", {"CHAPPE_RATE_LIMITS": "on"}).rate_limits


def test_callback_targets_are_allowed_by_variable_before_file(tmp_path: Path) -> None:
    toml = 'callback_allow = ["10.0.0.0/8"]'
    assert load(tmp_path, toml).callback_allow == ("10.0.0.0/8",)
    allowed = load(tmp_path, toml, {"CHAPPE_CALLBACK_ALLOW": "127.0.0.0/8, ::1/128"}).callback_allow
    assert allowed == ("127.0.0.0/8", "::1/128")


def test_the_documented_configuration_is_read(tmp_path: Path) -> None:
    settings = load(tmp_path, DOCUMENTED)
    assert [operator.name for operator in settings.operators] == ["op1", "trunk1", "relay1"]
    assert settings.operators[0].password == "secret"
    assert settings.simulated_products == ("voice",)
    assert load(tmp_path, DOCUMENTED, no_simulator=True).simulated_products == ()
    assert load(tmp_path, DOCUMENTED, {"CHAPPE_SIMULATOR": "off"}).simulated_products == ()


def test_an_operator_s_password_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "op1.password").write_text("from the file\n")
    settings = load(tmp_path, OPERATOR + 'password_file = "op1.password"')
    assert settings.operators[0].password == "from the file"


def test_another_configuration_file_is_read_instead(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("port = 1003")
    assert load(tmp_path, "port = 1001", config=str(other)).port == 1003
    assert load(tmp_path, "port = 1001", {"CHAPPE_CONFIG": str(other)}).port == 1003


TRUNK = '[[operators]]\nname = "t"\nkind = "sip"\nhost = "192.0.2.1"\nport = 5060\n'


def number(digits: str, action: str) -> str:
    return f'\n[[numbers]]\nnumber = {digits}\naction = "{action}"\n'


WRONG_FILES = {
    "no TOML": ("port = = 1", "line 1"),
    "a key twice": ("port = 1\nport = 2", "overwrite"),
    "an unknown key": ("prot = 8000", "prot"),
    "an unknown key in a table": ("[http]\nhosts = []", "hosts"),
    "a wrong type": ('port = "8000"', "port"),
    "a port that is none": ("port = 65536", "65536"),
    "a negative port": ("tls_port = -1\ntls_cert = 'c'\ntls_key = 'k'", "-1"),
    "a port of the simulator that is none": (
        "[simulator]\nsip_port = 65536",
        "[simulator] sip_port is 65536",
    ),
    "a number plan that cannot be dialled": (
        OPERATOR.replace("smpp", "sip") + 'deposit_prefix = "#98"',
        "deposit_prefix is '#98'",
    ),
    "HTTPS without a certificate": ("tls_port = 8443", "--tls-cert"),
    "an unknown level": ('log_level = "loud"', "log_level"),
    "an unknown status": ('[errors]\nhttp_status = "teapot"', "http_status"),
    "a proxy that is none": ('[http]\ntrusted_proxies = ["proxy"]', "'proxy'"),
    "a callback target that is none": ('callback_allow = ["localhost"]', "'localhost'"),
    "no connections": ("[http]\nconnections_max = 0", "connections_max"),
    "two operators of one name": (OPERATOR + OPERATOR, "two operators are named 'op1'"),
    "an operator of an unknown kind": (OPERATOR.replace("smpp", "pigeon"), "kind"),
    "an operator without a port": (OPERATOR.replace("2775", "0"), "port 0"),
    "a window that is none": (OPERATOR + "window = 0", "window is 0"),
    "a negative throughput": (OPERATOR + "throughput = -1.0", "throughput is -1.0"),
    "a throughput that is no number": (OPERATOR + "throughput = nan", "throughput is nan"),
    "a time that is none": (OPERATOR + "enquire_link_s = 0.0", "enquire_link_s is 0.0"),
    "an endless time": (OPERATOR + "response_timeout_s = inf", "response_timeout_s is inf"),
    "a missing password file": (OPERATOR + 'password_file = "none"', "cannot read"),
    "a route to nobody": ('[[routes]]\nproduct = "sms"\noperators = []', "names no operator"),
    "a route to a stranger": (
        '[[routes]]\nproduct = "sms"\noperators = ["x"]',
        "'x', which is not configured",
    ),
    "a route to the wrong kind": (
        OPERATOR + '[[routes]]\nproduct = "voice"\noperators = ["op1"]',
        "which is of kind smpp",
    ),
    "a route prefix that is none": (
        OPERATOR + '[[routes]]\nproduct = "sms"\nprefix = "+33"\noperators = ["op1"]',
        "'+33' is not E.164 digits",
    ),
    "a number without a trunk": (
        '[[numbers]]\nnumber = "33162001122"\naction = "refuse"',
        "need an [[operators]]",
    ),
    "a network that is none": (TRUNK + 'incoming_from = ["example"]', "incoming_from has 'example'"),
    "a name to prove without a password": (TRUNK + 'incoming_username = "a"', "go together"),
    "a negative count of calls": (TRUNK + "incoming_calls = -1", "incoming_calls is -1"),
    "no pace of calls": (TRUNK + "incoming_per_second = 0", "incoming_per_second is 0"),
    "a recording of negative age": ("[voice]\nrecording_days = -1", "recording_days is -1"),
    "a route of an unknown product": ('[[routes]]\nproduct = "fax"\noperators = ["x"]', "product"),
}


@pytest.mark.parametrize("wrong", WRONG_FILES, ids=str)
def test_a_file_is_refused_with(tmp_path: Path, wrong: str) -> None:
    toml, named = WRONG_FILES[wrong]
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, toml)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


WRONG_NUMBERS = {
    "a number that is none": (number('"0162001122"', "refuse"), "not E.164 digits"),
    "a number twice": (number('"33162001122"', "refuse") * 2, "it is there twice"),
    "a number of an unknown action": (number('"33162001122"', "dance"), "action"),
    "a status that is no refusal": (number('"33162001122"', "refuse") + "status = 200", "status"),
    "a recording of what does not come by us": (
        number('"33162001122"', "forward") + 'to = "33612345678"\nvia = "302"\nrecord = true',
        "record needs via bridge",
    ),
    "a recording beside a recording": (
        number('"33162001122"', "record") + "record = true",
        "record is for the action forward",
    ),
    "a forward to nobody": (number('"33162001122"', "forward"), "to is ''"),
    "a forward that no route leads to": (
        number('"33162001122"', "forward")
        + 'to = "33612345678"\n[[routes]]\nproduct = "voice"\nprefix = "49"\noperators = ["t"]',
        "no route for voice leads to 33612345678",
    ),
    "a forward that nothing takes": (
        number('"33162001122"', "forward") + 'to = "33612345678"\n[simulator]\nenabled = false',
        "no route for voice leads to 33612345678",
    ),
    "a forward to itself": (number('"33162001122"', "forward") + 'to = "33162001122"', "forwarded to itself"),
    "forwards in a circle": (
        number('"33162001120"', "forward")
        + 'to = "33162001121"'
        + number('"33162001121"', "forward")
        + 'to = "33162001122"'
        + number('"33162001122"', "forward")
        + 'to = "33162001121"',
        "by 33162001121 to 33162001122 to 33162001121",
    ),
    "a target of a recording": (
        number('"33162001122"', "record") + 'to = "33612345678"',
        "to is for the action",
    ),
    "an answer that says nothing": (number('"33162001122"', "answer"), "nothing would be heard"),
    "two greetings": (
        number('"33162001122"', "record") + 'greeting_text = "a"\ngreeting_token = "b"',
        "more than one of greeting_file",
    ),
    "a greeting of a refusal": (
        number('"33162001122"', "refuse") + 'greeting_text = "a"',
        "a greeting is for",
    ),
    "a language of no text": (number('"33162001122"', "record") + 'greeting_lang = "fr"', "greeting_lang"),
    "an endless recording": (number('"33162001122"', "record") + "record_s_max = 0", "record_s_max is 0"),
}


@pytest.mark.parametrize("wrong", WRONG_NUMBERS, ids=str)
def test_numbers_are_refused_with(tmp_path: Path, wrong: str) -> None:
    toml, named = WRONG_NUMBERS[wrong]
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, TRUNK + toml)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "elsewhere",
    [
        'via = "302"\n[simulator]\nenabled = false',
        '[[routes]]\nproduct = "voice"\nprefix = "336"\noperators = ["t"]',
    ],
)
def test_a_forward_that_can_be_made_is_taken(tmp_path: Path, elsewhere: str) -> None:
    toml = TRUNK + number('"33162001122"', "forward") + 'to = "33612345678"\n' + elsewhere
    assert load(tmp_path, toml).numbers[0].to == "33612345678"


def test_forwards_that_end_are_no_circle(tmp_path: Path) -> None:
    toml = "".join(
        number(f'"3316200{n:04d}"', "forward") + f'to = "3316200{n + 1:04d}"\n' for n in range(1, 2000)
    )
    assert len(load(tmp_path, TRUNK + toml).numbers) == 1999


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAPPE_PORT", "eight"),
        ("CHAPPE_PORT", "70000"),
        ("CHAPPE_TLS_PORT", "x"),
        ("CHAPPE_RATE_LIMITS", "maybe"),
        ("CHAPPE_DEMO", "2"),
        ("CHAPPE_SIMULATOR", "perhaps"),
        ("CHAPPE_LOG_LEVEL", "loud"),
        ("CHAPPE_CALLBACK_ALLOW", "localhost"),
        ("CHAPPE_CONFIG", "/nowhere/chappe.toml"),
        ("CHAPPE_DATABASE", "mysql://127.0.0.1/chappe"),
        ("CHAPPE_ROLE", "worker"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(tmp_path, "", {name: value})
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chappe.toml").mkdir()
    with pytest.raises(SettingsRefused, match="cannot read"):
        load_settings(Flags(data=str(tmp_path)), {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsRefused, match=r"binary\.toml"):
        load_settings(Flags(data=str(tmp_path), config=str(binary)), {})


def test_a_password_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "op1.password").write_bytes(b"\xff")
    with pytest.raises(SettingsRefused, match="is not UTF-8 text"):
        load(tmp_path, OPERATOR + 'password_file = "op1.password"')
