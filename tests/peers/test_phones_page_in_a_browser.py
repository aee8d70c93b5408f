"""The page of the simulator's phones in a real browser: what is sent shows up, what is typed there is a reply."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.behaviours.callbacks import callback_server, send
from tests.support.browser import Page, browser
from tests.support.receiver import Receiver
from tests.support.server import ChappeServer

pytestmark = pytest.mark.peer


class Customer:
    """A server with its simulator, and an account."""

    def __init__(self, server: ChappeServer) -> None:
        self.server = server
        self.key = server.create_account("ana@example.fr")["apiKey"]

    @property
    def url(self) -> str:
        return f"{self.server.base_url}/simulator"

    def send(self, number: str, text: str, **more: Any) -> int:
        return send(self.server, self.key, number, message=text, **more)

    def speak(self, numbers: str, text: str) -> None:
        body = {"apiKey": self.key, "phoneNumbers": numbers, "text": text}
        answer = requests.post(f"{self.server.base_url}/voice/v1/tts/send", json=body, timeout=60)
        assert answer.json()["success"] is True

    def status(self, message_id: int, number: str) -> str:
        query = {"apiKey": self.key, "messageId": str(message_id), "phoneNumber": number}
        answer = requests.get(f"{self.server.base_url}/sms/v1/message-status", params=query, timeout=30)
        return answer.json()["statut"]


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    server = callback_server(tmp_path_factory.mktemp("server"))
    (server.data / "chappe.toml").write_text("[simulator]\nsmpp_port = 0\nsip_port = 0\n")
    with server:
        yield Customer(server)
    server.assert_no_traceback()


@pytest.fixture
async def page(tmp_path: Path, customer: Customer) -> AsyncIterator[Page]:
    """The page, open and listening."""
    async with browser(tmp_path) as opened:
        await opened.open(customer.url)
        await opened.until("document.getElementById('live').textContent === 'live'")
        yield opened
        assert opened.complaints == []


def card(number: str) -> str:
    return f'[data-phone="{number}"]'


def shows(number: str, text: str, status: str, direction: str = "received") -> str:
    """True when a phone shows this text with this status."""
    return (
        f"[...document.querySelectorAll('{card(number)} li.{direction}')].some((each) =>"
        f" each.querySelector('.bubble').textContent === {json.dumps(text)}"
        f" && each.querySelector('.status').textContent === '{status}')"
    )


async def test_a_message_shows_up_as_it_was_written(customer: Customer, page: Page) -> None:
    text = 'Ça va 👍 <b>gras</b> <img src=x onerror="document.title=1"> & {{ 7 * 7 }}'
    customer.send("+33612345601", text, isUnicode=1)
    await page.until(shows("+33612345601", text, "delivered"))
    assert await page.look(f"document.querySelectorAll('{card('+33612345601')} .bubble *').length") == 0
    heading = await page.look(f"document.querySelector('{card('+33612345601')} h2').textContent")
    assert heading.split() == ["+33", "6", "12", "34", "56", "01"]
    # As the server writes it into a page that is opened later, too.
    await page.open(customer.url)
    await page.until(shows("+33612345601", text, "delivered"))


async def test_a_long_message_is_one_bubble_that_counts_its_parts(customer: Customer, page: Page) -> None:
    text = "Votre colis est en route. " * 20
    customer.send("+33612345602", text)
    await page.until(shows("+33612345602", text, "delivered"))
    assert (
        await page.look(f"document.querySelector('{card('+33612345602')} .parts').textContent") == "4 parts"
    )


async def test_a_reply_typed_on_a_phone_reaches_the_customer(customer: Customer, page: Page) -> None:
    with Receiver() as receiver:
        message_id = customer.send("+33612345603", "Venez-vous?", urlResponse=receiver.url("/reply"))
        await page.until(shows("+33612345603", "Venez-vous?", "delivered"))
        await page.type(f"{card('+33612345603')} input", "Oui, à 18h 👍")
        await page.until(shows("+33612345603", "Oui, à 18h 👍", "delivered", "sent"))
        (told,) = receiver.wait()
        assert told.json == {
            "type": "response",
            "phone_number": "+33612345603",
            "text": "Oui, à 18h 👍",
            "message_id": message_id,
        }
    assert await page.look(f"document.querySelector('{card('+33612345603')} input').value") == ""


async def test_the_button_skips_the_time_that_a_phone_is_absent(customer: Customer, page: Page) -> None:
    message_id = customer.send("+33600000004", "Es-tu là?")
    await page.until(shows("+33600000004", "Es-tu là?", "waiting"))
    assert customer.status(message_id, "+33600000004") == "Waiting"
    await page.click('[data-advance="30"]')
    await page.until(shows("+33600000004", "Es-tu là?", "delivered"))
    assert await page.look("document.getElementById('notice').textContent") == (
        "30 s ahead: 1 message came to an end."
    )


async def test_a_phone_can_be_opened_by_hand_and_says_why_nobody_hears_it(
    customer: Customer, page: Page
) -> None:
    await page.type("#open-number", "06 98 76 54 32")
    await page.until(f"document.activeElement === document.querySelector('{card('+33698765432')} input')")
    await page.type(f"{card('+33698765432')} input", "Y a quelqu'un?")
    await page.until(f"!document.querySelector('{card('+33698765432')} .error').hidden")
    error = await page.look(f"document.querySelector('{card('+33698765432')} .error').textContent")
    assert error.startswith("nobody has sent a message to +33698765432")
    # The refusal (409) is no defect of the page.
    assert len(page.complaints) == 1
    assert "409" in page.complaints.pop()


async def test_a_call_shows_up_and_what_was_heard_is_played(customer: Customer, page: Page) -> None:
    row = "[...document.querySelectorAll('#calls li')].find((each) => each.textContent.includes('%s'))"
    person, busy = (
        row % "+33\u00a06\u00a012\u00a034\u00a056\u00a005",
        row % "+33\u00a06\u00a000\u00a000\u00a000\u00a002",
    )
    customer.speak("+33612345605,+33600000002", "Bonjour, ici Chappe")
    await page.until(f"({person})?.querySelector('audio')")
    assert "a person answers" in await page.look(f"({person}).textContent")
    await page.until(f"({busy})?.querySelector('.status').textContent === 'busy'")
    assert await page.look(f"({busy}).querySelector('audio')") is None
    heard = f"({person}).querySelector('audio')"
    await page.click("#calls-section h2")  # a page that nobody has clicked on may play nothing
    await page.look(f"{heard}.play().then(() => true)")
    await page.until(f"{heard}.ended || {heard}.currentTime > 0.5")
    assert 1 < await page.look(f"{heard}.duration") < 4
    # As the server writes it into a page that is opened later, too.
    await page.open(customer.url)
    await page.until(f"({person})?.querySelector('audio[aria-label=\"What +33612345605 heard\"]')")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
async def test_nothing_is_wider_than_the_screen(customer: Customer, page: Page, width: int) -> None:
    customer.send("+33612345604", f"https://example.fr/{'x' * 140}")
    await page.size(width, 844)
    await page.until("document.querySelectorAll('.phone').length > 0")
    await page.look("document.querySelector('details').open = true")
    scrolled, seen = await page.look(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert seen <= width
    assert scrolled <= seen


async def test_a_page_without_a_message_says_how_to_send_one_and_when_the_server_is_gone(
    tmp_path: Path,
) -> None:
    server = callback_server(tmp_path / "server")
    (server.data / "chappe.toml").write_text("[simulator]\nsmpp_port = 0\nsip_port = 0\n")
    with server:
        async with browser(tmp_path) as page:
            await page.open(f"{server.base_url}/simulator")
            await page.until("document.getElementById('live').textContent === 'live'")
            sample = await page.look("document.querySelector('#empty code').textContent")
            assert sample.startswith(f"curl {server.base_url}/sms/v1/send -d ")
            server.stop()
            await page.until("document.getElementById('live').textContent === 'not live'")
