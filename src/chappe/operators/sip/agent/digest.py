"""Digest authentication (RFC 3261, section 22; RFC 7616; RFC 8760): answers to challenges, and their verification.

MD5 and SHA-256, each with -sess; qop `auth`, or none at all as in RFC 2069. `auth-int` is not done: a challenge that
offers nothing else is not answered.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.syntax.credentials import Credentials, write_credentials
from chappe.operators.sip.syntax.grammar import split_list
from chappe.operators.sip.syntax.message import Header, Response

REALMS_MAX: Final = 8
"""Realms whose last challenge is kept, so that the next request need not be challenged."""

_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "md5": lambda octets: hashlib.md5(octets, usedforsecurity=False).hexdigest(),
    "sha-256": lambda octets: hashlib.sha256(octets).hexdigest(),
}
_KINDS: Final = (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization"))


Space = tuple[str, str]
"""Which header answers, and the realm: a registrar and a proxy of one realm are two, be their nonces alike."""
Tried = dict[Space, set[str]]
"""What one request has answered until now: its nonces, by space."""


class _Space:
    """What is known of one realm: its last challenge, and how often its nonce was used."""

    __slots__ = ("challenge", "used")

    def __init__(self, challenge: Credentials) -> None:
        self.challenge = challenge
        self.used = 0


class Authenticator:
    """One user's password, for all requests that go the same way. `ids` gives random text (the client's nonce)."""

    def __init__(self, username: str, password: str, ids: Callable[[], str]) -> None:
        self._username = username
        self._password = password
        self._ids = ids
        self._spaces: dict[Space, _Space] = {}

    def answer(self, response: Response, method: str, uri: str, tried: Tried) -> list[Header] | None:
        """The headers that answer the challenges of a 401 or 407, and once more those of others on the way which have
        asked before (section 22.3); None where they cannot be answered, or were, and that was not good enough.
        `tried` holds the nonces of this request's earlier tries, and takes the new ones.
        """
        headers: list[Header] = []
        realms: set[Space] = set()
        for asked, answered in _KINDS:
            try:
                challenges = response.credentials(asked)
            except RemoteError:
                return None
            for challenge in challenges:
                space_key = (answered, challenge.get("realm"))
                if space_key in realms or not _can_answer(challenge):
                    continue
                nonce = challenge.get("nonce")
                nonces = tried.setdefault(space_key, set())
                if nonce in nonces and challenge.get("stale").lower() != "true":
                    return None
                nonces.add(nonce)
                realms.add(space_key)
                self._spaces.pop(space_key, None)
                while len(self._spaces) >= REALMS_MAX:
                    del self._spaces[next(iter(self._spaces))]
                space = self._spaces[space_key] = _Space(challenge)
                headers.append((answered, self._credentials(space, method, uri)))
        if not headers:
            return None
        # What another element has accepted is not void; but its nonce is used once more, and counted.
        for space_key in tried:
            if space_key not in realms and space_key in self._spaces:
                headers.append((space_key[0], self._credentials(self._spaces[space_key], method, uri)))
        return headers

    def foresee(self, method: str, uri: str, tried: Tried) -> list[Header]:
        """The headers for challenges that were answered before: most servers take a nonce more than once."""
        headers: list[Header] = []
        for space_key, space in self._spaces.items():
            tried.setdefault(space_key, set()).add(space.challenge.get("nonce"))
            headers.append((space_key[0], self._credentials(space, method, uri)))
        return headers

    def _credentials(self, space: _Space, method: str, uri: str) -> str:
        space.used += 1
        challenge = space.challenge
        parameters = {
            "username": self._username,
            "realm": challenge.get("realm"),
            "nonce": challenge.get("nonce"),
            "uri": uri,
        }
        algorithm = challenge.get("algorithm")
        if algorithm:
            parameters["algorithm"] = algorithm
        if _offers_auth(challenge) or algorithm.lower().endswith("-sess"):
            parameters["cnonce"] = self._ids()
        if _offers_auth(challenge):
            parameters["qop"] = "auth"
            parameters["nc"] = f"{space.used:08x}"
        if "opaque" in challenge.parameters:
            parameters["opaque"] = challenge.get("opaque")
        answer = Credentials("digest", parameters)
        parameters["response"] = _response(answer, method, self._password)
        return write_credentials(answer)


def is_right(answer: Credentials, method: str, password: str) -> bool:
    """Whether an answer was made with this password. User, realm, nonce, URI and count are for the caller to judge."""
    if answer.scheme != "digest" or _hash_of(answer) is None or answer.get("qop").lower() not in ("", "auth"):
        return False
    return hmac.compare_digest(
        _response(answer, method, password).encode(),
        answer.get("response").lower().encode("utf-8", "replace"),
    )


def _can_answer(challenge: Credentials) -> bool:
    return (
        challenge.scheme == "digest"
        and bool(challenge.get("nonce"))
        and _hash_of(challenge) is not None
        and ("qop" not in challenge.parameters or _offers_auth(challenge))
    )


def _offers_auth(challenge: Credentials) -> bool:
    return "auth" in (item.lower() for item in split_list(challenge.get("qop")))


def _hash_of(credentials: Credentials) -> Callable[[bytes], str] | None:
    name = (credentials.get("algorithm") or "MD5").lower()
    return _HASHES.get(name.removesuffix("-sess"))


def _response(answer: Credentials, method: str, password: str) -> str:
    """RFC 7616, 3.4.1 to 3.4.3."""
    digest = _hash_of(answer)
    assert digest is not None

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode("utf-8", "surrogateescape"))

    secret = hashed(answer.get("username"), answer.get("realm"), password)
    if answer.get("algorithm").lower().endswith("-sess"):
        secret = hashed(secret, answer.get("nonce"), answer.get("cnonce"))
    request = hashed(method, answer.get("uri"))
    if answer.get("qop"):
        return hashed(
            secret, answer.get("nonce"), answer.get("nc"), answer.get("cnonce"), answer.get("qop"), request
        )
    return hashed(secret, answer.get("nonce"), request)
