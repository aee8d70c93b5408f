"""What a refused request carries: a code, its text in two languages, an HTTP status, a list of faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Code = int | str
"""Integers on SMS and Mail, and upper-case words (``PHONE_NUMBER_REQUIRED``) on Voice sends."""

Language = Literal["fr", "en"]

Header = tuple[bytes, bytes]

_PLACE = "[…]"


@dataclass(frozen=True, slots=True)
class Message:
    """One row of an error table: the text in both languages, and the HTTP status by its meaning."""

    fr: str
    en: str
    http_status: int = 400

    def text(self, language: Language) -> str:
        return self.en if language == "en" else self.fr

    def with_detail(self, detail: str) -> "Message":
        """The same row with the documentation's ``[…]`` replaced, as in code 23 ("La date […] n'est ...")."""
        return Message(self.fr.replace(_PLACE, detail), self.en.replace(_PLACE, detail), self.http_status)


@dataclass(frozen=True, slots=True)
class Fault:
    """One item of the list under ``errors`` and ``error``.

    `key` says what the item points at: ``elementId`` in a code-9 list, ``phoneNumber`` where single
    numbers of a request are refused. `code` is written as a string, and in JSON only (sms-partner-api.md,
    sections 1.4 and 1.7).
    """

    key: Literal["elementId", "phoneNumber"]
    value: str
    code: Code
    message: Message

    def as_item(self, language: Language) -> dict[str, str]:
        """The item in the documented key order: elementId, message, code; phoneNumber, code, message."""
        text = self.message.text(language)
        if self.key == "elementId":
            return {"elementId": self.value, "message": text, "code": str(self.code)}
        return {"phoneNumber": self.value, "code": str(self.code), "message": text}


def constraint(field: str, message: Message) -> Fault:
    """An item of a code-9 list; `field` is the parameter's name, as in ``children[message].data``."""
    return Fault("elementId", f"children[{field}].data", 9, message)


def refused_number(phone_number: str, code: Code, message: Message) -> Fault:
    """An item for one refused number, with the code that a request for it alone would have met."""
    return Fault("phoneNumber", phone_number, code, message)


class Refusal(Exception):
    """The request is answered with an error: all that the reader and the endpoints raise is one of these.

    The text of the exception holds the code only, never what the client sent: keys and message bodies stay
    out of logs and tracebacks.
    """

    def __init__(
        self,
        code: Code,
        message: Message,
        *,
        faults: Sequence[Fault] | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.faults = faults
        self.headers = headers

    @property
    def http_status(self) -> int:
        return self.message.http_status


class ParameterInvalid(Refusal):
    """A parameter is there but is not of its type. Endpoints turn it into the code of their page.

    An endpoint that does not is still answered with a 400 that names the parameter (our name for it, not the
    client's spelling).
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            400, Message(f"Le paramètre {name} n'est pas valide", f"The parameter {name} is not valid", 400)
        )
        self.name = name


class NotFound(Refusal):
    """No page has this path. The text lists the product's paths, never the one asked: it may hold a key."""

    def __init__(self, paths: Sequence[str]) -> None:
        listed = ", ".join(paths)
        super().__init__(
            404,
            Message(
                f"Cette adresse n'existe pas. Adresses disponibles : {listed}",
                f"This address does not exist. Available addresses: {listed}",
                404,
            ),
        )


class MethodNotAllowed(Refusal):
    """The path exists, with other methods; `allowed` is what the ``Allow`` header says."""

    def __init__(self, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed)
        super().__init__(
            405,
            Message(
                f"Méthode non autorisée. Méthodes disponibles : {listed}",
                f"Method not allowed. Available methods: {listed}",
                405,
            ),
            headers=((b"allow", listed.encode()),),
        )
        self.allowed = tuple(allowed)
