"""Sources that we dial ourselves, and what a webhook may have missed.

Rule: what a source gives enters the intake together with its cursor, in one transaction; the cursor only moves forward.
Rule: nothing is acknowledged to a source before that commit; what was not acknowledged comes again.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from adapters.base.outbound import Auth, CallContext, Flow, Login, Server


class ImapSource(Struct, frozen=True, kw_only=True):
    """A mailbox (RFC 9051). Each message is a RawInbound with method `MAIL` and the message as its body.

    Its path is `/{uidvalidity}/{uid}`; its headers are `x-mailbox`, `x-internal-date` (RFC 3339) and, of a message
    that is larger than `max_message_bytes`, `x-full-size` in bytes: the body is then its header section alone.
    """

    name: str
    """Of its cursor; unique within the endpoint."""
    server: Server
    login: Login
    mailbox: str = "INBOX"
    idle_renew_s: float = 540.0
    """IDLE is given up and begun anew so often: servers may end it after 30 minutes, routers much earlier."""
    poll_s: float = 120.0
    """How often it is looked at all the same."""
    silent_s: float = 300.0
    """Without a sign of life for so long it is reconnected, and reported."""
    since_days: int = 7
    """How far back a mailbox is read that was never read before, or was made anew (another UIDVALIDITY)."""
    max_message_bytes: int = 35_000_000


class SocketModeSource(Struct, frozen=True, kw_only=True):
    """A WebSocket that the provider opens for us on request. Each envelope is a RawInbound, as if it were POSTed.

    Its headers are `content-type: application/json`, `x-socket-type` (the envelope's type) and, of a repeat,
    `x-socket-retry`; the body is the envelope's payload.
    """

    name: str
    open_url: str
    """Where the socket's address is asked for, by POST."""
    auth: Auth


class PullSource(Struct, frozen=True, kw_only=True):
    """Something to ask now and then, by `Pulls.pull`: at the start, every `every_s`, and after each trouble of ours."""

    name: str
    every_s: float = 300.0


Source = ImapSource | SocketModeSource | PullSource


class Dials(Protocol):
    """Endpoints that do not wait to be called."""

    @property
    def sources(self) -> tuple[Source, ...]: ...


class PulledItem(Struct, frozen=True, kw_only=True):
    """Becomes a RawInbound of origin `pulled`."""

    body: bytes
    method: str = "POST"
    path: str = ""
    headers: Mapping[str, str] = {}


class Pulled(Struct, frozen=True, kw_only=True):
    items: tuple[PulledItem, ...]
    cursor: str
    """Opaque to everybody but its adapter; kept in the transaction that keeps the items."""
    more: bool = False
    """Ask again at once."""


class Pulls(Protocol):
    """What a webhook may have missed: the same RawInbounds, the same dedupe."""

    def pull(self, name: str, cursor: str | None, ctx: CallContext) -> Flow[Pulled]:
        """The next page of the source of that name. `cursor` None: never asked before. Raises SendError."""
        ...
