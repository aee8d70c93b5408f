"""Hypothesis strategies: every PDU with every field, and byte streams that real and broken peers send."""

from dataclasses import fields
from itertools import pairwise

from hypothesis import strategies as st

from chappe.operators.smpp.commands import REQUESTS, RESPONSES
from chappe.operators.smpp.fields import (
    CString,
    Destination,
    Destinations,
    Octet,
    ShortMessage,
    Unsuccessful,
    Unsuccessfuls,
)
from chappe.operators.smpp.pdu import Pdu

PDU_CLASSES = [*REQUESTS.values(), *RESPONSES.values()]

octet = st.integers(0, 255)
# Latin-1 without NUL: what a C-octet string can hold.
characters = st.characters(min_codepoint=1, max_codepoint=255)
tlvs = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)


def c_string(octets_max: int) -> st.SearchStrategy[str]:
    return st.text(characters, max_size=octets_max - 1)


address = c_string(21)
destination = st.one_of(
    st.tuples(address, octet, octet).map(lambda fields: Destination(*fields)),
    st.builds(lambda name: Destination(list_name=name), st.text(characters, min_size=1, max_size=20)),
)
unsuccessful = st.tuples(address, octet, octet, st.integers(0, 0xFFFFFFFF)).map(
    lambda fields: Unsuccessful(*fields)
)


def field_values(kind: object) -> st.SearchStrategy[object]:
    if isinstance(kind, CString):
        return c_string(kind.octets_max)
    if isinstance(kind, ShortMessage):
        return st.binary(max_size=254)
    if isinstance(kind, Destinations):
        return st.lists(destination, min_size=1, max_size=5).map(tuple)
    if isinstance(kind, Unsuccessfuls):
        return st.lists(unsuccessful, max_size=5).map(tuple)
    assert isinstance(kind, Octet)
    return octet


def pdus_of(kind: type[Pdu]) -> st.SearchStrategy[Pdu]:
    values = {name: field_values(field) for name, field in kind.layout}
    values["tlvs"] = tlvs
    values["sequence_number"] = st.integers(0, 0xFFFFFFFF)
    if "command_status" in {field.name for field in fields(kind)}:
        # With an error status submit_sm_resp leaves an empty body out, which reads back as the same PDU.
        values["command_status"] = st.sampled_from([0, 8, 0x58, 0x432])
    return st.builds(kind, **values)


pdus = st.sampled_from(PDU_CLASSES).flatmap(pdus_of)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid PDU with a few octets changed, cut out, or put in; the length is often made right again."""
    octets = bytearray(draw(pdus).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(octets) - 1, 0)))
        change = draw(st.sampled_from(["set", "cut", "insert", "truncate"]))
        if change == "set" and octets:
            octets[at] = draw(octet)
        elif change == "cut":
            del octets[at : at + draw(st.integers(1, 20))]
        elif change == "insert":
            octets[at:at] = draw(st.binary(min_size=1, max_size=20))
        else:
            del octets[at:]
    if len(octets) >= 16 and draw(st.booleans()):
        octets[:4] = len(octets).to_bytes(4)
    return bytes(octets)


@st.composite
def chunks(draw: st.DrawFn, octets: bytes) -> list[bytes]:
    """The same octets in pieces of any size."""
    cuts = draw(st.lists(st.integers(0, len(octets)), max_size=8).map(sorted))
    edges = [0, *cuts, len(octets)]
    return [octets[start:end] for start, end in pairwise(edges)]
