"""Signs what is posted to customers, as Standard Webhooks says (standardwebhooks.com, specification 1.0, `v1`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, not one
SECRET_BYTES = 32


def new_secret() -> str:
    """`whsec_` and 256 random bits in base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secret: str, event_id: int, at_ms: int, payload: bytes) -> dict[str, str]:
    """The three headers of one attempt.

    `webhook-id` stays the same over all attempts, so that a receiver can tell a repetition; the timestamp (Unix
    seconds) is the attempt's, so that it can refuse an old one.
    """
    name = f"evt_{event_id}"
    at_s = str(at_ms // 1000)
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    mac = hmac.new(key, f"{name}.{at_s}.".encode() + payload, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": at_s,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
