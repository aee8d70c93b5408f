"""Whatever octets come: nothing but the protocol errors, and in no time."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chappe.operators.sip.errors import LocalError, MessageError, RemoteError
from chappe.operators.sip.syntax.address import parse_addresses
from chappe.operators.sip.syntax.credentials import parse_credentials
from chappe.operators.sip.syntax.fields import parse_parametrised
from chappe.operators.sip.syntax.grammar import split_list
from chappe.operators.sip.syntax.message import Request, parse_message, refusal
from chappe.operators.sip.syntax.uri import is_same, parse_uri
from chappe.operators.sip.syntax.via import parse_via
from tests.unit.sip.messages import mutated, pieces, request


def everything(octets: bytes) -> None:
    """Reads a message, all that it holds, and answers it."""
    try:
        message = parse_message(octets)
    except MessageError as error:
        answer = refusal(error, "t")
        if answer is not None:
            answer.encode()
        return
    for read in (
        lambda: message.contacts,
        lambda: message.record_routes,
        lambda: (message.supported, message.required, message.allowed),
        lambda: message.content_type,
        lambda: message.credentials("Authorization"),
        lambda: message.credentials("WWW-Authenticate"),
        lambda: message.number("Expires"),
        lambda: message.number("RSeq"),
    ):
        with contextlib.suppress(RemoteError):
            read()
    if isinstance(message, Request):
        assert is_same(message.uri, message.uri)
        # An answer can always be written, and read by whoever asked.
        parse_message(message.respond(200, tag="t", via=message.via.received_from("192.0.2.1", 1)).encode())


@given(st.one_of(st.binary(max_size=300), mutated(), st.lists(pieces, max_size=60).map(b"".join)))
@settings(max_examples=600, deadline=None)
def test_reading_raises_protocol_errors_only(octets):
    everything(octets)


text_pieces = st.lists(
    st.one_of(pieces.map(lambda octets: octets.decode("latin-1")), st.text(max_size=3)), max_size=20
).map("".join)


@given(text_pieces)
@settings(max_examples=400, deadline=None)
def test_readers_of_single_values_raise_protocol_errors_only(text):
    for reader in (
        parse_uri,
        parse_addresses,
        parse_via,
        parse_credentials,
        split_list,
        lambda text: parse_parametrised(text, "Reason"),
    ):
        try:
            value = reader(text)
        except RemoteError:
            continue
        for item in value if isinstance(value, list) else [value]:
            # A control character may have been read that we would not write.
            with contextlib.suppress(LocalError):
                assert isinstance(str(item), str)


LONG = 30_000
SLOW = [
    '"' * LONG,
    '"\\' * LONG,
    "<" * LONG,
    ";" * LONG,
    ";a" * LONG,
    ";a=" * LONG,
    " ;" * LONG,
    "," * LONG,
    "a" * LONG,
    "a " * LONG,
    " " * LONG,
    "sip:" + "a" * LONG,
    "sip:" + "a;" * LONG + "@",
    "sip:a@h" + "?a" * LONG,
    "sip:a@h;" + "%41" * LONG,
    "SIP/2.0/UDP " + "h" * LONG + ";",
    "SIP / 2.0 / UDP h" + " " * LONG + "x",
    'Digest a="' + "\\a" * LONG,
    "Digest " + "a=b," * LONG,
    "<sip:a@h>" + ";x=[" * LONG,
    "tel:" + "1;" * LONG,
]


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_a_value_made_to_be_slow_is_read_in_no_time(text):
    # Backtracking over so many characters would take minutes: the test would be seen to hang.
    for reader in (
        parse_uri,
        parse_addresses,
        parse_via,
        parse_credentials,
        split_list,
        lambda text: parse_parametrised(text, "Reason"),
    ):
        for _ in range(3):
            with contextlib.suppress(RemoteError):
                reader(text)
    for name in ("From", "Contact", "Via", "X"):
        everything(request("INVITE", f"{name}: {text[:31_000]}"))
        everything(request("INVITE", f"{name}: " + text[:15_000].replace(" ", "\n ")))


def test_a_control_character_in_a_parameter_is_the_peers_fault():
    """It could be read, but an answer that repeats it could not be written."""
    for via in ('SIP/2.0/UDP host;x="a\x01b"', 'SIP/2.0/UDP host;x="a\\\x07b"', "SIP/2.0/UDP host;x=a\x01b"):
        with pytest.raises(RemoteError):
            parse_via(via)
