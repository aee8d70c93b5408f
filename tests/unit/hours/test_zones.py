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
        # As the French numbering plan writes them: 0690... is +33690...
        ("+33692123456", "Indian/Reunion"),
        ("+33262123456", "Indian/Reunion"),
        ("+33947912345", "Indian/Reunion"),
        ("+33639123456", "Indian/Mayotte"),
        ("+33269601234", "Indian/Mayotte"),
        ("+33709351234", "Indian/Mayotte"),
        ("+33690123456", "America/Guadeloupe"),
        ("+33590123456", "America/Guadeloupe"),
        ("+33947512345", "America/Guadeloupe"),
        ("+33694123456", "America/Cayenne"),
        ("+33709301234", "America/Cayenne"),
        ("+33697123456", "America/Martinique"),
        ("+33596123456", "America/Martinique"),
        ("+33508411234", "America/Miquelon"),
        ("+33695123456", "Europe/Paris"),
        ("+33638123456", "Europe/Paris"),
        ("+33261123456", "Europe/Paris"),
        ("+33591123456", "Europe/Paris"),
        ("+33948123456", "Europe/Paris"),
        ("+33709801234", "Europe/Paris"),
    ],
)
def test_the_zone_of_a_number(e164: str, zone: str) -> None:
    assert zone_of(e164).key == zone


def test_france_is_the_default() -> None:
    assert PARIS.key == "Europe/Paris"
