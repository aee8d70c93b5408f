"""Text as the customer wrote it -> the text that leaves: tags, documented substitutions, GSM 03.38 or
Unicode.

Two alphabets exist on the wire. Without `isUnicode` every character is made to fit the GSM 7-bit default
alphabet and its extension table (3GPP TS 23.038, sections 6.2.1 and 6.2.1.1); with it the text leaves as
UCS-2 (UTF-16). What `prepare` returns is exactly what is sent, so it is also what is counted and priced.

Tags (SMS Partner documentation, "Caractères spéciaux", notes 1.9): `:br:` is a line break that counts as
two characters and `:euro:` is the euro sign. The line break is sent as CR LF, so that two characters are
what the handset really receives; the euro sign of the extension table is two septets by itself (one code
unit in Unicode). Substitution table: notes 3.6. Its quotation marks were damaged by the publisher; both
halves of each typographic pair become the straight sign.
"""

import re
import unicodedata
from typing import Final

RAW_CHARS_MAX: Final = 16_384
"""A longer text is refused (52) by the caller before it is prepared: work stays bounded whatever is posted.
"""

GSM_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""The default alphabet, each character at its code 0x00-0x7F; 0x1B is the escape to the extension table."""

GSM_EXTENSION: Final = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
"""The extension table: character -> the septet that follows the escape."""

_REPLACED: Final = (
    'ą→à ’→\' ‘→\' `→\' “→" ”→" «→" »→" °→. œ→oe µ→u [→( ]→) {→( }→) '
    "ÿ→y ç→Ç û→u ü→u ï→i î→i ô→o ö→o ó→o ë→e ê→e ä→a á→a â→a ã→a ñ→n "
    "Ä→A À→A Á→A Â→A Ã→A È→E Ê→E Ë→E Î→I Ü→U Ù→U Ú→U Û→U Ý→Y Ö→O Ô→O Ñ→N"
)
_DELETED: Final = "^~|\\¨§"

SUBSTITUTIONS: Final[dict[int, str | None]] = {
    **{ord(pair[0]): pair[2:] for pair in _REPLACED.split(" ")},
    **dict.fromkeys(map(ord, _DELETED)),
}
"""The documented table for `str.translate`: applied to every text that is not sent as Unicode."""

_TAGS: Final = {":br:": "\r\n", ":euro:": "€"}
_TAG: Final = re.compile(":(?:br|euro):")

# The escape alone is no character: a text that holds one would shift everything behind it on the handset.
_KEPT: Final = {c for c in GSM_BASIC + "".join(GSM_EXTENSION) if c != "\x1b" and ord(c) not in SUBSTITUTIONS}
_KEPT_CLASS: Final = re.escape("".join(sorted(_KEPT)))
# Most texts hold nothing else and are returned as they came: matching is twice as fast as searching the
# contrary.
_CLEAN: Final = re.compile(f"[{_KEPT_CLASS}]*+")
_STRANGE: Final = re.compile(f"[^{_KEPT_CLASS}]+")

# Systems that store decomposed text (macOS file names) send "e" and U+0301 where "é" is meant: the same
# text by Unicode's canonical equivalence. One mark only, so that the work stays linear in hostile runs of
# marks.
_MARK: Final = re.compile("[\u0300-\u036f]")
_DECOMPOSED: Final = re.compile("[A-Za-z][\u0300-\u036f](?![\u0300-\u036f])")


def _expand(tag: re.Match[str]) -> str:
    return _TAGS[tag[0]]


def _compose(pair: re.Match[str]) -> str:
    composed = unicodedata.normalize("NFC", pair[0])
    return composed if len(composed) == 1 else pair[0]


def _fit(run: re.Match[str]) -> str:
    fitted: list[str] = []
    for character in run[0]:
        replacement = SUBSTITUTIONS.get(ord(character), "?")
        if replacement is not None:
            fitted.append(replacement)
    return "".join(fitted)


def prepare(text: str, *, unicode: bool) -> str:
    """The text as it is sent. Never raises; preparing twice changes nothing.

    Not Unicode: documented substitutions and deletions, `?` for every code point that is still outside GSM
    03.38, then tags. Unicode: tags; unpaired surrogates and NUL, which UTF-16 or a database cannot hold,
    become U+FFFD. The substitutions stand before the tags because a deletion can make a tag (`:b^r:`),
    which would otherwise be expanded by whoever prepares the text again.
    """
    if unicode:
        text = _storable(text)
    elif _CLEAN.fullmatch(text) is None:
        if _MARK.search(text) is not None:
            text = _DECOMPOSED.sub(_compose, text)
        text = _STRANGE.sub(_fit, text)
    if ":br:" in text or ":euro:" in text:
        return _TAG.sub(_expand, text)
    return text


def with_stop(prepared: str, short_number: str) -> str:
    """The prepared text with the mention that a marketing message must carry (`isStopSms`); counted
    afterwards.
    """
    return f"{prepared} STOP au {short_number}"


def _storable(text: str) -> str:
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        # A pair that arrived as two lone halves is joined, a half without its other is replaced.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text
