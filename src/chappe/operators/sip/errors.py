"""What can go wrong: the peer's message, or our own side. Anything else is a defect of ours.

No text here holds a header's value, a body or a password: names, lengths and numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence


class SipError(Exception):
    """The base of the two."""


class LocalError(SipError):
    """Our side asked for what the protocol, the state of things or a limit does not allow. Nothing was sent."""


class RemoteError(SipError):
    """The peer sent what cannot be used. `status` is what a request is answered, were there one to answer."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class MessageError(RemoteError):
    """A message cannot be understood as a whole.

    `method` and `headers` are what could be read of it: enough for a refusal if `syntax.message.refusal` finds so.
    """

    def __init__(
        self,
        reason: str,
        status: int = 400,
        *,
        method: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(reason, status)
        self.method = method
        self.headers = tuple(headers)


class FramingError(RemoteError):
    """A stream cannot be cut into messages any more: the connection has to be closed."""
