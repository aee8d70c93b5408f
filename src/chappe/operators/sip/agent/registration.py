"""A registration that is kept (RFC 3261, section 10): refreshed in time, tried again when it fails, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chappe.operators.sip.agent.causes import Cause, cause_of_response
from chappe.operators.sip.agent.digest import Authenticator
from chappe.operators.sip.agent.events import Nuisance, Registered, RegistrationFailed
from chappe.operators.sip.agent.exchange import Exchange, Failure
from chappe.operators.sip.agent.inside import cause_of_failure
from chappe.operators.sip.agent.plain import PlainRequests
from chappe.operators.sip.agent.timers import Timer
from chappe.operators.sip.errors import LocalError, RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address
from chappe.operators.sip.syntax.grammar import read_number
from chappe.operators.sip.syntax.message import Header, Response
from chappe.operators.sip.syntax.uri import SipUri, is_same

if TYPE_CHECKING:
    from chappe.operators.sip.agent.agent import UserAgent

RETRY_MS_FIRST: Final = 2_000
RETRY_MS_MAX: Final = 300_000
EXPIRES_S_MAX: Final = 24 * 3600
MARGIN_S: Final = 30
"""It is asked again so much before the end, or at nine tenths of a short time."""


class Registration:
    """One address of record, bound to our Contact."""

    __slots__ = (
        "_agent",
        "_authenticator",
        "_exchange",
        "_expires_s",
        "_failures",
        "_hop",
        "_requests",
        "_stopping",
        "_timer",
        "_was_told_longer",
        "context",
        "is_registered",
        "user",
    )

    def __init__(
        self,
        agent: UserAgent,
        address: SipUri,
        hop: Hop,
        now_ms: int,
        *,
        authenticator: Authenticator | None = None,
        expires_s: int = 3600,
        context: object = None,
    ) -> None:
        assert 0 < expires_s <= EXPIRES_S_MAX
        self._agent = agent
        self._hop = hop
        self._authenticator = authenticator
        self._expires_s = expires_s
        self._failures = 0
        self._was_told_longer = False
        self._stopping = False
        self._timer: Timer | None = None
        self.context = context
        self.is_registered = False
        self.user = address.user or ""
        registrar = SipUri(address.host, port=address.port, is_secure=address.is_secure)
        record = Address(address)
        self._requests = PlainRequests(agent, "REGISTER", registrar, record, record, hop)
        self._exchange = self._send(now_ms)

    def stop(self, now_ms: int) -> None:
        """Takes it back; `Registered` with 0 s follows, or `RegistrationFailed`."""
        if self._stopping:
            raise LocalError("it is taken back already")
        self._stopping = True
        self._set_timer(None)
        self._exchange = self._send(now_ms)

    def move(self, hop: Hop) -> None:
        """The registrar is asked at another address from the next time on."""
        self._hop = hop
        self._requests.move(hop)

    # What the exchange tells

    def on_provisional(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        pass

    def on_final(self, exchange: Exchange, response: Response, now_ms: int) -> None:
        if exchange is not self._exchange:
            return  # overtaken by `stop`
        try:
            if response.status < 300:
                self._on_success(response, now_ms)
                return
            if response.status == 423 and not self._was_told_longer and not self._stopping:
                min_s = response.number("Min-Expires") or 0
                if self._expires_s < min_s <= EXPIRES_S_MAX:
                    self._was_told_longer = True
                    self._expires_s = min_s
                    self._exchange = self._send(now_ms)
                    return
        except RemoteError as error:
            self._agent.tell(Nuisance(error.reason, self._hop))
        self._on_trouble(cause_of_response(response), now_ms)

    def on_failure(self, exchange: Exchange, failure: Failure, now_ms: int) -> None:
        if exchange is self._exchange:
            self._on_trouble(cause_of_failure(failure), now_ms)

    # Inside

    @property
    def _contact(self) -> str:
        return self._agent.contact(self._hop, self.user)

    def _send(self, now_ms: int) -> Exchange:
        expires_s = 0 if self._stopping else self._expires_s
        headers: list[Header] = [
            ("Contact", f"{self._contact};expires={expires_s}"),
            ("Expires", str(expires_s)),
            ("Allow", self._agent.allow),
        ]
        return self._requests.send(self, self._authenticator, headers, now_ms)

    def _on_success(self, response: Response, now_ms: int) -> None:
        self._failures = 0
        self._was_told_longer = False
        expires_s = 0 if self._stopping else self._granted_s(response)
        self.is_registered = expires_s > 0
        if expires_s > 0:
            wait_s = max(expires_s - MARGIN_S, expires_s * 9 // 10, 1)
            self._set_timer(now_ms + 1000 * min(wait_s, expires_s))
        elif not self._stopping:
            self._on_trouble(Cause("remote", response.status, text="the registrar kept nothing"), now_ms)
            return
        self._agent.tell(Registered(self, expires_s))

    def _granted_s(self, response: Response) -> int:
        """What the registrar gave our Contact among all that it lists (section 10.2.4)."""
        ours = self._agent.contact_uri(self._hop, self.user)
        granted = response.number("Expires")
        for contact in response.contacts:
            value = contact.parameters.get("expires")
            if value is not None and is_same(contact.uri, ours):
                return min(read_number(value, "expires"), EXPIRES_S_MAX)
        return min(self._expires_s if granted is None else granted, EXPIRES_S_MAX)

    def _on_trouble(self, cause: Cause, now_ms: int) -> None:
        self.is_registered = False
        self._failures += 1
        retry_ms = min(RETRY_MS_FIRST * 2 ** min(self._failures - 1, 30), RETRY_MS_MAX)
        retry_ms = retry_ms * self._agent.random(75, 125) // 100
        if cause.retry_after_s is not None:
            retry_ms = max(retry_ms, min(cause.retry_after_s * 1000, RETRY_MS_MAX))
        if self._stopping:
            retry_ms = 0
        else:
            self._set_timer(now_ms + retry_ms)
        self._agent.tell(RegistrationFailed(self, cause, retry_ms))

    def _set_timer(self, due_ms: int | None) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = None if due_ms is None else self._agent.timers.at(due_ms, self._again)

    def _again(self, now_ms: int) -> None:
        self._timer = None
        self._exchange = self._send(now_ms)
