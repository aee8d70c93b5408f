"""`[voice]` and `[[numbers]]` of the configuration, and what a trunk says of calls that come in: read and verified."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

NUMBERS_MAX: Final = 10_000
TEXT_CHARACTERS_MAX: Final = 2000
_E164: Final = re.compile("[1-9][0-9]{3,14}", re.ASCII)


class VoiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[voice]`: audio files and speech."""

    audio_moderation: bool = False
    default_lang: str = "fr"
    speech_url: str = ""
    speech_url_langs: tuple[str, ...] = ()
    piper_program: str = "piper"
    piper_voices: str = ""
    ring_s_max: int = 30
    account_calls_max: int = 50
    account_calls_per_second: float = 0.0
    sip_host: str = "0.0.0.0"  # noqa: S104 - the operators are outside
    sip_port: int = 0
    public_host: str = ""
    rtp_port_first: int = 0
    rtp_port_last: int = 0
    forward_s_max: int = 14_400
    recording_days: int = 30
    recordings_mb_max: int = 1024
    incoming_days: int = 400


class NumberSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[numbers]]`: what a number of ours does when somebody calls it."""

    number: str
    action: Literal["refuse", "answer", "record", "forward"]
    status: Literal[404, 480, 486, 603] = 404
    to: str = ""
    via: Literal["bridge", "302"] = "bridge"
    record: bool = False
    ring_s_max: int = 30
    record_s_max: int = 120
    silence_s: int = 5
    greeting_file: str = ""
    greeting_text: str = ""
    greeting_lang: str = ""
    greeting_token: str = ""


def fault_of_voice(voice: VoiceSettings) -> str | None:
    """What is wrong with it, in one clear line; None where nothing is."""
    if not 5 <= voice.ring_s_max <= 180:
        return f"ring_s_max is {voice.ring_s_max}, not 5 to 180"
    if voice.account_calls_max < 1:
        return f"account_calls_max is {voice.account_calls_max}: nobody could be called"
    if not 0 <= voice.account_calls_per_second <= 1000:
        return f"account_calls_per_second is {voice.account_calls_per_second}, not 0 to 1000"
    try:
        ipaddress.ip_address(voice.sip_host)
        if voice.public_host:
            ipaddress.ip_address(voice.public_host)
    except ValueError as error:
        return f"sip_host or public_host: {error}"
    if not 0 <= voice.sip_port <= 65535:
        return f"sip_port is {voice.sip_port}, not a port number"
    first, last = voice.rtp_port_first, voice.rtp_port_last
    if (first, last) != (0, 0) and not 1024 <= first < last <= 65535:
        return f"rtp_port_first and rtp_port_last are {first} and {last}, no range of ports"
    for name, value, least in (
        ("forward_s_max", voice.forward_s_max, 60),
        ("recording_days", voice.recording_days, 0),
        ("recordings_mb_max", voice.recordings_mb_max, 1),
        ("incoming_days", voice.incoming_days, 0),
    ):
        if not least <= value <= 1_000_000:
            return f"{name} is {value}, not {least} to 1000000"
    return None


def fault_of_numbers(
    numbers: Sequence[NumberSettings], *, has_trunk: bool, called_prefixes: Sequence[str]
) -> str | None:
    """What is wrong with them, in one clear line; None where nothing is. `has_trunk`: an operator of kind sip is there.
    `called_prefixes`: what the numbers begin with that can be called.
    """
    if numbers and not has_trunk:
        return "[[numbers]] need an [[operators]] of kind sip: no call comes in without one"
    if len(numbers) > NUMBERS_MAX:
        return f"more than {NUMBERS_MAX} [[numbers]]"
    seen: set[str] = set()
    for number in numbers:
        fault = _fault_of(number)
        if fault is None and number.number in seen:
            fault = "it is there twice"
        is_bridged = number.action == "forward" and number.via == "bridge"
        if fault is None and is_bridged and not number.to.startswith(tuple(called_prefixes)):
            fault = f"no route for voice leads to {number.to}, which it is forwarded to"
        if fault is not None:
            return f"number {number.number!r}: {fault}"
        seen.add(number.number)
    return _circle({number.number: number.to for number in numbers if number.action == "forward"})


def fault_of_incoming(
    sources: Sequence[str], username: str, password: str, calls: int, per_second: float
) -> str | None:
    """What is wrong with the `incoming_` keys of a trunk."""
    for network in sources:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            return f"incoming_from has {network!r}, which is no IP address and no CIDR network"
    for name, value in (("incoming_username", username), ("incoming_password", password)):
        if not value.isprintable() or len(value) > 256:
            return f"{name} is not at most 256 printable characters"
    if bool(username) != bool(password):
        return "incoming_username and incoming_password go together"
    if not 0 <= calls <= 10_000:
        return f"incoming_calls is {calls}, not 0 to 10000"
    if not 0.1 <= per_second <= 1000:
        return f"incoming_per_second is {per_second}, not 0.1 to 1000"
    return None


def _fault_of(number: NumberSettings) -> str | None:
    if not _E164.fullmatch(number.number):
        return "it is not E.164 digits without +"
    if number.action == "forward":
        if not _E164.fullmatch(number.to):
            return f"to is {number.to!r}, not E.164 digits without +"
        if number.record and number.via != "bridge":
            return "record needs via bridge: what does not come by us cannot be recorded"
    elif number.record:
        return f"record is for the action forward, not {number.action}"
    elif number.to:
        return f"to is for the action forward, not {number.action}"
    greetings = [number.greeting_file, number.greeting_text, number.greeting_token]
    if len(list(filter(None, greetings))) > 1:
        return "more than one of greeting_file, greeting_text and greeting_token"
    if any(greetings) and number.action not in ("answer", "record"):
        return f"a greeting is for the actions answer and record, not {number.action}"
    if number.action == "answer" and not any(greetings):
        return "the action answer needs a greeting: nothing would be heard"
    if len(number.greeting_text) > TEXT_CHARACTERS_MAX:
        return f"greeting_text has more than {TEXT_CHARACTERS_MAX} characters"
    if number.greeting_lang and not number.greeting_text:
        return "greeting_lang is for a greeting_text"
    for name, value, least, most in (
        ("ring_s_max", number.ring_s_max, 5, 180),
        ("record_s_max", number.record_s_max, 1, 3600),
        ("silence_s", number.silence_s, 0, 60),
    ):
        if not least <= value <= most:
            return f"{name} is {value}, not {least} to {most}"
    return None


def _circle(forwards: dict[str, str]) -> str | None:
    """Whether some forwards lead back to where they began."""
    ends: set[str] = set()
    """Numbers whose way is known to end."""
    for number in forwards:
        way: dict[str, None] = {}
        following: str | None = number
        while following is not None and following not in ends:
            if following in way:
                names = list(way)
                circle = [*names[names.index(following) :], following]
                return f"number {following!r}: it is forwarded to itself, by {' to '.join(circle)}"
            way[following] = None
            following = forwards.get(following)
        ends.update(way)
    return None
