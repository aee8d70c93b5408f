"""`messageId` as the status and cancel pages take it: an integer, or its decimal text."""

from __future__ import annotations

from chappe.partner.catalogue import refuse
from chappe.partner.errors import ParameterInvalid
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters


def read_message_id(page: Page, parameters: Parameters) -> int:
    """Raises 3 (absent) and 4 (nothing that could be an id, so nobody's message)."""
    try:
        message_id = parameters.integer("messageId")
    except ParameterInvalid:
        raise refuse(page, 4) from None
    if message_id is None:
        raise refuse(page, 3)
    return message_id
