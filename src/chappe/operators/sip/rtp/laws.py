"""From one law of G.711 to the other, octet by octet: tables for `bytes.translate`, no sample in between."""

from __future__ import annotations

from typing import Final

from chappe.operators.sip.sdp.audio import CodecName


def _alaw_to_linear(octet: int) -> int:
    octet ^= 0x55
    exponent, mantissa = (octet >> 4) & 7, octet & 15
    magnitude = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 264) << (exponent - 1)
    return magnitude if octet & 0x80 else -magnitude


def _ulaw_to_linear(octet: int) -> int:
    octet ^= 0xFF
    magnitude = ((((octet & 15) << 3) + 132) << ((octet >> 4) & 7)) - 132
    return -magnitude if octet & 0x80 else magnitude


def _nearest(values: list[int], wanted: list[int]) -> bytes:
    """For each wanted sample the octet whose own is the nearest, of the same sign where two are as near."""
    return bytes(
        min(range(256), key=lambda octet: (abs(values[octet] - sample), (values[octet] < 0) != (sample < 0)))
        for sample in wanted
    )


_ALAW: Final = [_alaw_to_linear(octet) for octet in range(256)]
_ULAW: Final = [_ulaw_to_linear(octet) for octet in range(256)]
TO_OTHER: Final[dict[CodecName, bytes]] = {"PCMA": _nearest(_ULAW, _ALAW), "PCMU": _nearest(_ALAW, _ULAW)}
"""By the codec that comes in."""

MAGNITUDES: Final[dict[CodecName, bytes]] = {
    "PCMA": bytes(min(255, abs(value) >> 4) for value in _ALAW),
    "PCMU": bytes(min(255, abs(value) >> 4) for value in _ULAW),
}
"""How loud each octet is, in sixteenths of a linear step, 255 for everything louder: their mean tells speech from
silence.
"""
