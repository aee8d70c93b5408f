"""Message ids in receipts, which seldom look like the id that submit_sm_resp gave.

SMSCs answer a submit in hexadecimal and report in decimal or the other way round, pad with zeros in one place only,
change the case, quote it. So a submit response is stored under `match_key` of its id, and a receipt is looked up
under each of `match_keys` in turn. The keys after the first are guesses: whoever looks up also compares the
recipient's number.
"""

import re
from collections.abc import Iterable
from typing import Final

_HEXADECIMAL: Final = re.compile("[0-9A-Fa-f]+")
_UUID: Final = re.compile("[0-9A-Fa-f-]+")
_AROUND: Final = " \t\r\n\0\"',;"
_CONVERTED_LENGTH_MAX: Final = 20
"""20 decimal digits hold 64 bits. Longer ids are random, not counted, and nobody prints those in another base."""


def match_key(message_id: str) -> str:
    """The form in which ids that differ in case, padding or quotes are the same. Ids that are not hexadecimal as
    a whole keep their case: there `aB` and `Ab` may be two messages.
    """
    stripped = message_id.strip(_AROUND)
    if _HEXADECIMAL.fullmatch(stripped) is not None:
        return stripped.lstrip("0").lower() or "0"
    if stripped[:2] in ("0x", "0X") and _HEXADECIMAL.fullmatch(stripped, 2) is not None:
        return stripped[2:].lstrip("0").lower() or "0"
    if _UUID.fullmatch(stripped) is not None:
        return stripped.lower()
    return stripped


def match_keys(message_ids: Iterable[str]) -> tuple[str, ...]:
    """The keys under which the message of a receipt may be stored, the likeliest first: the ids as they are, then
    read as decimal and written in hexadecimal, then the reverse. None twice, none empty.
    """
    keys = [match_key(message_id) for message_id in message_ids]
    converted: list[str] = []
    for key in keys:
        if len(key) > _CONVERTED_LENGTH_MAX or _HEXADECIMAL.fullmatch(key) is None:
            continue
        if key.isdecimal():
            converted.append(f"{int(key):x}")
        converted.append(str(int(key, 16)))
    return tuple(dict.fromkeys(key for key in (*keys, *converted) if key))
