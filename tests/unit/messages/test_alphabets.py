"""What leaves is what the documentation promises, whatever the customer wrote."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chappe.messages.alphabets import GSM_BASIC, GSM_EXTENSION, prepare, with_stop

ANY_CHARACTER = st.characters(exclude_categories=())  # lone surrogates included
ANY_TEXT = st.text(ANY_CHARACTER) | st.lists(
    st.sampled_from(
        [":br:", ":euro:", ":", "br:", "eurö:", "^", "e\u0301", "é", "\r\n", "😀", "\ud83d", "\ude00", "\0"]
    )
).map("".join)


def test_the_default_alphabet_has_its_128_places() -> None:
    assert len(GSM_BASIC) == 128
    assert len(set(GSM_BASIC)) == 128
    places = {
        "@": 0x00,
        "\n": 0x0A,
        "\r": 0x0D,
        "Δ": 0x10,
        "\x1b": 0x1B,
        "É": 0x1F,
        "¤": 0x24,
        "¡": 0x40,
        "¿": 0x60,
        "à": 0x7F,
    }
    assert {c: GSM_BASIC.index(c) for c in places} == places
    assert all(GSM_BASIC.index(c) == ord(c) for c in "Az09 !%&'()*+,-./:;<=>?")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Où êtes-vous ? Ça va à Noël, garçon", "Où etes-vous ? Ça va à Noel, garÇon"),
        ("àéèùìòÇÉ@£$¥", "àéèùìòÇÉ@£$¥"),
        ("l’été ‘vu’ `ici`", "l'été 'vu' 'ici'"),
        ('«mot» “mot” "mot"', '"mot" "mot" "mot"'),
        ("[a] {b}", "(a) (b)"),
        ("a^b~c|d\\e¨f§g", "abcdefg"),
        ("cœur 20° 5µ ą ÿ ñ Ñ", "coeur 20. 5u à y n N"),
        ("ÄÀÁÂÃÈÊËÎÜÙÚÛÝÖÔ", "AAAAAEEEIUUUUYOO"),
        ("äáâãëêïîôöóûü", "aaaaeeiiooouu"),
        ("5 €", "5 €"),
        ("ΔΦΓΛΩΠΨΣΘΞ æÆßøØåÅ", "ΔΦΓΛΩΠΨΣΘΞ æÆßøØåÅ"),
    ],
)
def test_documented_substitutions_and_deletions_come_first(written: str, sent: str) -> None:
    assert prepare(written, unicode=False) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("a😀b", "a?b"),
        ("ú…\t\0\x1b", "?????"),
        ("日本", "??"),
        ("\ud800x\udc00", "?x?"),
        ("ŷ\u0301", "??"),
        ("\x7f", "?"),
    ],
)
def test_every_other_code_point_becomes_a_question_mark(written: str, sent: str) -> None:
    assert prepare(written, unicode=False) == sent


def test_decomposed_letters_are_the_letters_they_mean() -> None:
    assert prepare("e\u0301te\u0301, nai\u0308f, c\u0327a", unicode=False) == "été, naif, Ça"


@pytest.mark.parametrize("unicode", [False, True])
def test_tags_become_two_characters_of_line_break_and_the_euro_sign(unicode: bool) -> None:
    assert prepare("a:br:b:euro:c:br::br:", unicode=unicode) == "a\r\nb€c\r\n\r\n"
    assert prepare(":euro:br: :BR: :b r:", unicode=unicode) == "€br: :BR: :b r:"


def test_unicode_text_is_sent_as_it_is() -> None:
    text = "l’été 😀 [x] e\u0301 \u202f»"
    assert prepare(text, unicode=True) == text


def test_what_no_alphabet_can_carry_is_replaced_in_unicode() -> None:
    assert prepare("a\ud800b\0c\udc00", unicode=True) == "a\ufffdb\ufffdc\ufffd"
    assert prepare("\ud83d\ude00", unicode=True) == "😀"


def test_the_stop_mention_follows_after_a_space() -> None:
    assert with_stop("Soldes", "36180") == "Soldes STOP au 36180"


@given(ANY_TEXT, st.booleans())
@example(":b^r:", False)
@example(":euro:br:", False)
@example("\ud83d:br:\ude00", True)
def test_preparing_twice_changes_nothing(text: str, unicode: bool) -> None:
    once = prepare(text, unicode=unicode)
    assert prepare(once, unicode=unicode) == once


@given(ANY_TEXT)
def test_a_prepared_text_holds_only_what_its_alphabet_has(text: str) -> None:
    assert set(prepare(text, unicode=False)) <= (set(GSM_BASIC) | set(GSM_EXTENSION)) - {"\x1b"}
    sent = prepare(text, unicode=True)
    assert "\0" not in sent
    assert sent.encode("utf-16-be").decode("utf-16-be") == sent
