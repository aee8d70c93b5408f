"""Callers that prove who they are: challenges that cost no memory, and answers that count once (RFC 7616)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from chappe.operators.sip.agent.digest import is_right
from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.credentials import Credentials, write_credentials
from chappe.operators.sip.syntax.message import Header, Request

REALM: Final = "chappe"
VALID_S: Final = 60
USED_MAX: Final = 10_000
ANSWERS_MAX: Final = 4
"""In one request: reading hundreds costs more than who nobody is may cost us."""
ALGORITHMS: Final = ("SHA-256", "MD5")
"""In order of preference; many exchanges know the second only."""


class Challenges:
    """`passwords` by user name. `key`: 16 random octets or more, of this process."""

    def __init__(self, passwords: Mapping[str, str], key: bytes) -> None:
        self._passwords = dict(passwords)
        self._key = key
        self._used: dict[str, float] = {}
        """Answers that were taken, until their nonce is over: nobody may use one again."""

    def user(self, request: Request, now_s: float) -> str | None:
        """Who this request is from; None where it does not prove it."""
        if len(request.all("Authorization")) > ANSWERS_MAX:
            return None
        try:
            answers = request.credentials("Authorization")
        except RemoteError:
            return None
        for answer in answers:
            name = answer.get("username")
            password = self._passwords.get(name)
            if password is not None and self._is_taken(answer, request, password, now_s):
                return name
        return None

    def headers(self, now_s: float) -> list[Header]:
        """Of a 401."""
        nonce = self._nonce(int(now_s))
        return [
            (
                "WWW-Authenticate",
                write_credentials(
                    Credentials(
                        "digest", {"realm": REALM, "nonce": nonce, "algorithm": algorithm, "qop": "auth"}
                    ),
                    is_challenge=True,
                ),
            )
            for algorithm in ALGORITHMS
        ]

    def _is_taken(self, answer: Credentials, request: Request, password: str, now_s: float) -> bool:
        nonce, response = answer.get("nonce"), answer.get("response").lower()
        if (
            answer.get("realm") != REALM
            or answer.get("uri") != str(request.uri)
            or answer.get("qop").lower() != "auth"
            or not self._is_fresh(nonce, now_s)
            or response in self._used
            or not is_right(answer, request.method, password)
        ):
            return False
        if len(self._used) >= USED_MAX:
            self._used = {used: at_s for used, at_s in self._used.items() if now_s - at_s <= VALID_S}
        if len(self._used) >= USED_MAX:
            return False
        self._used[response] = now_s
        return True

    def _is_fresh(self, nonce: str, now_s: float) -> bool:
        text = nonce.partition("-")[0]
        if not (text.isascii() and text.isdecimal() and len(text) <= 12):
            return False
        made_s = int(text)
        wanted = self._nonce(made_s)
        return 0 <= now_s - made_s <= VALID_S and hmac.compare_digest(
            nonce.encode("utf-8", "replace"), wanted.encode()
        )

    def _nonce(self, made_s: int) -> str:
        mark = hashlib.blake2b(str(made_s).encode(), key=self._key, digest_size=16).hexdigest()
        return f"{made_s}-{mark}"
