"""Texts in GSM 03.38, Latin-1 and UCS-2, and what data_coding makes of received octets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.messages.alphabets import GSM_BASIC, GSM_EXTENSION
from chappe.operators.smpp import Alphabet, decode_text, encode_text
from chappe.operators.smpp.text import decode_gsm0338, encode_gsm0338

GSM_TEXT = st.text(st.sampled_from([c for c in GSM_BASIC if c != "\x1b"] + list(GSM_EXTENSION)), max_size=200)


@given(GSM_TEXT)
@settings(deadline=None)
def test_every_gsm_text_comes_back(text):
    octets = encode_gsm0338(text)
    assert len(octets) == len(text) + sum(character in GSM_EXTENSION for character in text)
    assert max(octets, default=0) < 0x80
    assert decode_gsm0338(octets) == text


def test_the_table_is_that_of_the_messages():
    for code, character in enumerate(GSM_BASIC):
        if character != "\x1b":
            assert encode_gsm0338(character) == bytes([code])
    for character, code in GSM_EXTENSION.items():
        assert encode_gsm0338(character) == bytes([0x1B, code])
        assert decode_gsm0338(bytes([0x1B, code])) == character


@given(st.text(max_size=100))
@settings(deadline=None)
def test_no_text_fails_to_be_encoded(text):
    for alphabet in Alphabet:
        encode_text(text, alphabet)
    for character, octet in zip(text, encode_text(text, Alphabet.LATIN1), strict=True):
        assert octet == (ord(character) if character < "\u0100" else ord("?"))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b\x65", "€"),
        (b"1\x1b\x652", "1€2"),
        (b"a\x1bz", "az"),
        (b"a\x1b", "a "),
        (b"\x1b\x1bb", " b"),
        (b"\x1b\xff", "\ufffd"),
        (b"\x00\x02\x11", "@$_"),
        (b"\x80\xff", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_escapes_and_octets_that_mean_nothing(octets, text):
    assert decode_gsm0338(octets) == text


def test_characters_outside_become_question_marks():
    assert encode_gsm0338("ô😀\x1b") == b"???"
    assert encode_text("€", Alphabet.LATIN1) == b"?"
    assert encode_text("\ud83d\ude00é\ud800", Alphabet.UCS2).hex() == "d83dde0000e9fffd"


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0, b"\x05t\x05", "été"),
        (1, b"ete", "ete"),
        (1, b"\xe9t\xe9", "été"),
        (2, b"\x00\xff", "\x00ÿ"),
        (3, b"\xe9t\xe9", "été"),
        (4, b"\xe9", "é"),
        (5, "日本".encode("shift_jis"), "日本"),
        (6, "Привет".encode("iso8859_5"), "Привет"),
        (7, "שלום".encode("iso8859_8"), "שלום"),
        (8, "été 😀".encode("utf-16-be"), "été 😀"),
        (8, "\ufefféte".encode("utf-16-be"), "éte"),
        (8, b"\xff\xfe" + "éte".encode("utf-16-le"), "éte"),
        (8, b"\x00e\x00", "e\ufffd"),
        (8, b"\xd8\x00\x00e", "\ufffde"),
        (10, "日本".encode("iso2022_jp"), "日本"),
        (13, "日本".encode("euc_jp"), "日本"),
        (14, "한국".encode("euc_kr"), "한국"),
        (0x10, b"\x05", "é"),
        (0x14, b"\xe9", "é"),
        (0x18, "é".encode("utf-16-be"), "é"),
        (0xC8, b"\x05", "é"),
        (0xE0, "é".encode("utf-16-be"), "é"),
        (0xF1, b"\x05", "é"),
        (0xF5, b"\xe9", "é"),
        (0x0F, b"\x05", "é"),
        (0x99, b"\x05", "é"),
    ],
)
def test_received_octets_are_read_by_their_data_coding(data_coding, octets, text):
    assert decode_text(octets, data_coding) == text


def test_the_operators_default_alphabet_is_what_data_coding_0_means():
    assert decode_text(b"\xe9t\xe9 @", 0, Alphabet.LATIN1) == "été @"
    assert decode_text(b"\xe9t\xe9 @", 0xF0, Alphabet.LATIN1) == "été @"
    assert decode_text("été".encode("utf-16-be"), 0, Alphabet.UCS2) == "été"
