"""How much of anything a peer may send. More is a RemoteError, before any of it is worked on."""

from typing import Final

HEAD_OCTETS_MAX: Final = 32 * 1024
"""Start line and header fields, with their line ends."""
BODY_OCTETS_MAX: Final = 32 * 1024
MESSAGE_OCTETS_MAX: Final = HEAD_OCTETS_MAX + BODY_OCTETS_MAX
"""What a datagram holds at most, roughly."""
FIELDS_MAX: Final = 256
"""Header fields of a message."""
VALUES_MAX: Final = 128
"""Values of one header, in one field or several: as many Via as hops, and some."""
PARAMETERS_MAX: Final = 64
"""Parameters of one value."""
NUMBER_MAX: Final = 2**31 - 1
"""CSeq (RFC 3261, 8.1.1.5); kept for every other number too."""
REMEMBERED_MAX: Final = 2_048
"""URIs, and addresses, whose reading is remembered: a call's messages name the same ones again and again."""
REMEMBERED_CHARACTERS_MAX: Final = 200
"""Of each: longer ones are read each time."""
