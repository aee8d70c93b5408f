"""Where a recipient's clock stands, as far as the number tells.

France by default: the rules are French, and foreign numbers (whose plans often span several zones) are
treated as if their owner were in France. Overseas territories have a calling code of their own; Mayotte
shares one with Reunion and has its own ranges behind it.
"""

from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")

_MAYOTTE: Final = ("+262269", "+262639", "+2627093")
_BY_CODE: Final = {
    "+262": ZoneInfo("Indian/Reunion"),
    "+508": ZoneInfo("America/Miquelon"),
    "+590": ZoneInfo("America/Guadeloupe"),
    "+594": ZoneInfo("America/Cayenne"),
    "+596": ZoneInfo("America/Martinique"),
    "+681": ZoneInfo("Pacific/Wallis"),
    "+687": ZoneInfo("Pacific/Noumea"),
    "+689": ZoneInfo("Pacific/Tahiti"),
}
_MAYOTTE_ZONE: Final = ZoneInfo("Indian/Mayotte")


def zone_of(e164: str) -> ZoneInfo:
    """The zone of a valid E.164 number with its `+`. French Polynesia's other two zones cannot be told:
    Tahiti's.
    """
    if e164.startswith("+33"):
        return PARIS
    zone = _BY_CODE.get(e164[:4], PARIS)
    return _MAYOTTE_ZONE if e164.startswith(_MAYOTTE) else zone
