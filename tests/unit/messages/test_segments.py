"""Every part fits, nothing is lost, and nothing that belongs together is torn apart."""

import unicodedata
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chappe.messages.alphabets import GSM_EXTENSION, prepare
from chappe.messages.segments import PARTS_MAX, count, segments

FAMILY = "👩\u200d👩\u200d👧"
PIECES = st.sampled_from(
    ["a", "bonjour ", "é", "€", "\f", ":br:", "[", "日", "한", "\ud800", "\0", "x" * 60, "é" * 150]
) | st.sampled_from(["😀", "e\u0301\u0302", FAMILY, "🇫🇷", "👍🏽", "1\ufe0f\u20e3", "\u1112\u1161\u11ab"])
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(
    st.characters(exclude_categories=()), max_size=400
)


def septets(text: str) -> int:
    return sum(2 if c in GSM_EXTENSION else 1 for c in text)


def units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


@given(TEXTS, st.booleans())
def test_joined_parts_are_the_text_and_every_part_fits(text: str, unicode: bool) -> None:
    prepared = prepare(text, unicode=unicode)
    parts = segments(prepared, unicode=unicode)
    assert "".join(parts) == prepared
    size, single, part_max = (units, 70, 67) if unicode else (septets, 160, 153)
    if len(parts) == 1:
        assert size(prepared) <= single
    else:
        assert size(prepared) > single
        assert all(0 < size(part) <= part_max for part in parts)


@given(TEXTS, st.booleans())
def test_what_is_counted_is_what_is_cut(text: str, unicode: bool) -> None:
    prepared = prepare(text, unicode=unicode)
    assert count(prepared, unicode=unicode) == min(len(segments(prepared, unicode=unicode)), PARTS_MAX + 1)


@given(TEXTS)
def test_no_part_begins_inside_a_character_of_the_reader(text: str) -> None:
    prepared = prepare(text, unicode=True)
    parts = segments(prepared, unicode=True)
    for before, after in pairwise(parts):
        if unicodedata.category(after[0])[0] == "M" or after[0] == "\u200d" or before[-1] == "\u200d":
            # Allowed only when that one character fills the whole part before.
            assert all(unicodedata.category(c)[0] == "M" or "\u200d" in before for c in before[1:])


@pytest.mark.parametrize(
    ("text", "unicode", "parts"),
    [
        ("", False, 1),
        ("a" * 160, False, 1),
        ("a" * 161, False, 2),
        ("a" * 306, False, 2),
        ("a" * 307, False, 3),
        ("a" * 1530, False, 10),
        ("a" * 1531, False, 11),
        ("€" * 80, False, 1),
        ("€" * 81, False, 2),
        ("a" * 152 + "€" + "a" * 152, False, 3),  # 306 septets, but the escape pair is not cut
        (":br:" * 80, False, 1),
        (":br:" * 80 + "a", False, 2),
        ("", True, 1),
        ("é" * 70, True, 1),
        ("é" * 71, True, 2),
        ("é" * 670, True, 10),
        ("é" * 671, True, 11),
        ("😀" * 35, True, 1),
        ("😀" * 36, True, 2),
        ("😀" * 67, True, 3),  # 33 pairs a part: 67 units never hold half a pair
        ("😀" * 330, True, 10),
        ("😀" * 331, True, 11),
    ],
)
def test_the_limits_are_160_153_70_and_67(text: str, unicode: bool, parts: int) -> None:
    prepared = prepare(text, unicode=unicode)
    assert count(prepared, unicode=unicode) == parts
    assert len(segments(prepared, unicode=unicode)) == parts


@pytest.mark.parametrize(
    "whole", ["e\u0301", "😀", FAMILY, "🇫🇷", "👍🏽", "1\ufe0f\u20e3", "❤️", "\u1112\u1161\u11ab"]
)
@pytest.mark.parametrize("offset", range(60, 68))
def test_one_visible_character_stays_in_one_part(whole: str, offset: int) -> None:
    parts = segments("a" * offset + whole + "z" * 40, unicode=True)
    assert any(whole in part for part in parts)


def test_flags_are_kept_in_pairs_however_many_there_are() -> None:
    parts = segments("a" + "🇫🇷" * 100, unicode=True)
    assert all(part.removeprefix("a").replace("🇫🇷", "") == "" for part in parts)


def test_a_character_longer_than_a_part_is_cut_and_nothing_is_lost() -> None:
    text = "ab" + "e" + "\u0301" * 200
    parts = segments(text, unicode=True)
    assert parts[0] == "ab"
    assert "".join(parts) == text
    assert max(map(len, parts)) == 67


@given(st.integers(0, 400), st.integers(0, 40), st.randoms(use_true_random=False))
def test_extension_characters_anywhere_are_cut_as_by_the_plain_rule(
    plain: int, extended: int, random: Random
) -> None:
    characters = ["a"] * plain + ["€"] * extended
    random.shuffle(characters)
    text = "".join(characters)
    assume(septets(text) > 160)
    used, expected = 0, 1
    for character in text:
        width = 2 if character == "€" else 1
        if used + width > 153:
            expected, used = expected + 1, 0
        used += width
    assert count(text, unicode=False) == min(expected, PARTS_MAX + 1)
