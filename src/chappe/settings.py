"""Settings: flags, then CHAPPE_* variables, then chappe.toml, then defaults, as one frozen `Settings`.

Every key is documented in docs/running/configuration.md (a test holds the two together). A value
that cannot be used raises `SettingsRefused` with one clear line.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from chappe.settings_operators import OperatorSettings, fault_of_operator
from chappe.settings_voice import NumberSettings, VoiceSettings, fault_of_numbers, fault_of_voice

T = TypeVar("T")
Role = Literal["api", "worker", "all"]
ROLES: tuple[Role, ...] = ("api", "worker", "all")
Product = Literal["sms", "voice", "mail", "rcs"]
SIMULATED: tuple[Product, ...] = ("sms", "voice")
"""Products that the built-in network has something for."""


class SettingsRefused(Exception):
    """A configuration that cannot be used; the text is one clear line."""


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[http]`: how requests are told apart and where they may really come from."""

    default_product: Literal["sms", "voice", "mail"] | None = None
    sms_hosts: tuple[str, ...] = ()
    voice_hosts: tuple[str, ...] = ()
    mail_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    connections_max: int = 4096


class ErrorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[errors]`: the HTTP status of a refusal."""

    http_status: Literal["by-meaning", "always-200"] = "by-meaning"


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: requests an account may make, by page ("voice.credits" = "5/60"), instead of the documented ones."""

    enabled: bool = True
    pages: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class SimulatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[simulator]`: the built-in network. A port of None means the usual one, or a free one if that is taken."""

    enabled: bool = True
    smpp_port: int | None = None
    sip_port: int | None = None
    system_id: str = "sim"
    password: str = "sim"  # noqa: S105 - the documented password of a stand-in on loopback


class RouteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[routes]]`: which operators a product's numbers with this prefix go to, in order of preference."""

    product: Product
    operators: tuple[str, ...]
    prefix: str = ""


class FileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What chappe.toml may hold."""

    database: str | None = None
    host: str | None = None
    port: int | None = None
    tls_port: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] | None = None
    callback_allow: tuple[str, ...] = ()
    http: HttpSettings = msgspec.field(default_factory=HttpSettings)
    errors: ErrorSettings = msgspec.field(default_factory=ErrorSettings)
    limits: LimitSettings = msgspec.field(default_factory=LimitSettings)
    simulator: SimulatorSettings = msgspec.field(default_factory=SimulatorSettings)
    voice: VoiceSettings = msgspec.field(default_factory=VoiceSettings)
    operators: tuple[OperatorSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    numbers: tuple[NumberSettings, ...] = ()


class Flags(msgspec.Struct, frozen=True):
    """What the command line gave; None where it gave nothing."""

    data: str | None = None
    config: str | None = None
    database: str | None = None
    host: str | None = None
    port: int | None = None
    role: str | None = None
    no_simulator: bool = False
    demo: bool = False
    tls_port: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None


class Settings(msgspec.Struct, frozen=True):
    """Everything a server needs to know before it starts."""

    data: Path
    database: str | None
    role: Role
    host: str
    port: int
    demo: bool
    log_level: str
    tls_port: int | None
    tls_cert: Path | None
    tls_key: Path | None
    rate_limits: bool
    callback_allow: tuple[str, ...]
    http: HttpSettings
    errors: ErrorSettings
    limits: LimitSettings
    simulator: SimulatorSettings
    voice: VoiceSettings
    operators: tuple[OperatorSettings, ...]
    routes: tuple[RouteSettings, ...]
    numbers: tuple[NumberSettings, ...]

    @property
    def simulated_products(self) -> tuple[Product, ...]:
        """Products the simulator serves: those without a route, while it is on."""
        if not self.simulator.enabled:
            return ()
        routed = {route.product for route in self.routes}
        return tuple(product for product in SIMULATED if product not in routed)

    @property
    def unrouted_products(self) -> tuple[Product, ...]:
        """Products that nothing takes anywhere: every send of them is refused here."""
        taken = {*self.simulated_products, *(route.product for route in self.routes)}
        return tuple(product for product in SIMULATED if product not in taken)


def data_folder(flags: Flags, environment: Mapping[str, str] = os.environ) -> Path:
    """The data folder, needed before there is a configuration to read."""
    return Path(flags.data or environment.get("CHAPPE_DATA") or "./var")


def load_settings(flags: Flags, environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads every source; raises `SettingsRefused`."""
    variables = {name: value for name, value in environment.items() if name.startswith("CHAPPE_") and value}
    data = data_folder(flags, variables)
    file = _read_file(flags.config or variables.get("CHAPPE_CONFIG"), data)
    tls_cert = flags.tls_cert or variables.get("CHAPPE_TLS_CERT") or file.tls_cert
    tls_key = flags.tls_key or variables.get("CHAPPE_TLS_KEY") or file.tls_key
    tls_port = flags.tls_port
    if tls_port is None:
        tls_port = _port(variables, "CHAPPE_TLS_PORT")
    if tls_port is None:
        tls_port = file.tls_port
    if tls_port is not None and not (tls_cert and tls_key):
        raise SettingsRefused("--tls-port needs --tls-cert and --tls-key")
    allow = variables.get("CHAPPE_CALLBACK_ALLOW")
    simulator = file.simulator
    database = _database(flags.database or variables.get("CHAPPE_DATABASE") or file.database)
    role = _role(flags.role or variables.get("CHAPPE_ROLE"), database)
    if role != "all":  # the built-in network is in one process, with everything
        simulator = msgspec.structs.replace(simulator, enabled=False)
    if flags.no_simulator or _switch(variables, "CHAPPE_SIMULATOR", default=True) is False:
        simulator = msgspec.structs.replace(simulator, enabled=False)
    settings = Settings(
        data=data,
        database=database,
        role=role,
        host=_first(flags.host or None, variables.get("CHAPPE_HOST"), file.host, "127.0.0.1"),
        port=_first(flags.port, _port(variables, "CHAPPE_PORT"), file.port, 8000),
        demo=flags.demo or _switch(variables, "CHAPPE_DEMO", default=False),
        log_level=_first(variables.get("CHAPPE_LOG_LEVEL"), file.log_level, "info"),
        tls_port=tls_port,
        tls_cert=Path(tls_cert) if tls_cert else None,
        tls_key=Path(tls_key) if tls_key else None,
        rate_limits=file.limits.enabled and _switch(variables, "CHAPPE_RATE_LIMITS", default=True),
        callback_allow=tuple(item.strip() for item in allow.split(",")) if allow else file.callback_allow,
        http=file.http,
        errors=file.errors,
        limits=file.limits,
        simulator=simulator,
        voice=file.voice,
        operators=tuple(_with_files(operator, data) for operator in file.operators),
        routes=file.routes,
        numbers=tuple(
            msgspec.structs.replace(number, greeting_file=str(data / number.greeting_file))
            if number.greeting_file
            else number
            for number in file.numbers
        ),
    )
    _verify(settings)
    return settings


def _database(url: str | None) -> str | None:
    """A URL as it was given; it may hold a password, so no error repeats it."""
    if url is None or url.startswith(("postgresql://", "postgres://")):
        return url
    raise SettingsRefused("the database is not given as postgresql://USER@HOST:PORT/NAME")


def _role(name: str | None, database: str | None) -> Role:
    for role in ROLES:
        if role == (name or "all"):
            if role != "all" and database is None:
                raise SettingsRefused(
                    f"--role {role} needs --database: several processes share PostgreSQL only"
                )
            return role
    raise SettingsRefused(f"the role is {name!r}, none of {', '.join(ROLES)}")


def _read_file(configured: str | None, data: Path) -> FileSettings:
    """What the configuration file says; `DIR/chappe.toml` may be missing, a file that was named may not."""
    path = Path(configured) if configured else data / "chappe.toml"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if configured:
            raise SettingsRefused(f"there is no configuration file {path}") from None
        return FileSettings()
    except OSError as error:
        raise SettingsRefused(f"cannot read {path}: {error.strerror}") from error
    try:
        return msgspec.convert(tomllib.loads(content.decode()), FileSettings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsRefused(f"{path}: {error}") from error


def _with_files(operator: OperatorSettings, data: Path) -> OperatorSettings:
    """The files that an operator's settings name are relative to the data folder."""
    if operator.tls_ca:
        operator = msgspec.structs.replace(operator, tls_ca=str(data / operator.tls_ca))
    if not operator.password_file:
        return operator
    path = data / operator.password_file  # an absolute path stays as it is
    try:
        return msgspec.structs.replace(operator, password=path.read_text("utf-8").strip())
    except OSError as error:
        raise SettingsRefused(f"operator {operator.name}: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsRefused(f"operator {operator.name}: {path} is not UTF-8 text") from error


def _verify(settings: Settings) -> None:
    for name, port in (
        ("port", settings.port),
        ("tls_port", settings.tls_port),
        ("[simulator] smpp_port", settings.simulator.smpp_port),
        ("[simulator] sip_port", settings.simulator.sip_port),
    ):
        if port is not None and not 0 <= port <= 65535:
            raise SettingsRefused(f"{name} is {port}, not a port number")
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise SettingsRefused(f"log_level is {settings.log_level!r}, none of debug, info, warning, error")
    for network in (*settings.callback_allow, *settings.http.trusted_proxies):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise SettingsRefused(f"{network!r} is not an IP address or a CIDR network") from error
    if settings.http.connections_max < 1:
        raise SettingsRefused(
            f"[http] connections_max is {settings.http.connections_max}: nobody could connect"
        )
    voice_fault = fault_of_voice(settings.voice)
    if voice_fault is not None:
        raise SettingsRefused(f"[voice] {voice_fault}")
    names = [operator.name for operator in settings.operators]
    for name in names:
        if names.count(name) > 1:
            raise SettingsRefused(f"two operators are named {name!r}")
    kinds = {operator.name: operator.kind for operator in settings.operators}
    wanted = {"sms": "smpp", "voice": "sip", "mail": "smtp"}
    for route in settings.routes:
        if route.prefix and not (route.prefix.isascii() and route.prefix.isdigit()):
            raise SettingsRefused(f"the route prefix {route.prefix!r} is not E.164 digits without +")
        if not route.operators:
            raise SettingsRefused(f"the {route.product} route with prefix {route.prefix!r} names no operator")
        for name in route.operators:
            if name not in kinds:
                raise SettingsRefused(
                    f"a {route.product} route names operator {name!r}, which is not configured"
                )
            if route.product in wanted and kinds[name] != wanted[route.product]:
                raise SettingsRefused(
                    f"a {route.product} route names operator {name!r}, which is of kind {kinds[name]}"
                )
    for operator in settings.operators:
        fault = fault_of_operator(operator)
        if fault is not None:
            raise SettingsRefused(f"operator {operator.name}: {fault}")
    prefixes = [route.prefix for route in settings.routes if route.product == "voice"]
    fault = fault_of_numbers(
        settings.numbers,
        has_trunk="sip" in kinds.values(),
        # Without a route every number is that of a built-in telephone.
        called_prefixes=prefixes or ([""] if settings.simulator.enabled else []),
    )
    if fault is not None:
        raise SettingsRefused(fault)


def _first(*values: T | None) -> T:
    for value in values:
        if value is not None:
            return value
    raise AssertionError("the last value is the default")


def _port(variables: Mapping[str, str], name: str) -> int | None:
    text = variables.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise SettingsRefused(f"{name} is {text!r}, not a port number") from error


def _switch(variables: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = variables.get(name)
    if text is None:
        return default
    known = {
        "on": True,
        "1": True,
        "true": True,
        "yes": True,
        "off": False,
        "0": False,
        "false": False,
        "no": False,
    }
    if text.lower() not in known:
        raise SettingsRefused(f"{name} is {text!r}, neither on nor off")
    return known[text.lower()]
