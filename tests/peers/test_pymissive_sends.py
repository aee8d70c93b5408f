"""A program made with pymissive, from PyPI, of which one thing is changed: the base URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pymissive.providers.partner import PartnerProvider

from tests.support.receiver import Receiver
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer

REACHED, UNREACHABLE = "+33600000000", "+33600000002"


def test_pymissive_sends_reads_its_callbacks_the_statuses_and_the_invoice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ChappeServer(tmp_path)
    (server.data / "chappe.toml").write_text(
        'callback_allow = ["127.0.0.0/8"]\n[simulator]\nsmpp_port = 0\nsip_port = 0\n'
    )
    with Receiver() as receiver, server:
        monkeypatch.setenv("PARTNER_SMS_API_KEY", server.create_account("ana@example.fr")["apiKey"])
        provider = PartnerProvider()
        provider._api_base_sms = f"{server.base_url}/sms/v1"
        sent = provider.send_sms(
            body_text="Votre rendez-vous est demain",
            recipients=[{"phone": REACHED}, {"phone": UNREACHABLE}],
            webhook_url=receiver.url("/hook"),
        )
        assert (provider.get_normalize_event(sent), provider.get_normalize_invoice(sent)) == (
            "sent",
            "nb_sms: 2",
        )
        reports = [provider.handle_webhook_sms(json.dumps(r.json).encode()) for r in receiver.wait(2)]
        assert {each["status"] for each in reports} == {"delivered", "not delivered"}
        assert {provider.get_normalize_event(each) for each in reports} == {"delivered", "failed"}

        status = provider.retrieve_sms(external_id=sent["message_id"])
        events = provider.get_normalize_events(status)
        assert {each["recipient"]["phone"] for each in events} == {REACHED, UNREACHABLE}
        assert all(provider.get_normalize_occurred_at(each) for each in events)
        billed = provider.get_billings_sms(external_id=sent["message_id"])
        assert {each["phoneNumber"] for each in billed} == {REACHED, UNREACHABLE}
    server.assert_no_traceback()
