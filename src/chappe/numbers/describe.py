"""What a number is: the facts of `POST /v1/lookup` (SMS Partner documentation, "Vérification de format",
notes 8.3).
"""

from dataclasses import dataclass
from typing import Final

from chappe.numbers import names
from chappe.numbers.country import country
from chappe.numbers.parse import Refusal, read

# PhoneNumberType of libphonenumber -> what the answer calls it. The documentation shows "Mobile" only.
_TYPES: Final = {
    0: ("Fixe", "Fixed line"),
    1: ("Mobile", "Mobile"),
    2: ("Fixe ou mobile", "Fixed line or mobile"),
    3: ("Numéro gratuit", "Toll free"),
    4: ("Numéro surtaxé", "Premium rate"),
    5: ("Coût partagé", "Shared cost"),
    6: ("VoIP", "VoIP"),
    7: ("Numéro personnel", "Personal number"),
    8: ("Messager", "Pager"),
    9: ("Numéro d'entreprise", "Company number"),
    10: ("Messagerie vocale", "Voicemail"),
}
_UNKNOWN: Final = ("Inconnu", "Unknown")


@dataclass(frozen=True, slots=True)
class Description:
    """`country`: its name in the language asked ("" for codes without a country), which the API calls
    `countryCode`. `prefix_code`: the calling code. The four formats are those of libphonenumber.
    """

    e164: str
    country: str
    iso2: str
    prefix_code: int
    type: str
    international: str
    national: str
    rfc3966: str


def describe(raw: str, *, english: bool = False) -> Description | None:
    """The description of one number as it was written, None if it is blank or not valid. Free text never
    raises.
    """
    from phonenumbers import PhoneNumberFormat, format_number, number_type, parse

    e164 = read(raw, mobile_only=False)
    if isinstance(e164, Refusal):
        return None
    number = parse(e164)
    code, iso2 = country(e164)
    kind = number_type(number)
    if code == 33 and e164[3] in "67":
        # Ranges that libphonenumber does not know yet are mobiles here, as everywhere in Chappe.
        kind = 1
    elif code == 33 and e164[3] in "12345":
        kind = 0
    return Description(
        e164=e164,
        country=(names.ENGLISH if english else names.FRENCH).get(iso2, ""),
        iso2=iso2,
        prefix_code=code,
        type=_TYPES.get(kind, _UNKNOWN)[english],
        international=format_number(number, PhoneNumberFormat.INTERNATIONAL),
        national=format_number(number, PhoneNumberFormat.NATIONAL),
        rfc3966=format_number(number, PhoneNumberFormat.RFC3966),
    )
