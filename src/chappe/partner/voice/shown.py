"""How Voice Partner writes sizes, durations and dates (voice-and-mail-partner-api.md section 2.2)."""

from __future__ import annotations

from chappe.hours.dates import paris_text


def size_text(size_bytes: int) -> str:
    """`98.2Ko`: kilo-octets of 1,024, one decimal, half up."""
    tenths = (size_bytes * 10 + 512) // 1024
    return f"{tenths // 10}.{tenths % 10}Ko"


def duration_text(duration_ms: int) -> str:
    """`0:12`: minutes and started seconds."""
    minutes, seconds = divmod(-(-duration_ms // 1000), 60)
    return f"{minutes}:{seconds:02}"


def php_date(at_ms: int) -> dict[str, object]:
    """A date as PHP dumps its DateTime object, on the clock of Paris."""
    return {
        "date": f"{paris_text(at_ms)}.{at_ms % 1000:03}000",
        "timezone_type": 3,
        "timezone": "Europe/Paris",
    }
