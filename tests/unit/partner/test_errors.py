"""Error tables: the page's wording first, the central one after, a status by meaning, both languages."""

import json
from collections.abc import Mapping
from itertools import chain

import pytest

from chappe.partner import catalogue, catalogue_mail, catalogue_server, catalogue_sms, catalogue_voice
from chappe.partner.errors import Code, Message, ParameterInvalid, Refusal
from chappe.partner.limits import Decision, Limit
from chappe.partner.page import Page
from tests.unit.partner.example_pages import (
    CONTACT_LIST,
    GROUP_ADD,
    MAIL_CREDITS,
    MAIL_SEND,
    SMS_CREDITS,
    SMS_SEND,
    SMS_STATUS,
    TABLE,
    VOICE_CREDITS,
    VOICE_SEND,
)

TABLES: Mapping[str, Mapping[Code, Message]] = {
    "sms send": catalogue_sms.SEND,
    "sms status": catalogue_sms.STATUS,
    "sms verification": catalogue_sms.VERIFICATION,
    "sms location": catalogue_sms.LOCATION,
    "subaccount": catalogue_sms.SUBACCOUNT,
    "voice send": catalogue_voice.SEND,
    "voice": catalogue_voice.COMMON,
    "mail send": catalogue_mail.SEND,
}
ROWS = [(name, code, message) for name, table in TABLES.items() for code, message in table.items()]
REFUSED = Decision(allowed=False, limit=5, remaining=0, reset_s=1_767_596_407, retry_after_s=12)
SERVER = [
    catalogue_server.unknown_host(),
    catalogue_server.body_too_large(SMS_SEND),
    catalogue_server.encoding_unsupported(),
    catalogue_server.multipart_unsupported(),
    catalogue_server.too_many_parameters(1000),
    catalogue_server.body_timeout(),
    catalogue_server.too_many_requests(VOICE_CREDITS, Limit(5, 60), REFUSED),
    catalogue_server.idempotency_key_reused(),
    catalogue_server.idempotency_in_progress(),
    catalogue_server.idempotency_key_invalid(255),
    catalogue_server.internal(),
    catalogue_server.unavailable(),
    ParameterInvalid("time"),
]


def test_the_pages_wording_comes_before_the_central_one() -> None:
    assert catalogue.resolve(SMS_CREDITS, 10).fr == "Clé API incorrecte"
    assert catalogue.resolve(GROUP_ADD, 10).fr == "Clef API incorrecte"
    assert catalogue.resolve(SMS_SEND, 10).fr == "Clef API incorrecte"
    assert catalogue.resolve(VOICE_CREDITS, 10).fr == "Clé API incorrecte"
    assert catalogue.resolve(GROUP_ADD, 1).fr == "name est requis"


def test_the_table_of_the_family_comes_before_that_of_the_product() -> None:
    assert catalogue.resolve(SMS_STATUS, 2).fr == "Le champ phoneNumber est requis"
    assert catalogue.resolve(SMS_STATUS, 4).fr == "Ce message est introuvable"
    assert catalogue.resolve(SMS_SEND, 2).fr == "Le champ phoneNumbers est requis"
    assert catalogue.resolve(SMS_SEND, 4).fr == "message introuvable"
    assert catalogue.resolve(SMS_CREDITS, 11).fr == "Crédit insuffisant"


@pytest.mark.parametrize("page", TABLE.pages, ids=lambda page: f"{page.product} {page.name}")
def test_every_page_has_a_text_for_key_account_address_and_body(page: Page) -> None:
    for code in (page.missing_key_code, 10, 20, 30, 40, 90, 96, 500):
        assert catalogue.resolve(page, code).fr


def test_a_missing_key_has_the_pages_own_number_and_text() -> None:
    for page, code, text in (
        (SMS_CREDITS, 1, "La clé API est requise"),
        (VOICE_CREDITS, 1, "La clé API est requise"),
        (MAIL_CREDITS, 1, "La clé API est requise"),
        (GROUP_ADD, 2, "La Clé API est requise"),
        (CONTACT_LIST, 10, "La Clé API est requise"),
    ):
        refusal = catalogue.missing_key(page)
        assert (refusal.code, refusal.message.fr, refusal.http_status) == (code, text, 400)


def test_a_wrong_key_is_10_and_401_with_cle_or_clef_as_on_the_page() -> None:
    for page, text in (
        (SMS_CREDITS, "Clé API incorrecte"),
        (CONTACT_LIST, "Clef API incorrecte"),
        (VOICE_SEND, "Clé API incorrecte"),
        (MAIL_SEND, "Clef API incorrecte"),
    ):
        refusal = catalogue.wrong_key(page)
        assert (refusal.code, refusal.message.fr, refusal.http_status) == (10, text, 401)


def test_a_code_without_a_text_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        catalogue.resolve(SMS_SEND, 12345)


def test_the_date_of_code_23_takes_the_place_of_the_dots() -> None:
    refusal = catalogue.refuse(SMS_SEND, 23, detail="14/07/2026")
    assert refusal.message.fr == (
        "SMS Marketing: La date 14/07/2026 n'est pas valide, "
        "L'envoi des sms n'est pas possible le dimanche et jours fériés."
    )
    assert "14/07/2026" in refusal.message.en


@pytest.mark.parametrize(("name", "code", "message"), ROWS, ids=lambda value: str(value)[:20])
def test_every_text_has_two_languages_and_straight_apostrophes(
    name: str, code: Code, message: Message
) -> None:
    for text in (message.fr, message.en):
        assert text.strip() == text != ""
        assert not set(text) & set("’‘“”")
    assert message.en.isascii() or "[…]" in message.en


STATUS_BY_CODE: Mapping[str, Mapping[int, set[Code]]] = {
    "sms send": {401: {10}, 402: {11}, 403: {20, 30, 40, 96, 992}, 404: {4}, 500: {500}},
    "sms status": {403: {96}, 404: {4}},
    "sms verification": {402: {11}, 403: {96}},
    "sms location": {402: {11}, 403: {6, 96}, 404: {32, 33}},
    "subaccount": {402: {7, 11}, 403: {2, 96}, 404: {6}},
    "voice send": {402: {"NOT_CREDIT"}, 403: {"SENDER_NOT_AUTHORIZED"}, 404: {"AUDIO_FILE_NOT_FOUND"}},
    "voice": {401: {10}, 403: {20, 30, 40, 96}, 404: {404}, 500: {500}},
    "mail send": {401: {10}, 402: {11}, 403: {20, 30, 40, 96}, 429: {429}, 500: {500}},
}


@pytest.mark.parametrize("name", TABLES)
def test_the_status_of_an_error_is_by_meaning_and_400_is_the_rest(name: str) -> None:
    special = STATUS_BY_CODE[name]
    for code, message in TABLES[name].items():
        expected = next((status for status, codes in special.items() if code in codes), 400)
        assert message.http_status == expected, code


def test_too_many_numbers_or_recipients_is_400_because_413_is_for_bytes() -> None:
    assert catalogue.resolve(SMS_SEND, 50).http_status == 400
    assert catalogue.resolve(VOICE_SEND, "PHONE_NUMBER_SIZE_ERROR").http_status == 400
    assert catalogue.resolve(MAIL_SEND, 17).http_status == 400


def test_the_tables_are_whole() -> None:
    assert set(catalogue_sms.SEND) == {
        *(1, 2, 4, 9, 10, 11, 13, 14, 15, 20, 22, 23, 30, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52),
        *(55, 90, 96, 500, 992),
    }
    assert set(catalogue_sms.STATUS) == {2, 3, 4, 5, 6, 9, 50, 96}
    assert set(catalogue_sms.VERIFICATION) == {2, 11, 13, 14, 19, 50, 55, 96}
    assert set(catalogue_sms.LOCATION) == {
        *chain(range(3, 10), range(11, 20), range(22, 29), range(31, 37)),
        *(61, 96),
    }
    assert set(catalogue_sms.SUBACCOUNT) == {2, 3, 4, 5, 6, 7, 11, 96}
    assert set(catalogue_mail.SEND) == {
        *(1, 2, 3, 4, 5, 8, 9, 10, 11, *range(14, 26), 30, 40, *range(45, 51), 55, 90, 96, 429, 500),
    }
    assert set(catalogue_voice.SEND) == {
        *("PHONE_NUMBER_REQUIRED", "PHONE_NUMBER_SIZE_ERROR", "TOKEN_AUDIO_REQUIRED", "NOTIFY_URL_INVALID"),
        *(
            "SENDER_NOT_AUTHORIZED",
            "SENDER_INVALID",
            "AUDIO_FILE_NOT_FOUND",
            "DESTINATION_INVALID",
            "NOT_CREDIT",
        ),
        *("TEXT_REQUIRED", "LANG_INVALID", "SCHEDULED_DATE_INVALID", "EMAIL_INVALID", "FILENAME_INVALID"),
    }


@pytest.mark.parametrize("refusal", SERVER, ids=lambda refusal: str(refusal.code))
def test_errors_outside_the_tables_have_their_status_as_code_and_both_languages(refusal: Refusal) -> None:
    assert refusal.code == refusal.http_status
    assert refusal.message.fr != refusal.message.en
    assert not set(refusal.message.fr) & set("’‘“”")


def test_an_unknown_host_is_told_the_three_prefixes() -> None:
    refusal = catalogue_server.unknown_host()
    assert refusal.http_status == 404
    for prefix in ("/sms/v1", "/voice/v1", "/mail/v1"):
        assert prefix in refusal.message.fr
        assert prefix in refusal.message.en


def test_an_overloaded_server_says_when_to_come_back() -> None:
    refusal = catalogue_server.unavailable(7)
    assert refusal.http_status == 503
    assert (b"retry-after", b"7") in refusal.headers


def test_a_passed_limit_is_429_with_its_headers_and_its_figures() -> None:
    refusal = catalogue_server.too_many_requests(VOICE_CREDITS, Limit(5, 60), REFUSED)
    assert refusal.code == refusal.http_status == 429
    assert refusal.message.fr == "Trop de requêtes effectuées (limite : 5 requêtes / minute)"
    assert set(refusal.headers) == {
        (b"x-ratelimit-limit", b"5"),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-reset", b"1767596407"),
        (b"retry-after", b"12"),
    }
    assert (
        "90 secondes" in catalogue_server.too_many_requests(VOICE_CREDITS, Limit(5, 90), REFUSED).message.fr
    )


def test_the_documented_text_of_429_on_mail_stands_while_its_limit_does() -> None:
    documented = catalogue_server.too_many_requests(MAIL_SEND, Limit(2000, 60), REFUSED)
    assert documented.message == catalogue_mail.SEND[429]
    changed = catalogue_server.too_many_requests(MAIL_SEND, Limit(100, 60), REFUSED)
    assert "100 requêtes / minute" in changed.message.fr


def test_the_code_9_list_is_worded_with_its_accents() -> None:
    faults = [
        catalogue_sms.MESSAGE_REQUIRED,
        catalogue_sms.number_invalid("922264"),
        catalogue_sms.SENDER_TOO_LONG,
        catalogue_sms.date_past("21/11/2014", "", ""),
        catalogue_sms.MINUTE_REQUIRED,
        catalogue_sms.TIME_REQUIRED,
    ]
    assert [(fault.value, fault.message.fr) for fault in faults] == [
        ("children[message].data", "Le message est requis"),
        ("children[phoneNumbers].data", "Ce numéro de téléphone n'est pas valide (922264)"),
        ("children[sender].data", "L'émetteur ne peut pas être plus long que 11 caractères"),
        (
            "children[scheduledDeliveryDate].data",
            "La date (21/11/2014 à :) est antérieure à la date actuelle.",
        ),
        ("children[minute].data", "La minute est requise"),
        ("children[time].data", "L'heure est requise"),
    ]
    assert catalogue_sms.number_invalid("1", "phoneNumber").value == "children[phoneNumber].data"


def test_a_refusal_printed_shows_its_code_and_nothing_of_the_request() -> None:
    refusal = catalogue.refuse(SMS_SEND, 9, faults=[catalogue_sms.number_invalid("+33612345678")])
    assert str(refusal) == "9"
    assert "33612345678" not in json.dumps([str(refusal), repr(refusal)])
