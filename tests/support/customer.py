"""A customer of a server: an account, its key, and the SMS calls as a program makes them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from chappe.administration.commands import AccountCreate, AccountSet, Command
from tests.support.clocked import until
from tests.support.wire import Answer, call

_counter = itertools.count(1)


class Served(Protocol):
    """A running server, in a process of its own or in this one."""

    base_url: str

    def ask(self, command: Command) -> dict[str, Any]: ...


class Customer:
    """A new account with `credit` euros. Everything given by name goes into the request as it is."""

    def __init__(self, server: Served, credit: str = "100", email: str | None = None, **rights: Any) -> None:
        self.server = server
        self.email = email or f"customer{next(_counter)}@example.fr"
        self.key: str = server.ask(AccountCreate(self.email, credit=credit))["apiKey"]
        if rights:
            self.set(**rights)

    def set(self, **rights: Any) -> None:
        """As `chappe account set` does it."""
        self.server.ask(AccountSet(self.email, **rights))

    def get(self, page: str, _headers: Mapping[str, str] | None = None, **query: object) -> Answer:
        """`page` is the path behind the base URL. None leaves a parameter out."""
        pairs = {"apiKey": self.key, **query}
        target = f"/sms/v1/{page}?{urlencode({n: v for n, v in pairs.items() if v is not None})}"
        return call(self.server.base_url, target, headers=dict(_headers or {}))

    def post(self, page: str, _headers: Mapping[str, str] | None = None, **body: object) -> Answer:
        """As JSON."""
        octets = json.dumps({"apiKey": self.key, **body})
        target = f"/sms/v1/{page}"
        return call(self.server.base_url, target, method="POST", body=octets, headers=dict(_headers or {}))

    def try_send(self, _headers: Mapping[str, str] | None = None, **fields: object) -> Answer:
        """A send of "Bonjour" to 06 00 00 00 00, but for what `fields` say; None leaves a field out."""
        body = {"phoneNumbers": "0600000000", "message": "Bonjour", **fields}
        return self.post("send", _headers, **{n: v for n, v in body.items() if v is not None})

    def send(self, **fields: object) -> Any:
        """The same; the answer as JSON, which must be a good one."""
        answer = self.try_send(**fields)
        assert answer.status == 200, answer
        assert answer.json["success"] is True
        return answer.json

    def status(self, message_id: int, number: str = "0600000000") -> Any:
        """The status call's answer, as JSON."""
        answer = self.get("message-status", messageId=message_id, phoneNumber=number)
        assert answer.status == 200, answer
        return answer.json

    def statut(self, message_id: int, number: str = "0600000000") -> str:
        return self.status(message_id, number)["statut"]

    def credits(self) -> Any:
        """The `credits` of the credits call."""
        return self.get("me").json["credits"]

    @property
    def balance(self) -> str:
        return self.credits()["balance"]

    @property
    def to_send(self) -> int:
        return self.credits()["toSend"]

    def opt_out(self, number: str = "0600000007") -> None:
        """Writes to a phone of the built-in network that answers STOP, and waits until that is known."""
        message_id = self.send(phoneNumbers=number)["message_id"]
        until(lambda: self.status(message_id, number)["stopSms"] is True, f"{number} said STOP")


def received(server: Served, number: str) -> list[Any]:
    """The whole messages that a phone of the built-in network got, oldest first."""
    messages = call(server.base_url, f"/simulator/phones/{number}/messages").json
    return [m for m in messages if m["direction"] == "received" and m["parts"] == m["parts_received"]]


def text_on(server: Served, number: str) -> str:
    """The text of the only message that a phone of the built-in network got, once all of it is there."""
    until(lambda: len(received(server, number)) == 1, f"a message on {number}")
    return received(server, number)[0]["text"]


def status_words(base_url: str, key: str, message_id: int) -> dict[str, str]:
    """What `bulk-status` says of every number of a message."""
    answer = call(base_url, f"/sms/v1/bulk-status?apiKey={key}&messageId={message_id}")
    assert answer.status == 200, answer
    return {each["phoneNumber"]: each["status"] for each in answer.json["StatutResponse_List"]}
