"""Whom an INVITE to the built-in telephones asks for."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.uri import SipUri, Uri

DEPOSIT_PREFIX: Final = "*"
"""Before a number: its mailbox, without ringing (`deposit_prefix` of a trunk)."""
CALLER_CHARS_MAX: Final = 40

_CALLED: Final = re.compile(r"(\*?)(?:\+|00|(0)|)([1-9][0-9]{3,14})", re.ASCII)


class Called(NamedTuple):
    """`phone`: E.164 digits as an integer."""

    phone: int
    wants_mailbox: bool


def called_of(uri: Uri) -> Called | None:
    """+33612345678, 0033612345678, 33612345678, and 0612345678 as somebody in France dials; None for anything else."""
    match = _CALLED.fullmatch(uri.user_text) if isinstance(uri, SipUri) else None
    if match is None:
        return None
    prefix, is_national, digits = match.groups()
    return Called(int(f"33{digits}" if is_national else digits), bool(prefix))


def caller_of(address: Address) -> str:
    """Who is shown on the telephone: a number as it came, else `anonymous`."""
    uri = address.uri
    user = uri.user_text if isinstance(uri, SipUri) else ""
    return user if user.isprintable() and 0 < len(user) <= CALLER_CHARS_MAX else "anonymous"
