"""French public holidays, computed.

The list of the Code du travail, L3133-1: eleven days, three of them tied to Easter. It is the list that the
rules about marketing name (Code de la consommation D223-9), and the one that holds everywhere in France.
Beside it the overseas departments keep the day their slavery was abolished (Code du travail L3422-2, decree
83-1003); a number with their calling code tells where its owner is. Not included, because no number tells
it: Good Friday and 26 December in Moselle, Bas-Rhin and Haut-Rhin (L3134-13). Not included either: the
further holidays of New Caledonia and French Polynesia, which have a labour law of their own. An operator
adds days by configuration.
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

_FIXED: Final = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER: Final = (1, 39, 50)
"""Easter Monday, Ascension, Whit Monday."""

_OVERSEAS: Final = {
    "America/Guadeloupe": (5, 27),
    "America/Martinique": (5, 22),
    "America/Cayenne": (6, 10),
    "Indian/Reunion": (12, 20),
    "Indian/Mayotte": (4, 27),
}


def easter(year: int) -> date:
    """Easter Sunday of a Gregorian year (the anonymous algorithm, as in Meeus, Astronomical Algorithms,
    chapter 8).
    """
    golden = year % 19
    century, of_century = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - correction + 15) % 30
    leap_years, year_rest = divmod(of_century, 4)
    weekday = (32 + 2 * century_rest + 2 * leap_years - epact - year_rest) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=256)
def holidays(year: int, zone: str = "Europe/Paris") -> frozenset[date]:
    """The public holidays of a year for recipients in this zone (an IANA name)."""
    sunday = easter(year)
    days = {date(year, month, day) for month, day in _FIXED}
    days.update(sunday + timedelta(days=after) for after in _AFTER_EASTER)
    if zone in _OVERSEAS:
        days.add(date(year, *_OVERSEAS[zone]))
    return frozenset(days)
