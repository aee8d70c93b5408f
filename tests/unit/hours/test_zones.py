"""The number tells where its owner's clock stands."""

import pytest

from chappe.hours.zones import PARIS, zone_of


@pytest.mark.parametrize(
    ("e164", "zone"),
    [
        ("+33612345678", "Europe/Paris"),
        ("+262692123456", "Indian/Reunion"),
        ("+262639123456", "Indian/Mayotte"),
        ("+262269601234", "Indian/Mayotte"),
        ("+590690123456", "America/Guadeloupe"),
        ("+594694123456", "America/Cayenne"),
        ("+596696123456", "America/Martinique"),
        ("+508551234", "America/Miquelon"),
        ("+687751234", "Pacific/Noumea"),
        ("+689871234567", "Pacific/Tahiti"),
        ("+681821234", "Pacific/Wallis"),
        ("+212666000000", "Europe/Paris"),
    ],
)
def test_the_zone_of_a_number(e164: str, zone: str) -> None:
    assert zone_of(e164).key == zone


def test_france_is_the_default() -> None:
    assert PARIS.key == "Europe/Paris"
