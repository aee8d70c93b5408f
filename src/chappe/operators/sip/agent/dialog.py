"""A dialog (RFC 3261, section 12): what two user agents know of each other, and the requests between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from chappe.operators.sip.errors import RemoteError
from chappe.operators.sip.hop import Hop
from chappe.operators.sip.syntax.address import Address, parse_address, tagged
from chappe.operators.sip.syntax.message import Header, Request, Response
from chappe.operators.sip.syntax.uri import DEFAULT_PORTS, SipUri, Uri

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""
MAX_FORWARDS: Final = ("Max-Forwards", "70")


class Dialog:
    """`local` and `remote` are header values with their tags, as From and To of our requests."""

    __slots__ = (
        "call_id",
        "hop",
        "is_confirmed",
        "local",
        "local_cseq",
        "local_tag",
        "remote",
        "remote_cseq",
        "remote_tag",
        "routes",
        "target",
    )

    def __init__(
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        target: Uri,
        routes: Sequence[Address],
        hop: Hop,
        *,
        local_cseq: int,
        remote_cseq: int,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.target = target
        self.routes = tuple(routes)
        self.hop = hop
        """Where the request that made the dialog went, or came from."""
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        """0 while the peer has sent none."""
        self.is_confirmed = False

    @property
    def id(self) -> DialogId:
        return self.call_id, self.local_tag, self.remote_tag

    def next_hop(self) -> Hop:
        """Where requests of ours go (section 8.1.2): the first route, else the target. What a URI leaves open is as it
        was for the first request.
        """
        uri = self.routes[0].uri if self.routes else self.target
        if not isinstance(uri, SipUri):
            return self.hop
        host = uri.host_address
        transport = self.hop.transport
        if uri.is_secure or uri.parameters.get("transport"):
            named = uri.transport
            if named not in ("udp", "tcp", "tls"):
                return self.hop
            transport = named if named != "tcp" or transport != "tls" else "tls"
        port = uri.port
        is_same_host = host.lower() == self.hop.host.lower() and transport == self.hop.transport
        if port is None:
            port = self.hop.port if is_same_host else DEFAULT_PORTS[transport]
        if is_same_host and self.hop.is_reliable:
            # Over the stream there is already: what the peer names may be a port that only others reach.
            return replace(self.hop, port=port) if self.hop.connection else self.hop
        return Hop(transport, host, port)

    def request(
        self, method: str, headers: Sequence[Header] = (), body: bytes = b"", *, number: int | None = None
    ) -> Request:
        """A request inside the dialog (section 12.2.1.1). `number` is the CSeq of an ACK; others count on."""
        if number is None:
            self.local_cseq += 1
            number = self.local_cseq
        uri: Uri = self.target.bare() if isinstance(self.target, SipUri) else self.target
        routes = [str(route.uri) for route in self.routes]
        first = self.routes[0].uri if self.routes else None
        if isinstance(first, SipUri) and not first.is_loose:
            # A strict router: it finds itself in the Request-URI, and the target last (section 12.2.1.1).
            routes = [*routes[1:], str(uri)]
            uri = first.bare()
        return Request(
            method,
            uri,
            [
                MAX_FORWARDS,
                *(("Route", f"<{route}>") for route in routes),
                ("From", self.local),
                ("To", self.remote),
                ("Call-ID", self.call_id),
                ("CSeq", f"{number} {method}"),
                *headers,
            ],
            body,
        )

    def take(self, request: Request) -> bool:
        """Counts a request of the peer's; False for one that is out of order (section 12.2.2)."""
        number = request.cseq.number
        if number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """A re-INVITE or UPDATE, or a 2xx to one, may bring another Contact."""
        contacts = message.contacts
        if contacts:
            self.target = contacts[0].uri


def dialog_of_response(request: Request, response: Response, hop: Hop) -> Dialog:
    """The caller's dialog (section 12.1.2). RemoteError where the response has no Contact and no route is left."""
    contacts = response.contacts
    return Dialog(
        request.call_id,
        request.first("From") or "",
        request.from_.tag,
        response.first("To") or "",
        response.to.tag,
        # Without a Contact, as some early answers are, requests go where the first went.
        contacts[0].uri if contacts else request.uri,
        list(reversed(response.record_routes)),
        hop,
        local_cseq=request.cseq.number,
        remote_cseq=0,
    )


def dialog_of_request(request: Request, local_tag: str, hop: Hop) -> Dialog:
    """The callee's dialog (section 12.1.1). Raises RemoteError for a request without Contact."""
    contacts = request.contacts
    if not contacts:
        raise RemoteError("Contact is missing")
    to = request.first("To") or ""
    return Dialog(
        request.call_id,
        to if parse_address(to).tag else tagged(to, local_tag),
        local_tag,
        request.first("From") or "",
        request.from_.tag,
        contacts[0].uri,
        request.record_routes,
        hop,
        local_cseq=0,
        remote_cseq=request.cseq.number,
    )
