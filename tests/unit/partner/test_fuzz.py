"""Whatever comes in: nothing but a refusal, and what is read can be written again."""

import json
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from chappe.partner import catalogue, catalogue_sms
from chappe.partner.errors import Header, Refusal
from chappe.partner.page import Page
from chappe.partner.parameters import Parameters
from chappe.partner.reader import check_headers, preferences, read
from chappe.partner.writer import render, render_refusal
from tests.unit.partner.example_pages import PAGES, SMS_SEND

NAMES = [
    "apiKey",
    "phoneNumbers",
    "message",
    "SMSList",
    "time",
    "isStopSms",
    "credit",
    "contact",
    "_format",
    "_lang",
]
SPECIAL = [
    *("", " ", "\0", "\ud800", "😀", "é", "]]>", "<a>", "&amp;", "\\ud800", "\ufffe", "-0", "1e999", "NaN"),
    *(
        "9" * 30,
        "0.30000000000000004",
        "{",
        "[",
        "%00",
        "+33600000001, 0600000002",
        "x" * 5000,
        "\r\n",
        "true",
    ),
]
texts = st.sampled_from(SPECIAL) | st.text(st.characters(exclude_categories=()), max_size=20)
names = st.sampled_from(NAMES) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
json_bodies = st.dictionaries(names, values, max_size=8).map(lambda value: json.dumps(value).encode())
pieces = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b'"',
            b":",
            b",",
            b"\\",
            b"\\u",
            b"d83d",
            b"null",
            b"<",
            b">",
            b"</",
            b"/>",
            b"<r>",
        ),
        *(
            b"<!DOCTYPE r",
            b"<![CDATA[",
            b"]]>",
            b"&",
            b"&amp;",
            b"&#",
            b"=",
            b"%",
            b"%00",
            b"+",
            b"[]",
            b"apiKey",
        ),
        *(
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b" ",
            b"\r\n",
            b"--x",
            b'encoding="utf-16"',
            b"<?xml",
            b"?>",
            b"1e400",
        ),
    ]
)
octets = st.binary(max_size=60) | st.lists(pieces | st.binary(max_size=4), max_size=25).map(b"".join)
bodies = octets | json_bodies | st.tuples(json_bodies, octets).map(b"".join)
header_names = st.sampled_from(
    [
        b"authorization",
        b"x-api-key",
        b"accept-language",
        b"content-type",
        b"content-length",
        b"content-encoding",
    ]
) | st.binary(max_size=12).map(bytes.lower)
header_values = octets | st.sampled_from(
    [b"Bearer k", b"multipart/form-data; boundary=x", b"en;q=0.5", b"identity"]
)
header_lists = st.lists(st.tuples(header_names, header_values), max_size=5)
paths = st.dictionaries(st.sampled_from(["apiKey", "messageId"]), texts.filter(str.isprintable), max_size=2)


def read_everything(parameters: Parameters) -> dict[str, object]:
    """Every reading of every name; ParameterInvalid is an answer like another."""
    found: dict[str, object] = {
        "apiKey": parameters.api_key(),
        "format": parameters.format,
        "language": parameters.language,
    }
    for name in (*NAMES, "webhookUrl", "Ⅷ", "\0"):
        for reading in (
            parameters.raw,
            parameters.text,
            parameters.integer,
            parameters.decimal_micro,
            parameters.flag,
            parameters.items,
            parameters.mapping,
            parameters.joined,
        ):
            try:
                found[f"{name} {reading.__name__}"] = reading(name)
            except Refusal as refusal:
                found[f"{name} {reading.__name__}"] = refusal.message.fr
    return found


def assert_can_be_written(page: Page, payload: dict[str, object]) -> None:
    assert json.loads(render(page, payload, "json")[1]).keys() == payload.keys()
    ElementTree.fromstring(render(page, payload, "xml")[1])


@given(
    st.sampled_from(PAGES), st.sampled_from(["GET", "POST", "DELETE"]), paths, octets, header_lists, bodies
)
@example(SMS_SEND, "POST", {}, b"", [], b'{"message": "\\ud800", "SMSList": [{"\\ud83d": "\\u0000"}]}')
@example(SMS_SEND, "POST", {}, b"", [], b'<?xml version="1.0" encoding="utf-16"?><r/>')
@example(SMS_SEND, "POST", {}, b"a[][][x]=1&a[0]=2&a=3&a[x]=4", [], b"a[b]=1&a[b][c]=2")
def test_any_request_is_read_or_refused_and_what_was_read_can_be_written(
    page: Page,
    method: str,
    path: dict[str, str],
    query: bytes,
    headers: list[Header],
    body: bytes,
) -> None:
    wanted = preferences(query, headers)
    try:
        check_headers(page, headers)
        parameters = read(page, method, path, query, headers, body)
    except Refusal as found:
        refusal: Refusal | None = found
    else:
        refusal = None
        assert_can_be_written(page, read_everything(parameters))
    if refusal is None:
        return
    answer = render_refusal(page, refusal, *wanted)
    if wanted.format == "json":
        assert json.loads(answer.body)["code"] == refusal.code
    else:
        ElementTree.fromstring(answer.body)


@given(texts, texts, st.sampled_from(["fr", "en"]))
def test_any_number_or_date_a_client_wrote_can_stand_in_an_error(one: str, two: str, language: str) -> None:
    # From the reader no lone surrogate comes; everything else does.
    one, two = (text.encode(errors="replace").decode() for text in (one, two))
    faults = [catalogue_sms.number_invalid(one), catalogue_sms.date_past(one, two, two)]
    refusal = catalogue.refuse(SMS_SEND, 9, faults=faults)
    body = render_refusal(SMS_SEND, refusal, "json", language).body  # type: ignore[arg-type]
    assert one in json.loads(body)["errors"][0]["message"]
    ElementTree.fromstring(render_refusal(SMS_SEND, refusal, "xml", language).body)  # type: ignore[arg-type]
