"""Reads a request: where its parameters are and in which format, whatever its Content-Type says.

The order of checks is that of the answers: `check_headers` (413, 415) before the body is read, then `read`
(90), then the key and the rest. Nothing but Refusal is raised.
"""

import re
from collections.abc import Mapping, Sequence

from chappe.partner import multipart
from chappe.partner.bodies import (
    QUERY_PARAMETERS_MAX,
    Malformed,
    TooMany,
    Values,
    read_form,
    read_json,
    read_xml,
)
from chappe.partner.catalogue import refuse
from chappe.partner.catalogue_server import (
    body_too_large,
    encoding_unsupported,
    multipart_unsupported,
    too_many_parameters,
)
from chappe.partner.errors import Header, Message, Refusal
from chappe.partner.negotiation import Preferences, format_of, language_of
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters

_NOTHING: Values = {}
_BLANKS = b" \t\r\n\v\f"
_UTF8_MARK = b"\xef\xbb\xbf"
# UTF-16 and UTF-32, with their mark or beginning with the zero half of an ASCII character.
_NOT_UTF8 = (b"\xff\xfe", b"\xfe\xff", b"\0")
# A JSON text that is neither object nor array: it would otherwise pass for a form with one odd name.
_SCALAR = re.compile(rb'\s*(?:".*|(?:null|true|false|-?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*)', re.DOTALL)


def preferences(query_string: bytes, headers: Sequence[Header]) -> Preferences:
    """`_format` and `_lang` of the query, and ``Accept-Language``; never raises. For errors found before
    `read` or by it.
    """
    query: Values = _NOTHING
    if b"_format" in query_string or b"_lang" in query_string:
        try:
            query = _read_query(query_string)
        except TooMany:
            pass
    return Preferences(format_of(query.get("_format")), language_of(query.get("_lang"), headers))


def check_headers(page: Page, headers: Sequence[Header]) -> None:
    """Raises 413 for a Content-Length over the page's cap, 415 for a Content-Encoding, before a body is
    read.
    """
    encoded = False
    for name, value in headers:
        if name == b"content-length":
            digits = value.strip()
            # The server refuses what is no number; twenty digits are more than any cap, and cost little to
            # read.
            if digits.isdigit() and (len(digits) > 20 or int(digits) > page.body_max_bytes):
                raise body_too_large(page)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            encoded = True
    if encoded:
        raise encoding_unsupported()


def read(
    page: Page,
    method: str,
    path_parameters: Mapping[str, str],
    query_string: bytes,
    headers: Sequence[Header],
    body: bytes,
) -> Parameters:
    """The parameters of a request to `page`.

    `headers` have lower-case names, as ASGI gives them. `method` makes no difference: a body is read on
    GET and DELETE too, and a query on POST. Raises Refusal: 413, 415, 90, 400.
    """
    try:
        query = _read_query(query_string) if query_string else _NOTHING
        values = _read_body(page, headers, body) if body else _NOTHING
    except TooMany as found:
        raise too_many_parameters(found.maximum) from None
    except Malformed as found:
        raise _malformed(page, found.kind) from None
    if path_parameters:
        path_parameters = {name: value.replace("\0", "") for name, value in path_parameters.items()}
    return Parameters(path_parameters, values, query, headers)


def _read_query(query_string: bytes) -> Values:
    # The PHP SDK's README leads to `/v1/me??apiKey=K`.
    return read_form(query_string.lstrip(b"?"), QUERY_PARAMETERS_MAX)


def _read_body(page: Page, headers: Sequence[Header], body: bytes) -> Values:
    if len(body) > page.body_max_bytes:
        raise body_too_large(page)
    first = body[:1]
    if first == b"{":
        return read_json(body)
    if body.startswith(_UTF8_MARK):
        body = body[3:]
    if body[:1] in (b" ", b"\t", b"\r", b"\n", b"\v", b"\f"):
        body = body.lstrip(_BLANKS)
    first = body[:1]
    if not first:
        return _NOTHING
    if first == b"{" or first == b"[":
        return read_json(body)
    if first == b"<":
        return read_xml(body)
    content_type = _content_type(headers)
    if first == b"-" and content_type.lower().startswith(b"multipart/"):
        if not page.accepts_multipart:
            raise multipart_unsupported()
        return multipart.read_multipart(content_type, body)
    if body.startswith(_NOT_UTF8) or _SCALAR.fullmatch(body) is not None:
        raise Malformed("JSON")
    if b"=" not in body and b"json" in content_type.lower():
        raise Malformed("JSON")
    return read_form(body)


def _content_type(headers: Sequence[Header]) -> bytes:
    for name, value in headers:
        if name == b"content-type":
            return value.strip()
    return b""


def _malformed(page: Page, kind: str) -> Refusal:
    if kind == "JSON":
        return refuse(page, 90)
    return Refusal(
        90, Message(f"Le {kind} est malformé: erreur de syntaxe", f"The {kind} is malformed: syntax error")
    )
