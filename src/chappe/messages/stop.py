"""Whether a reply is a STOP."""

from __future__ import annotations

import re
import unicodedata

_STOP = re.compile(r"[\W_]*stop(?:sms|pub)?(?![^\W\d_])", re.IGNORECASE)
_STOP_CHARACTERS = 500


def says_stop(text: str) -> bool:
    """Whether a reply is a STOP: its first word, whatever stands before and after it. "Stopper" is none."""
    return _STOP.match(unicodedata.normalize("NFKC", text[:_STOP_CHARACTERS])) is not None
