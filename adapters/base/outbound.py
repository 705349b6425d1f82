"""What goes out: calls that the transport makes, what a send gets to know, what a channel can do.

Rule: an adapter names credentials, servers and stored files; it never holds a secret or a byte of a file.
"""

from collections.abc import Generator, Mapping
from typing import Literal, TypeVar

from msgspec import Struct

from adapters.base.inbound import Reply
from normalizer.address import Address
from normalizer.envelope import Instant
from normalizer.ids import ExternalId

T = TypeVar("T")


class Auth(Struct, frozen=True):
    """Names a credential of the endpoint; the transport puts the secret in its place."""

    credential: str
    scheme: Literal["bearer", "basic", "header"] = "bearer"
    header: str = "Authorization"
    user: str = ""
    """For `basic`."""


class Upload(Struct, frozen=True):
    """A multipart body whose file the transport streams from the media store."""

    stored: str
    field: str
    filename: str
    mime: str
    fields: Mapping[str, str] = {}


class HttpCall(Struct, frozen=True, kw_only=True):
    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    upload: Upload | None = None
    auth: Auth | None = None
    timeout_ms: int | None = None
    """None: the transport's setting."""
    foreign: bool = False
    """True: the URL came from a customer or a payload: checked against private networks, pinned to its address."""
    to_media: bool = False
    """True: the answer's body goes to the media store; the Reply then has an empty body and the header `x-stored`."""
    max_bytes: int | None = None


class PushCall(Struct, frozen=True, kw_only=True):
    """Wakes the live sockets of the leg; what they show they read from the store.

    The Reply's status: 200 when a socket of the leg is open here, 204 when none is (another node may have one) or all
    that there are have ended (`Streams.ends`), 410 when who is there is not shown the message, because it answers what
    was asked in a call before (`Bind.turns`).
    """

    frame: bytes = b""
    """An unnumbered frame that is shown once and never stored (typing)."""


class Server(Struct, frozen=True, kw_only=True):
    """A mail server."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"] = "tls"


class Login(Struct, frozen=True, kw_only=True):
    """How we log in at a mail server; `credential` names the password, or the OAuth 2.0 grant for `xoauth2`."""

    user: str
    credential: str
    scheme: Literal["password", "xoauth2"] = "password"


class Attachment(Struct, frozen=True, kw_only=True):
    """A stored file that the transport puts into a mail."""

    stored: str
    filename: str
    mime: str
    content_id: str | None = None
    """Set: shown inside of the text (`cid:`), not below it."""


class MailCall(Struct, frozen=True, kw_only=True):
    """One SMTP transaction. The Reply: `status` is the server's code for the message as a whole, `body` a MailReply."""

    server: Server
    login: Login | None
    sender: str
    """Of the envelope; empty for automatic answers (RFC 3834)."""
    recipients: tuple[str, ...]
    message: bytes
    """RFC 5322, without the attachments."""
    attachments: tuple[Attachment, ...] = ()
    timeout_ms: int | None = None


class MailReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an SMTP server said, as JSON in the Reply's body."""

    text: str = ""
    refused: dict[str, tuple[int, str]] = {}
    """By recipient: the code and the text that it was refused with. The others were accepted when `status` is 250."""


Call = HttpCall | MailCall | PushCall
Flow = Generator[Call, Reply, T]
"""Yields calls, is sent their replies, returns the result. NotReached and NoAnswer are thrown in by the transport."""


class LegView(Struct, frozen=True, kw_only=True):
    """The leg that a message goes to, as an adapter may know it."""

    address: Address
    native_thread: str | None = None
    window_until: Instant | None = None
    """None: no window known, or the channel has none."""
    last_inbound: ExternalId | None = None
    subject: str | None = None
    """Of the last message that came in over it, on channels that have one."""
    before: tuple[ExternalId, ...] = ()
    """Ids of what was said over it before, either way, the oldest first (`Capabilities.recalls`)."""


class CallContext(Struct, frozen=True, kw_only=True):
    now: Instant
    account: str | None = None
    hook_url: str = ""
    """The endpoint's own public URL, without a slash at its end."""


class SendContext(Struct, frozen=True, kw_only=True):
    now: Instant
    account: str | None = None
    hook_url: str = ""
    """The endpoint's own public URL, without a slash at its end."""
    leg: LegView
    echo_key: str
    """Handed to the provider, so that its receipts name the command (`capabilities.echo`)."""
    attempt: int = 1
    step: int = 0
    """Which of the message's calls is asked for; the steps before it are done and stored."""
    reply_to: ExternalId | None = None
    media_urls: Mapping[str, str] = {}
    """Public, signed and short-lived, by the name of the stored bytes."""


class Sent(Struct, frozen=True):
    """This step is out. `more`: the message has a further step."""

    external_ids: tuple[ExternalId, ...] = ()
    more: bool = False


class Fetched(Struct, frozen=True, kw_only=True):
    stored: str
    mime: str | None = None
    size: int | None = None


class Health(Struct, frozen=True, kw_only=True):
    ok: bool
    detail: str
    """For the operator; no secrets."""


class Rates(Struct, frozen=True, kw_only=True):
    """What the provider allows. None: no limit of this kind."""

    per_second: float | None = None
    pair_per_second: float | None = None
    """To one recipient, sustained."""
    pair_burst: int = 1


class Capabilities(Struct, frozen=True, kw_only=True):
    """What the channel can do, as data. The core asks these and never a channel's name."""

    answers: Literal["stored", "processed"] = "stored"
    """`processed`: the caller waits for what room 2 made of it."""
    ordered: bool = True
    """False: steps sent one after the other may arrive in another order."""
    live: bool = False
    """Sockets read the leg's wire from the store; a send is a wake-up, harmless to repeat."""
    states: bool = False
    """Shows changes of the holder (queued, an agent joined) as such."""
    echo: bool = False
    """Receipts carry our echo key."""
    window_hours: int | None = None
    marks_read: bool = False
    shows_typing: bool = False
    text_limit: int = 4096
    sends: frozenset[str] = frozenset({"text"})
    """Types of parts that it can send."""
    rates: Rates = Rates()
    echo_wait_ms: int = 20_000
    """How long a send in doubt waits for its echo before it is looked for, repeated once or parked."""
    content_types: frozenset[str] = frozenset({"application/json"})
    """Of webhook bodies; anything else is 415, but for the multipart POST of a LegUpload, which is not read here."""
    max_body_bytes: int | None = None
    """Of a webhook's body, where the provider sends larger ones than `server.max_body_bytes` lets in."""
    heavy: bool = False
    """`parse` may take long: it runs in a process of its own, within `rooms.parse_timeout_ms`."""
    streams: bool = False
    """Answers are shown sentence by sentence while the AI writes them (see `Streams`)."""
    recalls: int = 0
    """A send is told the ids of so many messages before it over its leg (`LegView.before`)."""
    automatic_per_hour: int | None = None
    """So many automatic answers to one leg in an hour, then people take over: two machines may be talking."""
