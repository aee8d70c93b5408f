"""How an answer is wanted: JSON or XML, French or English."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from chappe.partner.errors import Header, Language

Format = Literal["json", "xml"]


class Preferences(NamedTuple):
    """What a request says of its answer."""

    format: Format
    language: Language


def format_of(value: object) -> Format:
    """What `_format` asks for; anything but xml is json."""
    return "xml" if isinstance(value, str) and value.strip().lower() == "xml" else "json"


def language_of(value: object, headers: Sequence[Header]) -> Language:
    """`_lang` if it is one of ours, else the best of ``Accept-Language`` (RFC 9110, 12.5.4), else French."""
    if isinstance(value, str):
        asked = _primary(value)
        if asked == "en":
            return "en"
        if asked == "fr":
            return "fr"
    best: Language = "fr"
    weight = 0.0
    for name, octets in headers:
        if name != b"accept-language":
            continue
        for choice in octets.decode("latin-1").split(",")[:32]:
            tag, _, parameters = choice.partition(";")
            language = _primary(tag)
            if language == "en" or language == "fr":
                quality = _quality(parameters)
                if quality > weight:
                    best, weight = language, quality
    return best


def _primary(tag: str) -> str:
    return tag.strip().lower().partition("-")[0].partition("_")[0]


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
