"""Where a recipient's clock stands, as far as the number tells.

France by default: the rules are French, and foreign numbers (whose plans often span several zones) are
treated as if their owner were in France. Overseas territories have a calling code of their own; Mayotte
shares one with Reunion and has its own ranges behind it. Within the French numbering plan their numbers are
written like all others (0690..., hence +33690...), and their ranges tell (Arcep's numbering plan, decision
2018-0881 as amended).
"""

from typing import Final
from zoneinfo import ZoneInfo

PARIS: Final = ZoneInfo("Europe/Paris")

_REUNION: Final = ZoneInfo("Indian/Reunion")
_MAYOTTE_ZONE: Final = ZoneInfo("Indian/Mayotte")
_MIQUELON: Final = ZoneInfo("America/Miquelon")
_GUADELOUPE: Final = ZoneInfo("America/Guadeloupe")
_CAYENNE: Final = ZoneInfo("America/Cayenne")
_MARTINIQUE: Final = ZoneInfo("America/Martinique")

_MAYOTTE: Final = ("+262269", "+2622689", "+262639", "+2627093", "+2629398", "+2629478", "+2629769")
_BY_CODE: Final = {
    "+262": _REUNION,
    "+508": _MIQUELON,
    "+590": _GUADELOUPE,
    "+594": _CAYENNE,
    "+596": _MARTINIQUE,
    "+681": ZoneInfo("Pacific/Wallis"),
    "+687": ZoneInfo("Pacific/Noumea"),
    "+689": ZoneInfo("Pacific/Tahiti"),
}

_RANGES: Final[dict[ZoneInfo, str]] = {
    _REUNION: "262 263 2688 692 693 7092 9399 9479 9762 9763",
    _MAYOTTE_ZONE: "269 2689 639 70935 70936 70937 9398 9478 9769",
    _MIQUELON: "508 7084 7085",
    _GUADELOUPE: "590 5987 690 691 7090 9395 9475 9760 9761 9768",
    _CAYENNE: "594 5988 694 70930 70931 70932 70933 9396 9476",
    _MARTINIQUE: "596 5989 696 697 7091 9397 9477 9766 9767",
}
_IN_FRANCE: Final = {beginning: zone for zone, ranges in _RANGES.items() for beginning in ranges.split()}
"""What follows +33, three to five digits, where it is not in Europe."""


def zone_of(e164: str) -> ZoneInfo:
    """The zone of a valid E.164 number with its `+`. French Polynesia's other two zones cannot be told:
    Tahiti's.
    """
    if e164.startswith("+33"):
        for end in (6, 7, 8):
            zone = _IN_FRANCE.get(e164[3:end])
            if zone is not None:
                return zone
        return PARIS
    zone = _BY_CODE.get(e164[:4], PARIS)
    return _MAYOTTE_ZONE if e164.startswith(_MAYOTTE) else zone
