"""A prepared text -> its parts: how many SMS it is, and where it is cut.

Limits (3GPP TS 23.038 and 23.040 section 9.2.3.24.1): one part holds 160 septets or 70 UTF-16 code units;
parts of a concatenated message give six octets to their header and hold 153 septets or 67 code units. A
character of the extension table is two septets. Cuts never fall inside an escape pair, a surrogate pair or
what a reader sees as one character (combining marks, ZWJ sequences, variation selectors, skin tones, flags,
Hangul jamo), unless that one character alone is longer than a part. A line break (CR LF) may be cut: the
handset joins the parts again.

Texts come from `alphabets.prepare`. Counting does the same work as cutting, without building, and stops
early.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from chappe.messages.alphabets import GSM_EXTENSION

PARTS_MAX: Final = 10
"""More concatenated parts than this are refused (52) by the caller."""

SEPTETS_SINGLE: Final = 160
SEPTETS_PART: Final = 153
UNITS_SINGLE: Final = 70
UNITS_PART: Final = 67

_EXTENDED: Final = re.compile(f"[{re.escape(''.join(GSM_EXTENSION))}]")
_SIMPLE_GSM: Final = re.compile(f"[^{re.escape(''.join(GSM_EXTENSION))}]*+")

# Code points below U+0300 and those of common punctuation, Greek, Cyrillic, Han and kana stand alone: a cut
# before any of them is right, and a text made of them only needs no look at its neighbours.
_STANDALONE: Final = re.compile(
    "[\0-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u205e\u20a0-\u20c0\u4e00-\u9fff]*+"
)

_ZWJ: Final = "\u200d"
_REGIONAL_FIRST: Final = "\U0001f1e6"
_REGIONAL_LAST: Final = "\U0001f1ff"


def count(prepared: str, *, unicode: bool) -> int:
    """The number of SMS a recipient of this text costs: 1 for an empty text, `PARTS_MAX + 1` for any longer
    one than `PARTS_MAX` allows (exact figures above the limit would cost time and tell nobody anything).
    """
    if unicode:
        units = len(prepared) if prepared.isascii() else len(_utf16(prepared)) >> 1
        if units <= UNITS_SINGLE:
            return 1
        at_least = -(-units // UNITS_PART)
        if at_least > PARTS_MAX or _STANDALONE.fullmatch(prepared) is not None:
            return min(at_least, PARTS_MAX + 1)
        cuts = _unicode_cuts(prepared)
    else:
        if _SIMPLE_GSM.fullmatch(prepared) is not None:
            septets = len(prepared)
            if septets <= SEPTETS_SINGLE:
                return 1
            return min(-(-septets // SEPTETS_PART), PARTS_MAX + 1)
        septets = _septets(prepared)
        if septets <= SEPTETS_SINGLE:
            return 1
        if septets > SEPTETS_PART * PARTS_MAX:
            return PARTS_MAX + 1
        cuts = _gsm_cuts(prepared)
    parts = 0
    for _ in cuts:
        parts += 1
        if parts > PARTS_MAX:
            break
    return parts


def segments(prepared: str, *, unicode: bool) -> list[str]:
    """The parts as they leave, in order; joined they are the text. One part (perhaps empty) means no
    concatenation.
    """
    if unicode:
        if len(_utf16(prepared)) >> 1 <= UNITS_SINGLE:
            return [prepared]
        cuts = _unicode_cuts(prepared)
    else:
        if _septets(prepared) <= SEPTETS_SINGLE:
            return [prepared]
        cuts = _gsm_cuts(prepared)
    parts: list[str] = []
    start = 0
    for end in cuts:
        parts.append(prepared[start:end])
        start = end
    return parts


def _septets(text: str) -> int:
    return len(text) + len(_EXTENDED.findall(text))


def _utf16(text: str) -> bytes:
    # "surrogatepass": counting a text that nobody prepared must not be the place where it fails.
    return text.encode("utf-16-le", "surrogatepass")


def _gsm_cuts(text: str) -> Iterator[int]:
    """The end of every part, in characters; the last is the length of the text."""
    start, length = 0, len(text)
    while start < length:
        end = min(start + SEPTETS_PART, length)
        over = end - start + len(_EXTENDED.findall(text, start, end)) - SEPTETS_PART
        while over > 0:
            end -= 1
            over -= 2 if text[end] in GSM_EXTENSION else 1
        yield end
        start = end


def _unicode_cuts(text: str) -> Iterator[int]:
    """The end of every part, in code points; the last is the length of the text."""
    start, length = 0, len(text)
    while start < length:
        end = min(start + UNITS_PART, length)
        over = (len(_utf16(text[start:end])) >> 1) - UNITS_PART
        while over > 0:
            end -= 1
            over -= 2 if text[end] > "\uffff" else 1
        if end < length:
            whole = end
            while whole > start and _joined(text, whole, start):
                whole -= 1
            # One character longer than a part has to be cut somewhere.
            end = whole if whole > start else end
        yield end
        start = end


def _joined(text: str, at: int, start: int) -> bool:
    """Whether the code points on both sides of `at` belong to one visible character (after UAX 29, extended
    grapheme clusters, as far as `unicodedata` tells; where it does not, it errs on the side of not
    cutting). `start` is where this part began, which bounds the look back over a run of flags.
    """
    following = text[at]
    if following < "\u0300":
        return text[at - 1] == _ZWJ
    if text[at - 1] == _ZWJ or _extends(following):
        return True
    if not _REGIONAL_FIRST <= following <= _REGIONAL_LAST:
        return False
    run = at
    while run > start and _REGIONAL_FIRST <= text[run - 1] <= _REGIONAL_LAST:
        run -= 1
    return (at - run) % 2 == 1


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M"  # combining marks, variation selectors, the keycap
        or character in "\u200c\u200d\uff9e\uff9f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= character <= "\U000e007f"  # the tags that spell regional flags
        or "\u1160" <= character <= "\u11ff"  # Hangul vowels and finals
    )
