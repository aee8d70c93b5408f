"""Uploads are multipart/form-data, on the pages that take a file and on no other."""

import pytest

from chappe.partner.errors import Refusal
from chappe.partner.multipart import File
from tests.unit.partner.example_pages import SMS_SEND, VOICE_UPLOAD
from tests.unit.partner.reading import reading

TYPE = {"content-type": "multipart/form-data; boundary=--x--"}
SOUND = b"RIFF\r\n--\r\n----x-\x00\xff"
BODY = (
    b'----x--\r\nContent-Disposition: form-data; name="apiKey"\r\n\r\nk\r\n'
    b'----x-- \t\r\ncontent-disposition: form-data; name="file"; filename="ann\\"once%22.wav"\r\n'
    b"Content-Type: audio/WAV\r\n\r\n" + SOUND + b"\r\n"
    b"----x--\r\nContent-Disposition: form-data; name=filename\r\n\r\nRappel d\xc3\xa9j\xc3\xa0\r\n"
    b"----x----\r\n"
)


def test_fields_are_texts_and_files_keep_their_octets() -> None:
    parameters = reading(BODY, headers=TYPE, page=VOICE_UPLOAD)
    assert parameters.api_key() == "k"
    assert parameters.text("filename") == "Rappel déjà"
    assert parameters.file("file") == File('ann"once".wav', "audio/wav", SOUND)
    assert parameters.file("apiKey") is None
    assert parameters.text("file") is None


def test_quoted_boundaries_and_blanks_are_read() -> None:
    headers = {"content-type": ' Multipart/Form-Data; charset=utf-8 ; Boundary="--x--"'}
    assert reading(BODY, headers=headers, page=VOICE_UPLOAD).api_key() == "k"


def test_a_file_does_not_show_when_it_is_printed() -> None:
    assert repr(File("secret", "", b"secret")) == "<File of 6 bytes>"


def test_multipart_elsewhere_is_415() -> None:
    with pytest.raises(Refusal) as refused:
        reading(BODY, headers=TYPE, page=SMS_SEND)
    assert refused.value.code == refused.value.http_status == 415


def test_json_under_a_multipart_content_type_is_json() -> None:
    assert reading(b'{"apiKey": "k"}', headers=TYPE, page=SMS_SEND).api_key() == "k"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", BODY),
        ("multipart/form-data; boundary=", BODY),
        ("multipart/form-data; boundary=other", BODY),
        (TYPE["content-type"], BODY[:-10]),
        (TYPE["content-type"], BODY[: len(BODY) // 2]),
        (TYPE["content-type"], b"--"),
        (TYPE["content-type"], b"--junk\r\n" + BODY),
        (TYPE["content-type"], b"----x--\r\nno header\r\n\r\nx\r\n----x----"),
        (TYPE["content-type"], b"----x--\r\nContent-Disposition: form-data\r\n\r\nx\r\n----x----"),
        (TYPE["content-type"], b"----x--\r\n" + b"a" * 10_000 + b"\r\n\r\nx\r\n----x----"),
    ],
)
def test_a_malformed_or_cut_upload_is_90(content_type: str, body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        reading(body, headers={"content-type": content_type}, page=VOICE_UPLOAD)
    assert (refused.value.code, refused.value.http_status) == (90, 400)


def test_an_upload_has_a_hundred_parts_at_most() -> None:
    part = b"----x--\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n"
    assert reading(part * 99 + b"----x----", headers=TYPE, page=VOICE_UPLOAD).text("a") == "x"
    with pytest.raises(Refusal) as refused:
        reading(part * 101 + b"----x----", headers=TYPE, page=VOICE_UPLOAD)
    assert refused.value.code == 400
