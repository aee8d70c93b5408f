"""`[[operators]]` of the configuration: read and verified."""

from __future__ import annotations

import math
import re
from typing import Final, Literal

import msgspec

from chappe.settings_voice import fault_of_incoming

BINDS_MAX: Final = 32
_COUNTRY_CODE: Final = re.compile("[1-9][0-9]{0,2}", re.ASCII)
_DIAL_PREFIX: Final = re.compile("[0-9*]{0,16}", re.ASCII)
_E164: Final = re.compile("[1-9][0-9]{3,14}", re.ASCII)
_HOST: Final = re.compile("[A-Za-z0-9._-]{1,255}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_VALIDITY_PERIOD: Final = re.compile("([0-9]{12}000R)?", re.ASCII)


class OperatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[operators]]`: a real network's end of a link."""

    name: str
    kind: Literal["smpp", "sip", "smtp"]
    host: str
    port: int
    system_id: str = ""
    password: str = ""
    password_file: str = ""
    system_type: str = ""
    bind: Literal["transmitter", "receiver", "transceiver", "pair"] = "transceiver"
    binds: int = 1
    smsc: str = ""
    window: int = 100
    throughput: float = 0.0
    username: str = ""
    tls: Literal["none", "starttls", "tls"] = "none"
    tls_verify: bool = True
    tls_ca: str = ""
    charset: Literal["gsm0338", "latin1"] = "gsm0338"
    long_messages: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    source_ton: int | None = None
    source_npi: int | None = None
    short_number: str = "36000"
    country_code: str = "33"
    address_range: str = ""
    service_type: str = ""
    validity_period: str = "000002000000000R"
    enquire_link_s: float = 30.0
    response_timeout_s: float = 30.0
    reconnect_s_max: float = 60.0
    on_lost_response: Literal["resend", "hold"] | None = None
    transport: Literal["udp", "tcp", "tls"] = "udp"
    domain: str = ""
    register_s: int = 3600
    caller_id: str = ""
    caller_header: Literal["from", "p-asserted-identity", "p-preferred-identity"] = "from"
    number_format: Literal["+", "00", "digits", "national"] = "+"
    deposit_prefix: str = ""
    calls_per_second: float = 10.0
    concurrent_calls: int = 30
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = ("PCMA", "PCMU")
    session_expires_s: int = 1800
    options_s: float = 30.0
    rtp_from: Literal["any", "same-host", "never"] = "any"
    detects_machines: bool = True
    greeting_s_max: float = 60.0
    incoming_from: tuple[str, ...] = ()
    incoming_username: str = ""
    incoming_password: str = ""
    incoming_calls: int = 30
    incoming_per_second: float = 10.0
    forward_caller: Literal["caller", "number"] = "caller"
    forward_header: Literal["diversion", "history-info", "none"] = "diversion"


def fault_of_operator(operator: OperatorSettings) -> str | None:
    """Why it cannot be used, or None."""
    if not 0 < operator.port <= 65535:
        return f"port {operator.port} is not a port number"
    if not 1 <= operator.window <= 10_000:
        return f"window is {operator.window}, not 1 to 10000"
    if not (operator.throughput >= 0 and math.isfinite(operator.throughput)):
        return f"throughput is {operator.throughput}"
    for name, seconds in (
        ("enquire_link_s", operator.enquire_link_s),
        ("response_timeout_s", operator.response_timeout_s),
        ("reconnect_s_max", operator.reconnect_s_max),
    ):
        if not (seconds > 0 and math.isfinite(seconds)):
            return f"{name} is {seconds}, not a time"
    if operator.kind == "smpp":
        return _fault_of_smpp(operator)
    return _fault_of_sip(operator) if operator.kind == "sip" else None


def _fault_of_smpp(operator: OperatorSettings) -> str | None:
    """What an SMPP link could only find out once it connects (lengths: SMPP 3.4 section 4, as lenient as operators)."""
    if not 1 <= operator.binds <= BINDS_MAX:
        return f"binds is {operator.binds}, not 1 to {BINDS_MAX}"
    if operator.tls == "starttls":
        return 'SMPP has no starttls; tls is "none" or "tls"'
    for name, value, characters_max in (
        ("system_id", operator.system_id, 64),
        ("password", operator.password, 64),
        ("system_type", operator.system_type, 12),
        ("address_range", operator.address_range, 40),
        ("service_type", operator.service_type, 5),
    ):
        if not value.isascii() or "\0" in value or len(value) > characters_max:
            return f"{name} is not at most {characters_max} ASCII characters"
    for name, number in (("source_ton", operator.source_ton), ("source_npi", operator.source_npi)):
        if number is not None and not 0 <= number <= 255:
            return f"{name} is {number}, not 0 to 255"
    if not (operator.short_number.isascii() and 3 <= len(operator.short_number) <= 20):
        return f"short_number is {operator.short_number!r}, not 3 to 20 ASCII characters"
    if not _COUNTRY_CODE.fullmatch(operator.country_code):
        return f"country_code is {operator.country_code!r}, not 1 to 3 digits"
    if not _VALIDITY_PERIOD.fullmatch(operator.validity_period):
        return f"validity_period is {operator.validity_period!r}, neither empty nor YYMMDDhhmmss000R"
    return None


def _fault_of_sip(operator: OperatorSettings) -> str | None:
    """What a trunk could only find out once it calls."""
    for name, value in (("host", operator.host), ("domain", operator.domain)):
        if value and not _HOST.fullmatch(value):
            return f"{name} is {value!r}, neither a host name nor an address"
    if not operator.host:
        return "host is empty"
    for name, value in (("username", operator.username), ("password", operator.password)):
        if not value.isprintable() or len(value) > 256:
            return f"{name} is not at most 256 printable characters"
    if operator.tls != "none":
        return 'tls is for SMPP and SMTP; SIP over TLS is transport = "tls"'
    if operator.register_s != 0 and not 60 <= operator.register_s <= 86_400:
        return f"register_s is {operator.register_s}, neither 0 nor 60 to 86400"
    if operator.caller_id and not _E164.fullmatch(operator.caller_id):
        return f"caller_id is {operator.caller_id!r}, not E.164 digits without +"
    if not _COUNTRY_CODE.fullmatch(operator.country_code):
        return f"country_code is {operator.country_code!r}, not 1 to 3 digits"
    if not _DIAL_PREFIX.fullmatch(operator.deposit_prefix):
        return f"deposit_prefix is {operator.deposit_prefix!r}, not up to 16 digits and asterisks"
    if not 0.1 <= operator.calls_per_second <= 1000:
        return f"calls_per_second is {operator.calls_per_second}, not 0.1 to 1000"
    if not 1 <= operator.concurrent_calls <= 10_000:
        return f"concurrent_calls is {operator.concurrent_calls}, not 1 to 10000"
    if not operator.codecs or len(set(operator.codecs)) < len(operator.codecs):
        return "codecs are none, or one twice"
    if operator.session_expires_s != 0 and not 90 <= operator.session_expires_s <= 86_400:
        return f"session_expires_s is {operator.session_expires_s}, neither 0 nor 90 to 86400"
    if not 10 <= operator.greeting_s_max <= 300:
        return f"greeting_s_max is {operator.greeting_s_max}, not 10 to 300"
    if operator.options_s != 0 and not 5 <= operator.options_s <= 3600:
        return f"options_s is {operator.options_s}, neither 0 nor 5 to 3600"
    return fault_of_incoming(
        operator.incoming_from,
        operator.incoming_username,
        operator.incoming_password,
        operator.incoming_calls,
        operator.incoming_per_second,
    )
