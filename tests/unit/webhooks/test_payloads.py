"""What is posted: the documentation's keys, in its order, with its types."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chappe.webhooks.payloads import dlr_payload, reply_payload
from chappe.webhooks.queue import Event, enqueue, enqueue_many
from tests.support.stores import Place


def test_a_delivery_report_is_the_documented_one() -> None:
    assert dlr_payload("delivered", 412, 1_767_596_407_999, 33600000001, 41_000, "promo") == (
        '{"status":"delivered","msgId":"412","date":1767596407,"phone":"+33600000001","cost":"0.041",'
        '"currency":"EUR","tag":"promo"}'
    )


def test_an_unset_tag_is_left_out() -> None:
    assert dlr_payload("not delivered", 1, 0, 33600000001, 0, "") == (
        '{"status":"not delivered","msgId":"1","date":0,"phone":"+33600000001","cost":"0","currency":"EUR"}'
    )


@pytest.mark.parametrize(("kind", "text"), [("response", "Oui"), ("stop", "Stop")])
def test_a_reply_is_the_documented_one(kind: str, text: str) -> None:
    assert reply_payload(kind, 33600000001, text, 412) == (  # type: ignore[arg-type]
        f'{{"type":"{kind}","phone_number":"+33600000001","text":"{text}","message_id":412}}'
    )


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_any_text_that_a_telephone_may_send_gives_json(text: str) -> None:
    posted = reply_payload("response", 33600000001, text, 1).encode()
    assert json.loads(posted)["text"] == text.encode("utf-8", "replace").decode()
    assert json.loads(dlr_payload("delivered", 1, 0, 33600000001, 0, text)).get("tag", "") == (
        text.encode("utf-8", "replace").decode()
    )


async def test_an_event_is_stored_with_what_happened_or_not_at_all(place: Place) -> None:
    store = await place.open()
    try:
        first = await store.ids("events").take(4)
        events = [Event(first + n, 1, "dlr", f"https://example.org/{n}", "{}", 1_000 + n) for n in range(4)]

        def unit(tx) -> None:  # type: ignore[no-untyped-def]
            enqueue(tx, events[0])
            enqueue_many(tx, events[1:3])

        def failing(tx) -> None:  # type: ignore[no-untyped-def]
            enqueue(tx, events[3])
            raise LookupError

        await store.database.write(unit)
        with pytest.raises(LookupError):
            await store.database.write(failing)
        rows = await store.database.read(
            lambda r: r.all(
                "SELECT id, kind, url, state, attempts, next_attempt_at_ms, last_result, created_at_ms, settled_at_ms"
                " FROM events ORDER BY id"
            )
        )
        assert rows == [
            (event.id, "dlr", event.url, "pending", 0, event.at_ms, "", event.at_ms, None)
            for event in events[:3]
        ]
    finally:
        await store.close()
