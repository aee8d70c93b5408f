"""What is written is counted and priced as it is sent, and arrives as the documentation says."""

from __future__ import annotations

import itertools

import pytest

from tests.support.clocked import ClockedServer, until
from tests.support.customer import Customer, received, text_on
from tests.wire.sms.documented import DELETED, REPLACED

_phones = itertools.count(40_000_000)


@pytest.fixture
def phone() -> str:
    """A phone that nobody wrote to before."""
    return f"+336{next(_phones):08}"


def test_the_documented_characters_are_replaced_or_deleted(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    written = f"<{''.join(REPLACED)}|{DELETED}>"
    answer = customer.send(phoneNumbers=phone, message=written)
    assert answer["nb_sms"] == 1
    assert text_on(still, phone) == f"<{''.join(REPLACED.values())}>"


def test_the_tags_are_a_line_break_of_two_characters_and_the_euro_sign(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    assert customer.send(phoneNumbers=phone, message="A:br:10 :euro:")["nb_sms"] == 1
    assert text_on(still, phone) == "A\r\n10 €"
    tagged = ":br:" + "x" * 158
    assert customer.send(message=tagged)["nb_sms"] == 1
    assert customer.send(message=tagged + "x")["nb_sms"] == 2
    assert customer.send(message=":euro:" + "x" * 158)["nb_sms"] == 1
    assert customer.send(message=":euro:" + "x" * 159)["nb_sms"] == 2


def test_characters_of_gsm_0338_arrive_as_they_are(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    text = "à é è ù ì ò Ç Ø å Δ Φ Σ Æ ß É ¤ ¡ ¿ £ ¥ @ _ $ € \n 0'\""
    customer.send(phoneNumbers=phone, message=text)
    assert text_on(still, phone) == text


def test_what_the_alphabet_has_not_is_a_question_mark_unless_unicode_is_asked_for(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    answer = customer.send(phoneNumbers=phone, message="Ça va 😀 日本")
    assert answer["nb_sms"] == 1
    assert text_on(still, phone) == "Ça va ? ??"


def test_unicode_keeps_every_character(customer: Customer, still: ClockedServer, phone: str) -> None:
    text = "Ça va ? 😀 日本 [œ] ^~|\\ ’“«"
    customer.send(phoneNumbers=phone, message=text, isUnicode=1)
    assert text_on(still, phone) == text


@pytest.mark.parametrize(
    ("text", "is_unicode", "parts"),
    [
        ("x" * 160, 0, 1),
        ("x" * 161, 0, 2),
        ("x" * 306, 0, 2),
        ("x" * 307, 0, 3),
        ("x" * 1530, 0, 10),
        ("€" * 80, 0, 1),
        ("€" * 81, 0, 2),
        ("é" * 160, 0, 1),
        ("é" * 70, 1, 1),
        ("é" * 71, 1, 2),
        ("é" * 134, 1, 2),
        ("é" * 135, 1, 3),
        ("😀" * 35, 1, 1),
        ("😀" * 36, 1, 2),
        ("é" * 670, 1, 10),
    ],
    ids=lambda value: f"{len(value)} x {value[0]}" if isinstance(value, str) else str(value),
)
def test_parts_are_counted_and_each_costs(text: str, is_unicode: int, parts: int, customer: Customer) -> None:
    answer = customer.send(message=text, isUnicode=is_unicode, phoneNumbers="0600000000,0600000012")
    assert answer["nb_sms"] == 2 * parts
    assert answer["cost"] == pytest.approx(2 * parts * 0.038)
    assert float(customer.balance) == pytest.approx(100 - 2 * parts * 0.038)


@pytest.mark.parametrize(("text", "is_unicode"), [("x" * 1531, 0), ("€" * 766, 0), ("é" * 671, 1)])
def test_more_than_10_parts_are_52(text: str, is_unicode: int, customer: Customer) -> None:
    assert customer.try_send(message=text, isUnicode=is_unicode).json["code"] == 52


def test_a_long_text_arrives_whole(customer: Customer, still: ClockedServer, phone: str) -> None:
    text = "".join(f"{number:04} " for number in range(300))
    assert customer.send(phoneNumbers=phone, message=text)["nb_sms"] == 10
    assert text_on(still, phone) == text


def test_the_stop_mention_is_appended_and_counted(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    customer.send(phoneNumbers=phone, message="Soldes", isStopSms=1)
    assert text_on(still, phone) == "Soldes STOP au 36000"
    assert customer.send(message="x" * 146, isStopSms=1)["nb_sms"] == 1
    assert customer.send(message="x" * 147, isStopSms=1)["nb_sms"] == 2
    assert customer.try_send(message="x" * 1517, isStopSms=1).json["code"] == 52


def test_low_cost_is_one_sms_and_has_no_stop_mention(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    answer = customer.send(phoneNumbers=phone, message="x" * 160, gamme=2, isStopSms=1)
    assert (answer["nb_sms"], answer["cost"]) == (1, 0.023)
    assert text_on(still, phone) == "x" * 160
    assert customer.try_send(message="x" * 161, gamme=2).json["code"] == 42
    assert customer.try_send(message="é" * 71, gamme=2, isUnicode=1).json["code"] == 42


def test_the_sender_is_shown_and_without_one_the_short_number(
    customer: Customer, still: ClockedServer, phone: str
) -> None:
    customer.send(phoneNumbers=phone, sender="My Shop")
    assert text_on(still, phone) == "Bonjour"
    assert received(still, phone)[0]["from"] == "My Shop"
    customer.send(phoneNumbers=phone)
    still.until(lambda: len(received(still, phone)) == 2, "the second message")
    assert sorted(message["from"] for message in received(still, phone)) == ["36000", "My Shop"]


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "a\ud83d",
        "\udc00\ud83d",
        "a\u202eb",
        "a\u0301" * 50,
        "\u2028",
        "\ufeff",
        "\x1b[31m",
        "\\u0000",
        "]]>&<",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("is_unicode", [0, 1])
def test_strange_text_is_sent_as_far_as_it_can_be(text: str, is_unicode: int, customer: Customer) -> None:
    message_id = customer.send(message=f"x{text}", isUnicode=is_unicode)["message_id"]
    until(lambda: customer.statut(message_id) == "Delivered", "it is delivered")
