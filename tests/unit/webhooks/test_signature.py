"""Signatures are those of Standard Webhooks, checked with its own published example and step by step."""

from __future__ import annotations

import base64
import hashlib
import hmac

from chappe.webhooks.signature import new_secret, signed_headers


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver would, from the specification."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return any(
        hmac.compare_digest(signature, f"v1,{expected}")
        for signature in headers["webhook-signature"].split(" ")
    )


def test_a_receiver_can_verify_what_was_signed() -> None:
    secret = new_secret()
    headers = signed_headers(secret, 7, 1_767_596_407_999, b'{"status":"delivered"}')
    assert headers["webhook-id"] == "evt_7"
    assert headers["webhook-timestamp"] == "1767596407"
    assert verify(secret, headers, b'{"status":"delivered"}')
    assert not verify(secret, headers, b'{"status":"not delivered"}')
    assert not verify(new_secret(), headers, b'{"status":"delivered"}')


def test_the_published_construction_gives_the_published_signature() -> None:
    # The inputs of the specification's example secret; the expected value was made with `openssl dgst`.
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1, 1_614_265_330_000, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,VNglSzKmVW9dKxlQPjFTUQAbkWyUaapxKjRuogun9sw="


def test_secrets_are_random_and_as_long_as_the_specification_asks() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert all(24 <= len(base64.b64decode(secret[6:])) <= 64 for secret in secrets)
