"""A request finds its page by path and method, whatever stands in the path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.partner.errors import MethodNotAllowed, NotFound, Refusal
from tests.unit.partner.example_pages import (
    SMS_CANCEL,
    SMS_CREDITS,
    TABLE,
    VOICE_CANCEL,
    VOICE_CREDITS,
    VOICE_DELETE,
    VOICE_RENAME,
)


def test_a_path_finds_the_page_of_its_product() -> None:
    assert TABLE.find("sms", "GET", "/me") == (SMS_CREDITS, {})
    assert TABLE.find("voice", "GET", "/me") == (VOICE_CREDITS, {})


def test_the_key_may_stand_in_the_path() -> None:
    assert TABLE.find("voice", "GET", "/me/abc") == (VOICE_CREDITS, {"apiKey": "abc"})
    assert TABLE.find("voice", "DELETE", "/campaign/cancel/abc/Zk29") == (
        VOICE_CANCEL,
        {"apiKey": "abc", "campaignId": "Zk29"},
    )
    assert TABLE.find("sms", "DELETE", "/message-cancel/412") == (SMS_CANCEL, {"messageId": "412"})


def test_escapes_in_a_path_are_decoded_after_it_is_cut_into_segments() -> None:
    assert TABLE.find("voice", "GET", "/me/a%2Fb%20c%C3%A9+d").path_parameters == {"apiKey": "a/b cé+d"}
    assert TABLE.find("voice", "GET", "/m%65/abc").page is VOICE_CREDITS
    assert TABLE.find("voice", "GET", "/me/%ff%zz").path_parameters == {"apiKey": "\ufffd%zz"}


def test_one_trailing_slash_is_ignored() -> None:
    assert TABLE.find("sms", "GET", "/me/").page is SMS_CREDITS
    assert TABLE.find("voice", "GET", "/me/abc/") == (VOICE_CREDITS, {"apiKey": "abc"})
    with pytest.raises(NotFound):
        TABLE.find("sms", "GET", "/me//")


def test_a_doubled_slash_after_the_base_is_the_clients_own_joining() -> None:
    assert TABLE.find("sms", "GET", "//me").page is SMS_CREDITS


def test_an_empty_key_in_the_path_finds_the_page_which_then_misses_the_key() -> None:
    assert TABLE.find("voice", "GET", "/me/") == (VOICE_CREDITS, {})
    assert TABLE.find("voice", "DELETE", "/campaign/cancel//Zk29").path_parameters["apiKey"] == ""


def test_a_literal_is_found_before_a_parameter() -> None:
    assert TABLE.find("voice", "POST", "/audio-file/rename").page is VOICE_RENAME
    assert TABLE.find("voice", "DELETE", "/audio-file/tokA1").page is VOICE_DELETE


def test_head_finds_what_get_does() -> None:
    assert TABLE.find("sms", "HEAD", "/me").page is SMS_CREDITS


@pytest.mark.parametrize(
    "path",
    ["", "/", "me", "/ME", "/me/abc/def", "/../me", "/%2e%2e/me", "/me\0", "/nothing", "//", "/x" * 5000],
)
def test_an_unknown_path_is_refused_with_the_paths_that_exist_and_without_the_one_asked(path: str) -> None:
    with pytest.raises(NotFound) as refused:
        TABLE.find("sms", "GET", path)
    assert refused.value.code == refused.value.http_status == 404
    assert "/me, /send, /message-status" in refused.value.message.fr
    assert "/me, /send, /message-status" in refused.value.message.en
    assert "nothing" not in refused.value.message.fr


def test_paths_are_those_of_their_product_only() -> None:
    with pytest.raises(NotFound):
        TABLE.find("mail", "GET", "/message-status")


def test_a_wrong_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.find("sms", "PUT", "/me")
    assert refused.value.code == refused.value.http_status == 405
    assert refused.value.allowed == ("GET", "HEAD", "OPTIONS")
    assert (b"allow", b"GET, HEAD, OPTIONS") in refused.value.headers


def test_options_learns_the_methods_of_a_path() -> None:
    assert TABLE.allowed("sms", "/message-cancel/412") == ("DELETE", "GET", "HEAD", "OPTIONS")
    with pytest.raises(NotFound):
        TABLE.allowed("sms", "/nothing")


@given(st.sampled_from(["sms", "voice", "mail"]), st.text(), st.text(max_size=200))
def test_no_path_and_no_method_raise_anything_but_a_refusal(product: str, method: str, path: str) -> None:
    for asked in (path, "/" + path, "/me/" + path, "/campaign/cancel/" + path):
        try:
            TABLE.find(product, method, asked)  # type: ignore[arg-type]
        except Refusal:
            pass
