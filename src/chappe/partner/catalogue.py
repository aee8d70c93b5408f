"""Where the text of a code is found: the page's own table first, then the central one, then the product's.

Also the rows that many pages share, so that `Clé` and `Clef` are written once each.
"""

from collections.abc import Mapping, Sequence

from chappe.partner import catalogue_mail, catalogue_sms, catalogue_voice
from chappe.partner.errors import Code, Fault, Header, Message, Refusal
from chappe.partner.page import Page

CLE_REQUISE = Message("La Clé API est requise", "API key is required")
CLE_INCORRECTE = Message("Clé API incorrecte", "Invalid API key", 401)
CLEF_INCORRECTE = Message("Clef API incorrecte", "Incorrect API key", 401)

_FAMILIES: Mapping[tuple[str, str], Mapping[Code, Message]] = {
    ("sms", "send"): catalogue_sms.SEND,
    ("sms", "status"): catalogue_sms.STATUS,
    ("sms", "verification"): catalogue_sms.VERIFICATION,
    ("sms", "location"): catalogue_sms.LOCATION,
    ("sms", "subaccount"): catalogue_sms.SUBACCOUNT,
    ("voice", "send"): catalogue_voice.SEND,
    ("mail", "send"): catalogue_mail.SEND,
    ("mail", "subaccount"): catalogue_sms.SUBACCOUNT,  # one section of the page for both products
}
_NO_FAMILY: Mapping[Code, Message] = {}

_PRODUCTS: Mapping[str, Mapping[Code, Message]] = {
    # A family's table leaves out what goes without saying (key, account, address): the send table has it.
    "sms": catalogue_sms.SEND,
    "voice": {**catalogue_voice.SEND, **catalogue_voice.COMMON},
    "mail": catalogue_mail.SEND,
}


def resolve(page: Page, code: Code) -> Message:
    """The row for `code` as `page` words it. KeyError if no table has it: a mistake of ours."""
    message = page.errors.get(code)
    if message is None:
        message = _FAMILIES.get((page.product, page.family), _NO_FAMILY).get(code)
    if message is None:
        message = _PRODUCTS[page.product][code]
    return message


def table(page: Page) -> Mapping[Code, Message]:
    """Every row that the page may answer: the central table of its family under its own."""
    return {**_FAMILIES.get((page.product, page.family), _NO_FAMILY), **page.errors}


def refuse(
    page: Page,
    code: Code,
    *,
    detail: str | None = None,
    faults: Sequence[Fault] | None = None,
    headers: Sequence[Header] = (),
) -> Refusal:
    """The refusal with `code` on `page`; `detail` takes the place of ``[…]`` in the text (code 23)."""
    message = resolve(page, code)
    if detail is not None:
        message = message.with_detail(detail)
    return Refusal(code, message, faults=faults, headers=headers)


def missing_key(page: Page) -> Refusal:
    """No key came with the request: 1, or the page's own number (2 on `group/add`, 10 on most of
    contacts).
    """
    code = page.missing_key_code
    return Refusal(code, page.missing_key or resolve(page, code))


def wrong_key(page: Page) -> Refusal:
    """The key is nobody's: 10, as `Clé` or `Clef` as the page writes it."""
    return refuse(page, 10)
