"""Writes answers: JSON, or the positional XML of the documentation; errors with their status and headers.

JSON is compact and in unescaped UTF-8 (RFC 8259, section 8.1), so `€` and accents can be read on a terminal.
XML (sms-partner-api.md, section 1.7) loses the names: every value is an ``<entry>``, in the order of the
JSON keys.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, cast
from xml.sax.saxutils import escape

import msgspec

from chappe.credit.money import exact_text
from chappe.partner.errors import Header, Language, Refusal
from chappe.partner.negotiation import Format
from chappe.partner.page import Page

JSON_TYPE = b"application/json"
XML_TYPE = b"application/xml"

_encode_json = msgspec.json.encode

_XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<result>'
_XML_TAIL = "</result>\n"
# What XML 1.0 cannot hold, not even as a reference (section 2.2 of its recommendation).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_NO_NAMES: frozenset[str] = frozenset()
_CODE: frozenset[str] = frozenset(("code",))
_FAULTS = "errors"
_FAULTS_TOO = "error"


class Answer(NamedTuple):
    """A whole answer. `headers` are those beside Content-Type and Content-Length, names in lower case."""

    status: int
    headers: Sequence[Header]
    content_type: bytes
    body: bytes


def render(page: Page, payload: Mapping[str, object], format: Format) -> tuple[bytes, bytes]:
    """The content type and the body of a successful answer.

    The payload holds str, int, float, bool, None, `money(...)`, and lists and maps of them; its
    order is the documented one. In XML the page's `json_only` names are left out, and so is `code` inside
    `errors`.
    """
    if format == "json":
        return JSON_TYPE, _encode_json(payload)
    written = [_XML_HEAD]
    _write_entries(written, payload, page.xml_objects, page.json_only, bare=False)
    written.append(_XML_TAIL)
    return XML_TYPE, "".join(written).encode()


def render_refusal(
    page: Page | None,
    refusal: Refusal,
    format: Format,
    language: Language,
    always_200: bool = False,
) -> Answer:
    """The answer to a refused request; `page` is None where none was found.

    `always_200` (`errors.http_status = "always-200"`) hides every status but 429 and those of our own
    failures.
    """
    status = refusal.http_status
    headers = refusal.headers
    if always_200 and status != 429 and status < 500:
        status = 200
    elif status == 401:
        headers = (*headers, (b"www-authenticate", b"Bearer"))  # RFC 9110, 11.6.1: a 401 must have one
    text = refusal.message.text(language)
    faults = None if refusal.faults is None else [fault.as_item(language) for fault in refusal.faults]
    if format == "json":
        payload: dict[str, object] = {"success": False, "code": refusal.code, "message": text}
        if faults is not None:
            # Half of the clients read one name, half the other (section 1.4): both, never a text under
            # either.
            payload[_FAULTS] = payload[_FAULTS_TOO] = faults
        return Answer(status, headers, JSON_TYPE, _encode_json(payload))
    entries: list[object] = [False, refusal.code]
    # By position: the sample of a code-9 list has the list in third place.
    if faults is None or refusal.code != 9:
        entries.append(text)
    if faults is not None:
        entries.append([{key: item for key, item in fault.items() if key != "code"} for fault in faults])
    written = [_XML_HEAD]
    _write_entries(written, entries, _NO_NAMES, _NO_NAMES, bare=True)
    written.append(_XML_TAIL)
    return Answer(status, headers, XML_TYPE, "".join(written).encode())


# --- XML --------------------------------------------------------------------------------------------------


def _write_entries(
    written: list[str],
    value: Mapping[str, object] | Sequence[object],
    objects: frozenset[str],
    left_out: frozenset[str],
    *,
    bare: bool,
) -> None:
    """Each value of a map or a list as an entry; `bare` is text without CDATA, as errors have it."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in left_out:
                continue
            if key in objects and isinstance(item, Mapping):
                written.append("<entry>")
                _write_object(written, cast(Mapping[str, object], item))
                written.append("</entry>")
            elif key == _FAULTS and isinstance(item, list):
                _write_entry(written, cast(object, item), objects, left_out | _CODE, bare=True)
            else:
                _write_entry(written, item, objects, left_out, bare=bare)
    else:
        for item in value:
            _write_entry(written, item, objects, left_out, bare=bare)


def _write_entry(
    written: list[str], value: object, objects: frozenset[str], left_out: frozenset[str], *, bare: bool
) -> None:
    if isinstance(value, str):
        written.append(f"<entry>{_escaped(value) if bare else _cdata(value)}</entry>")
    elif isinstance(value, (Mapping, list, tuple)):
        written.append("<entry>")
        inner = cast(Mapping[str, object] | Sequence[object], value)
        _write_entries(written, inner, objects, left_out, bare=bare)
        written.append("</entry>")
    else:
        written.append(f"<entry>{_scalar(value)}</entry>")


def _write_object(written: list[str], value: Mapping[str, object]) -> None:
    """A real object of the original keeps its element names, and its texts are bare."""
    for key, item in value.items():
        assert _XML_NAME.fullmatch(key), "our own name"
        text = _escaped(item) if isinstance(item, str) else _scalar(item)
        written.append(f"<{key}>{text}</{key}>")


def _scalar(value: object) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return ""
    # Numbers as JSON prints them, so that both formats give the same digits.
    return _encode_json(value).decode()


def _legal(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _NOT_XML.sub("\ufffd", text)


def _cdata(text: str) -> str:
    return f"<![CDATA[{_legal(text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def _escaped(text: str) -> str:
    # A reader turns a bare carriage return into a line feed (section 2.11), so it goes as a reference.
    return escape(_legal(text)).replace("\r", "&#13;")


@lru_cache(maxsize=4096)  # what a request costs is nearly always one of a few amounts
def money(micro: int) -> msgspec.Raw:
    """Euros as an exact number, never a float: 41000 is ``0.041``, 1000000 is ``1``; for `cost` and the like."""
    return msgspec.Raw(exact_text(micro).encode())
