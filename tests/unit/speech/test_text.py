"""From a customer's text to what is spoken: pauses, numbers, and nothing that an engine obeys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.speech.port import Piece, TextRefused
from chappe.speech.text import TEXT_CHARS_MAX, clamped_rate, pieces_of


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Bonjour", [Piece("Bonjour", 0)]),
        ("Bonjour, monsieur", [Piece("Bonjour", 500), Piece("monsieur", 0)]),
        ("Bonjour,,,,,, monsieur", [Piece("Bonjour", 3000), Piece("monsieur", 0)]),
        (",,Bonjour", [Piece("", 1000), Piece("Bonjour", 0)]),
        ("Bonjour,", [Piece("Bonjour", 500)]),
        ("3,50 euros", [Piece("3,50 euros", 0)]),
        ("le 3, 5 fois", [Piece("le 3", 500), Piece("5 fois", 0)]),
        ("le 3,euros", [Piece("le 3", 500), Piece("euros", 0)]),
        ("...,Bonjour", [Piece("", 500), Piece("Bonjour", 0)]),
        ("un\ndeux\t trois\u0007", [Piece("un deux trois", 0)]),
        ("<speed level='500'>vite</speed>", [Piece("speed level='500' vite /speed", 0)]),
        ("[[h@l'oU]] {x} \\ |", [Piece("((h@l'oU)) (x)", 0)]),
        ("e\u0301te\u0301", [Piece("été", 0)]),
        ("42 €", [Piece("42 €", 0)]),
    ],
)
def test_a_comma_is_half_a_second_and_markup_is_no_command(text: str, pieces: list[Piece]) -> None:
    assert pieces_of(text) == pieces


@pytest.mark.parametrize("text", ["", " ", ",,,", "...", "<>", "\u200b", "!?"])
def test_nothing_to_speak_is_refused(text: str) -> None:
    with pytest.raises(TextRefused) as refused:
        pieces_of(text)
    assert not refused.value.is_too_long


@pytest.mark.parametrize("text", ["a" * (TEXT_CHARS_MAX + 1), "a," * 401])
def test_too_much_to_speak_is_refused(text: str) -> None:
    with pytest.raises(TextRefused) as refused:
        pieces_of(text)
    assert refused.value.is_too_long


@given(st.text(max_size=400))
def test_whatever_is_given_nothing_in_a_piece_is_markup(text: str) -> None:
    try:
        pieces = pieces_of(text)
    except TextRefused:
        return
    for piece in pieces:
        assert not set(piece.text) & set("<>[]{}\\|\n\r\0")
        assert piece.pause_ms % 500 == 0
        assert piece.text == piece.text.strip()


@pytest.mark.parametrize(
    ("given_rate", "rate"), [(0.1, 0.5), (0.5, 0.5), (1, 1), (1.234, 1.23), (2, 2), (9, 2)]
)
def test_the_rate_is_clamped_never_refused(given_rate: float, rate: float) -> None:
    assert clamped_rate(given_rate) == rate
