"""A body is JSON, XML or a form by its first octet, whatever its Content-Type says."""

import msgspec
import pytest

from chappe.partner.errors import Refusal
from tests.unit.partner.example_pages import MAIL_SEND, VOICE_SEND
from tests.unit.partner.reading import reading

CONTENT_TYPES = [
    None,
    "application/json",
    "application/x-www-form-urlencoded",
    "application/xml",
    "text/plain",
    "",
]


def refused(body: bytes, **rest: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        reading(body, **rest)  # type: ignore[arg-type]
    return caught.value


def assert_malformed(body: bytes, **rest: object) -> None:
    refusal = refused(body, **rest)
    assert (refusal.code, refusal.http_status) == (90, 400)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"apiKey": "k", "message": "x"}',
        b' \r\n\t{"apiKey": "k", "message": "x"}\n',
        b'\xef\xbb\xbf{"apiKey": "k", "message": "x"}',
        b'\xef\xbb\xbf\n{"apiKey": "k", "message": "x"}',
        b"<request><apiKey>k</apiKey><message>x</message></request>",
        b'\n<?xml version="1.0"?>\n<r> <apiKey>k</apiKey>\n <message><![CDATA[x]]></message> </r>',
        b"apiKey=k&message=x",
        b"\napiKey=k&message=x",
    ],
)
def test_the_format_is_told_by_the_first_octet(body: bytes, content_type: str | None) -> None:
    if body.startswith(b"\n<?xml"):
        body = body.lstrip()
    parameters = reading(body, headers={} if content_type is None else {"content-type": content_type})
    assert parameters.api_key() == "k"
    assert parameters.text("message") == "x"


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"{}", b"<r/>", b"<r> </r>"])
def test_a_body_may_be_empty(body: bytes) -> None:
    assert reading(body, query=b"apiKey=k").api_key() == "k"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"message": "say "hello""}',
        b"{'apiKey': 'k'}",
        b'{"apiKey": "k"} trailing',
        b'{"apiKey": "k"}\x00',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "line\nbreak"}',
        b"[]",
        b'[{"apiKey": "k"}]',
        b'"apiKey=k"',
        b'"cut short',
        b"null",
        b"true",
        b" -12.5e3 ",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-be"),
    ],
)
def test_malformed_json_is_90_with_status_400(body: bytes) -> None:
    assert_malformed(body)


def test_a_word_sent_as_json_is_malformed() -> None:
    assert_malformed(b"not json", headers={"content-type": "application/json; charset=utf-8"})


def test_malformed_json_is_worded_as_the_page_does() -> None:
    refusal = refused(b"{")
    assert refusal.message.fr == "Le JSON est malformé: erreur de syntaxe"
    assert refusal.message.en == "The JSON is malformed: syntax error"
    for page in (VOICE_SEND, MAIL_SEND):
        assert refused(b"{", page=page).message.fr == "Le JSON est malformé: erreur de syntaxe"


def test_of_duplicate_keys_the_last_one_counts() -> None:
    assert reading(b'{"tag": "a", "tag": "b"}').text("tag") == "b"
    assert reading(b"tag=a&tag=b").text("tag") == "b"
    assert reading(query=b"tag=a&tag=b").text("tag") == "b"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_may_be_32_deep_and_no_deeper(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    inner = b"0"
    fits = b'{"a":' + opening * 31 + inner + closing * 31 + b"}"
    assert reading(fits).raw("a") is not None
    for depth in (32, 100, 5_000, 100_000):
        assert_malformed(b'{"a":' + opening * depth + inner + closing * depth + b"}")
    assert_malformed(b'{"a":' + opening * 100_000)


def test_brackets_in_a_text_are_no_depth() -> None:
    assert reading(msgspec.json.encode({"message": "[{" * 50})).text("message") == "[{" * 50


def test_a_batch_of_500_is_wide_and_not_deep() -> None:
    batch = {"SMSList": [{"phoneNumber": "+33600000001", "message": "x"}] * 500}
    assert len(reading(msgspec.json.encode(batch)).items("SMSList") or ()) == 500


def test_millions_of_values_are_refused_before_they_fill_the_memory() -> None:
    assert_malformed(b'{"a":[' + b"{}," * 500_001 + b"{}]}")
    assert_malformed(b'{"a":[' + b"0," * 600_000 + b"0]}")
    assert reading(b'{"message":"' + b"a, " * 400_000 + b'"}').text("message") is not None


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"\ud800", "\ufffd"),
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00\ud83d", "\ufffd\ufffd"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\ud83d\ud83d\ude00 \uDFFF", "\ufffd😀 \ufffd"),
        (rb"\\ud800 \ud800", "\\ud800 \ufffd"),
        (rb"\\ud800", "\\ud800"),
        (rb"\u0000a\u0000", "a"),
        (rb"\\u0000", "\\u0000"),
    ],
)
def test_lone_surrogates_become_the_replacement_character_and_nul_is_dropped(
    escaped: bytes, text: str
) -> None:
    body = b'{"message": "' + escaped + b'", "list": [{"' + escaped + b'": "' + escaped + b'"}]}'
    parameters = reading(body)
    assert parameters.text("message") == text
    assert parameters.raw("list") == [{text: text}]


def test_nul_is_dropped_from_queries_forms_and_paths() -> None:
    assert reading(query=b"tag=a%00b&x\0=c\0d").text("tag") == "ab"
    assert reading(query=b"x\0=c\0d").text("x") == "cd"
    assert reading(b"tag=a%00b").text("tag") == "ab"
    assert reading(path={"apiKey": "a\0b"}).api_key() == "ab"


# --- forms ------------------------------------------------------------------------------------------------


def test_php_arrays_in_forms_and_queries_are_lists_and_maps() -> None:
    form = (
        b"apiKey=k&phoneNumbers[]=0600000001&phoneNumbers%5B%5D=0600000002"
        b"&contact[phoneNumber]=0600000003&contact[custom1]=x"
        b"&SMSList[0][phoneNumber]=0600000004&SMSList[0][message]=a&SMSList[1][phoneNumber]=0600000005"
    )
    for parameters in (reading(form), reading(query=form)):
        assert parameters.raw("phoneNumbers") == ["0600000001", "0600000002"]
        assert parameters.mapping("contact") == {"phoneNumber": "0600000003", "custom1": "x"}
        assert parameters.items("SMSList") == [
            {"phoneNumber": "0600000004", "message": "a"},
            {"phoneNumber": "0600000005"},
        ]


def test_brackets_that_are_no_array_are_part_of_the_name() -> None:
    assert reading(b"b]=2&c[=3&[a]=1").raw("c[") == "3"


def test_an_array_name_deeper_than_32_is_a_plain_name() -> None:
    assert reading(b"a" + b"[x]" * 5000 + b"=1").raw("a") is None
    assert reading(b"a" + b"[]" * 31 + b"=1").raw("a") is not None


def test_a_thousand_parameters_in_a_query_are_enough() -> None:
    assert reading(query=b"&".join(b"p%d=1" % n for n in range(1000))).text("p999") == "1"
    refusal = refused(b"", query=b"&".join(b"p%d=1" % n for n in range(1001)))
    assert (refusal.code, refusal.http_status) == (400, 400)
    assert "1000" in refusal.message.fr


def test_ten_thousand_parameters_in_a_form_are_enough() -> None:
    assert reading(b"&".join(b"p%d=1" % n for n in range(10_000))).text("p9999") == "1"
    assert refused(b"&".join(b"p%d=1" % n for n in range(10_001))).code == 400


# --- XML --------------------------------------------------------------------------------------------------


def test_xml_children_are_parameters_nested_ones_maps_and_repeated_ones_lists() -> None:
    parameters = reading(
        b'<?xml version="1.0" encoding="UTF-8"?><request version="1">'
        b"<apiKey>k</apiKey><message>Tom &amp; J\xc3\xa9r\xc3\xb4me &#x20AC;</message>"
        b"<contact><phoneNumber>0600000001</phoneNumber><firstname/></contact>"
        b"<SMSList><entry><phoneNumber>0600000002</phoneNumber></entry></SMSList>"
        b"<others><sms><message>a</message></sms><sms><message>b</message></sms></others>"
        b"<phoneNumbers>0600000003</phoneNumbers><phoneNumbers>0600000004</phoneNumbers></request>"
    )
    assert parameters.api_key() == "k"
    assert parameters.text("message") == "Tom & Jérôme €"
    assert parameters.mapping("contact") == {"phoneNumber": "0600000001", "firstname": ""}
    assert parameters.items("SMSList") == [{"phoneNumber": "0600000002"}]
    assert parameters.items("others") == [{"message": "a"}, {"message": "b"}]
    assert parameters.joined("phoneNumbers") == "0600000003,0600000004"


def test_one_item_alone_in_an_xml_list_is_still_a_list() -> None:
    parameters = reading(b"<r><SMSList><sms><message>a</message></sms></SMSList></r>")
    assert parameters.items("SMSList") == [{"message": "a"}]


def test_xml_in_another_encoding_is_read_as_it_declares() -> None:
    document = '<?xml version="1.0" encoding="{}"?><r><message>café</message></r>'
    for encoding in ("iso-8859-1", "windows-1252", "iso-8859-15"):
        assert reading(document.format(encoding).encode(encoding)).text("message") == "café"


def test_xml_prefixes_do_not_count() -> None:
    assert reading(b'<p:r xmlns:p="urn:x"><p:apiKey>k</p:apiKey></p:r>').api_key() == "k"


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"<r>",
        b"<r></x>",
        b"<r/><r/>",
        b"<r>\x00</r>",
        b"<r>&unknown;</r>",
        b"<r>&#0;</r>",
        b"<r>&#xD800;</r>",
        b"<r>\xff</r>",
        b'<?xml version="1.0" encoding="no-such"?><r/>',
        b'<?xml version="1.0" encoding="utf-7"?><r/>',
        b'<?xml version="1.0" encoding="shift_jis"?><r/>',
        b"<!DOCTYPE r><r/>",
        b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r>&b;</r>',
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>',
        b'<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1/">%a;]><r/>',
        b"<a>" * 100_000,
        b"<a>" * 34 + b"</a>" * 34,
        b"<r>" + b"<a/>" * 20_001 + b"</r>",
    ],
)
def test_malformed_xml_and_every_document_type_are_90_with_status_400(body: bytes) -> None:
    assert_malformed(body)
    assert refused(body).message.fr == "Le XML est malformé: erreur de syntaxe"


# --- caps -------------------------------------------------------------------------------------------------


def test_a_body_over_the_pages_cap_is_413() -> None:
    body = b'{"message": "' + b"x" * (1 << 20) + b'"}'
    assert reading(body).text("message") is not None
    refusal = refused(body, page=VOICE_SEND)
    assert (refusal.code, refusal.http_status) == (413, 413)
    assert "1 Mio" in refusal.message.fr
    assert "1 MiB" in refusal.message.en
