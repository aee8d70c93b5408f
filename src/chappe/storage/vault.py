"""What the installation's secret is used for: keyed hashes, sealed values, its fingerprint.

One 32-byte secret; every purpose has a key of its own, derived with keyed BLAKE2b, so that no two uses share one.
"""

from __future__ import annotations

import secrets
from functools import lru_cache
from hashlib import blake2b

_NONCE_BYTES = 12


class Vault:
    """Keyed hashes and authenticated encryption (AES-256-GCM) under the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._derive = lru_cache(maxsize=32)(self._derive_uncached)

    @property
    def fingerprint(self) -> str:
        """Says whether two secrets are the same one; tells nothing about either."""
        return blake2b(b"fingerprint", key=self._secret[:64], digest_size=16).hexdigest()

    def keyed_hash(self, purpose: str, value: bytes) -> bytes:
        """32 bytes; equal values of one purpose give equal hashes, unguessable without the secret."""
        return blake2b(value, key=self._derive(purpose), digest_size=32).digest()

    def seal(self, purpose: str, value: bytes, bound_to: bytes = b"") -> bytes:
        """Encrypts `value`; `open` needs the same purpose and `bound_to`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._derive(purpose)).encrypt(nonce, value, bound_to)

    def open(self, purpose: str, sealed: bytes, bound_to: bytes = b"") -> bytes:
        """The value that was sealed; raises cryptography's InvalidTag when anything was changed."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derive(purpose)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)

    def _derive_uncached(self, purpose: str) -> bytes:
        return blake2b(purpose.encode(), key=self._secret[:64], digest_size=32).digest()
