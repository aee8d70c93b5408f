"""What the headers alone decide, before a body is read, and what they say of the answer."""

import pytest

from chappe.partner.errors import Refusal
from chappe.partner.page import Page
from chappe.partner.reader import check_headers, preferences
from tests.unit.partner.example_pages import MAIL_SEND, SMS_SEND, VOICE_SEND, VOICE_UPLOAD
from tests.unit.partner.reading import reading

MIB = 1 << 20


@pytest.mark.parametrize(
    ("page", "cap"), [(SMS_SEND, 8 * MIB), (VOICE_SEND, MIB), (VOICE_UPLOAD, 25 * MIB), (MAIL_SEND, 32 * MIB)]
)
def test_a_content_length_over_the_cap_is_413(page: Page, cap: int) -> None:
    check_headers(page, [(b"content-length", b"%d" % cap)])
    for length in (b"%d" % (cap + 1), b"9" * 100):
        with pytest.raises(Refusal) as refused:
            check_headers(page, [(b"content-length", length)])
        assert refused.value.code == refused.value.http_status == 413
        assert (b"connection", b"close") in refused.value.headers


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"x-anything"])
def test_a_compressed_body_is_415(encoding: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        check_headers(SMS_SEND, [(b"content-encoding", encoding)])
    assert refused.value.code == refused.value.http_status == 415


@pytest.mark.parametrize("encoding", [b"identity", b" Identity ", b""])
def test_identity_is_no_encoding(encoding: bytes) -> None:
    check_headers(SMS_SEND, [(b"content-encoding", encoding)])


def test_413_comes_before_415() -> None:
    with pytest.raises(Refusal) as refused:
        check_headers(SMS_SEND, [(b"content-encoding", b"gzip"), (b"content-length", b"999999999")])
    assert refused.value.code == 413


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("en_GB", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("en-US,en;q=0.9,fr;q=0.8", "en"),
        ("de, en;q=0.5", "en"),
        ("fr;q=0.2, en;q=0.3", "en"),
        ("en;q=0", "fr"),
        ("en;q=nan", "fr"),
        ("en;q=2", "fr"),
        ("en;q=", "fr"),
        ("*", "fr"),
        ("", "fr"),
        ("english", "fr"),
        (b"\xff;;;q=q=q,,,", "fr"),
    ],
)
def test_accept_language_en_is_english(accepted: str, language: str) -> None:
    assert reading(headers={"accept-language": accepted}).language == language


def test_lang_wins_over_accept_language() -> None:
    assert reading(query=b"_lang=fr", headers={"accept-language": "en"}).language == "fr"
    assert reading(query=b"_lang=en").language == "en"
    assert reading(query=b"_lang=de", headers={"accept-language": "en"}).language == "en"


def test_how_to_answer_is_known_even_when_the_request_cannot_be_read() -> None:
    assert preferences(b"_format=xml&_lang=en", []) == ("xml", "en")
    assert preferences(b"", [(b"accept-language", b"en")]) == ("json", "en")
    assert preferences(b"_format=xml&" + b"a=1&" * 2000, []) == ("json", "fr")
    assert preferences(b"\xff%%%&&==?_format", []) == ("json", "fr")
