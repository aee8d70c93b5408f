"""Text <-> the octets of short_message: GSM 03.38, Latin-1, UCS-2, by data_coding (section 5.2.19).

GSM 03.38 travels unpacked: one septet an octet, the extension table behind an escape (3GPP TS 23.038, sections
6.2.1 and 6.2.1.1). data_coding 0 means "the SMSC's default alphabet", which only the operator's paper tells: GSM
03.38 nearly everywhere, Latin-1 at some.

Nothing here raises for what a peer sent: octets that mean nothing become U+FFFD.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chappe.operators.smpp.constants import DataCoding

_UNDEFINED: Final = "\ufffe"
"""No character at this code."""
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ" + _UNDEFINED + "ÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
) + _UNDEFINED * 128
_EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


class _Septets(dict[int, str]):
    """For `str.translate`: a character -> its septets, each as the character of that number."""

    def __missing__(self, character: int) -> str:
        return "?"


_SEPTETS: Final = _Septets(
    {
        **{ord(character): chr(code) for code, character in enumerate(_BASIC) if character != _UNDEFINED},
        **{ord(character): f"\x1b{chr(code)}" for code, character in _EXTENSION.items()},
    }
)
_CHARACTERS: Final = {
    code: "\ufffd" if character == _UNDEFINED else character for code, character in enumerate(_BASIC)
}
_NOT_ONE_SEPTET: Final = 0xFF
_FROM_LATIN_1: Final = bytes(
    _BASIC.index(chr(code)) if chr(code) in _BASIC else _NOT_ONE_SEPTET for code in range(256)
)
"""For `bytes.translate`: most texts are in both alphabets and take this way, ten times as fast."""
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)


class Alphabet(Enum):
    """How a text is put into octets."""

    GSM0338 = "gsm0338"
    LATIN1 = "latin1"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Coding:
    """An alphabet and the data_coding that announces it to this operator."""

    alphabet: Alphabet
    data_coding: int


GSM0338: Final = Coding(Alphabet.GSM0338, DataCoding.DEFAULT)
LATIN1: Final = Coding(Alphabet.LATIN1, DataCoding.LATIN_1)
UCS2: Final = Coding(Alphabet.UCS2, DataCoding.UCS2)


def encode_text(text: str, alphabet: Alphabet) -> bytes:
    """The octets of `text`. Never raises: a character that the alphabet lacks becomes `?` (UCS-2: an unpaired
    surrogate becomes U+FFFD). Whoever counts and prices makes texts fit beforehand.
    """
    if alphabet is Alphabet.GSM0338:
        return encode_gsm0338(text)
    if alphabet is Alphabet.LATIN1:
        return text.encode("latin-1", "replace")
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode("utf-16-be")


def encode_gsm0338(text: str) -> bytes:
    """One octet a septet; characters of the extension table are two."""
    try:
        octets = text.encode("latin-1").translate(_FROM_LATIN_1)
    except UnicodeEncodeError:
        octets = None
    if octets is None or _NOT_ONE_SEPTET in octets:
        return text.translate(_SEPTETS).encode("latin-1")
    return octets


def decode_gsm0338(octets: bytes) -> str:
    """An escape before a code that the extension table lacks leaves the basic character, as the specification
    asks; an escape at the end is a space.
    """
    text = octets.decode("latin-1")
    if "\x1b" not in text:
        return text.translate(_CHARACTERS)
    parts: list[str] = []
    position = 0
    for escaped in _ESCAPED.finditer(text):
        parts.append(text[position : escaped.start()].translate(_CHARACTERS))
        code = escaped[1]
        # Two escapes are reserved for a further table, to be shown as a space until there is one.
        parts.append(" " if code in "\x1b" else _EXTENSION.get(ord(code)) or code.translate(_CHARACTERS))
        position = escaped.end()
    parts.append(text[position:].translate(_CHARACTERS))
    return "".join(parts)


def decode_text(octets: bytes, data_coding: int, default_alphabet: Alphabet = Alphabet.GSM0338) -> str:
    """The text of received octets, without user data header. Never raises.

    Octets without text meaning (2, 4 and the 8-bit classes) come as Latin-1, which loses nothing.
    """
    if data_coding == 0:
        return _DEFAULTS[default_alphabet](octets)
    decoder = _DECODERS.get(data_coding)
    if decoder is None:
        decoder = _DEFAULTS[default_alphabet] if (alphabet := _dcs(data_coding)) is None else alphabet
    return decoder(octets)


def _latin1(octets: bytes) -> str:
    return octets.decode("latin-1")


def _ucs2(octets: bytes) -> str:
    # Big-endian by the specification. A byte order mark is no text, and one peer in a hundred means it.
    if octets[:2] == b"\xff\xfe":
        return octets[2:].decode("utf-16-le", "replace")
    return octets[2 if octets[:2] == b"\xfe\xff" else 0 :].decode("utf-16-be", "replace")


def _by_codec(name: str) -> Callable[[bytes], str]:
    return lambda octets: octets.decode(name, "replace")


def _dcs(data_coding: int) -> Callable[[bytes], str] | None:
    """The alphabet where SMPP leaves the value to GSM's data coding scheme (TS 23.038 section 4), or where peers
    pass that octet through; None for the default alphabet.
    """
    group = data_coding >> 4
    if 0x1 <= group <= 0x7:
        return (None, _latin1, _ucs2, None)[data_coding >> 2 & 3]  # general coding, with or without class
    if group == 0xE:
        return _ucs2  # message waiting, in UCS-2
    if group == 0xF:
        return _latin1 if data_coding & 0x04 else None  # message class
    return None


_DEFAULTS: Final[dict[Alphabet, Callable[[bytes], str]]] = {
    Alphabet.GSM0338: decode_gsm0338,
    Alphabet.LATIN1: _latin1,
    Alphabet.UCS2: _ucs2,
}
_DECODERS: Final[dict[int, Callable[[bytes], str]]] = {
    # ASCII, and peers that say IA5 where they send accents mean Latin-1.
    int(DataCoding.IA5): _latin1,
    int(DataCoding.OCTETS): _latin1,
    int(DataCoding.LATIN_1): _latin1,
    int(DataCoding.OCTETS_TDMA): _latin1,
    int(DataCoding.JIS): _by_codec("shift_jis"),
    int(DataCoding.CYRILLIC): _by_codec("iso8859_5"),
    int(DataCoding.HEBREW): _by_codec("iso8859_8"),
    int(DataCoding.UCS2): _ucs2,
    int(DataCoding.PICTOGRAM): _latin1,
    int(DataCoding.ISO_2022_JP): _by_codec("iso2022_jp"),
    int(DataCoding.EXTENDED_KANJI): _by_codec("euc_jp"),
    int(DataCoding.KS_C_5601): _by_codec("euc_kr"),
}
