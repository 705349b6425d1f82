"""The contract of an adapter and its error catalogue: all that the author of an adapter needs to read.

An adapter turns bytes into envelopes and envelopes into calls. It is pure: no method awaits, sleeps, reads a clock
(`raw.received_at`, `ctx.now` are the time), draws a random number (`raw.id` is unique) or opens a socket.

    AdapterError
    ├── Unauthentic           the request is not from the provider                    401
    ├── Malformed             the provider's, but contradicts its own document         kept, 200, listed as dead
    └── SendError             what became of a send: `code`, `retryable`, `certain`
        ├── Throttled         the provider asks us to slow down                        retryable
        ├── Unavailable       the provider is in trouble                               retryable
        ├── NotReached        no connection: it surely did not go out                  retryable
        ├── NoAnswer          it may have gone out                                     retryable, not certain
        ├── CredentialsRefused  token or permission: the whole channel stops
        ├── ChannelBlocked    account locked, unpaid, unregistered: the channel stops
        ├── WindowClosed      only a template may be sent now
        ├── Unreachable       this person can not get this message on this channel
        ├── OptedOut          this person does not want it
        ├── MediaFailed       the provider could not take or give the bytes
        ├── TemplateRefused   unknown, paused or disabled template
        └── Refused           anything else that is wrong with the message

Rule: `certain` says whether we know what happened. Not certain is never simply called again.
Rule: error texts hold facts and codes; never a secret, an address or words of the customer.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from msgspec import Meta, Struct

from normalizer.address import Address
from normalizer.envelope import Envelope, Instant, MediaRef, Status
from normalizer.ids import ChannelId, EndpointId, EnvelopeId, ExternalId

T = TypeVar("T")

# --- errors -------------------------------------------------------------------------------------------------------


class AdapterError(Exception):
    """Base of everything that an adapter raises on purpose."""


class Unauthentic(AdapterError):
    """The request does not prove that the provider sent it."""

    status: ClassVar[int] = 401


class Forbidden(Unauthentic):
    """The caller is known, and may not: a foreign Origin, an ended session."""

    status: ClassVar[int] = 403


class Malformed(AdapterError):
    """Authentic, yet not what the provider documents."""


class SendError(AdapterError):
    """What became of a send. `retryable`: the same message may go later. `certain`: we know that it did not go out."""

    code: ClassVar[str] = "send_error"
    retryable: ClassVar[bool] = False

    def __init__(self, text: str = "", *, provider_code: str | None = None, retry_after_s: float | None = None,
                 certain: bool = True) -> None:  # fmt: skip
        super().__init__(text)
        self.text = text
        self.provider_code = provider_code
        self.retry_after_s = retry_after_s
        self.certain = certain


class Throttled(SendError):
    """Slow down; `scope` tells for whom."""

    code = "throttled"
    retryable = True

    def __init__(self, text: str = "", *, scope: Literal["channel", "recipient"] = "channel", **facts: Any) -> None:
        super().__init__(text, **facts)
        self.scope = scope


class Unavailable(SendError):
    code = "unavailable"
    retryable = True


class NotReached(SendError):
    """No connection could be made."""

    code = "not_reached"
    retryable = True


class NoAnswer(SendError):
    """The call went out and no readable answer came back."""

    code = "no_answer"
    retryable = True

    def __init__(self, text: str = "", **facts: Any) -> None:
        super().__init__(text, **{"certain": False, **facts})


class CredentialsRefused(SendError):
    code = "credentials_refused"


class ChannelBlocked(SendError):
    code = "channel_blocked"


class WindowClosed(SendError):
    code = "window_closed"


class Unreachable(SendError):
    code = "unreachable"


class OptedOut(SendError):
    code = "opted_out"


class MediaFailed(SendError):
    code = "media_failed"


class TemplateRefused(SendError):
    code = "template_refused"


class Refused(SendError):
    code = "refused"


# --- inbound ------------------------------------------------------------------------------------------------------


class RawInbound(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What arrived, byte for byte, with the facts that only the gateway knows."""

    id: str
    """Unique and unguessable (at least 128 bits of randomness)."""
    endpoint_id: EndpointId
    origin: Literal["webhook", "live", "dialled", "pulled"]
    received_at: Instant
    method: str = "POST"
    path: str = ""
    """Below the endpoint's own path; empty or starts with `/`."""
    query: str = ""
    headers: dict[str, str] = {}
    """Names in lower case; several of one name are joined by `, `."""
    body: bytes = b""
    session: str | None = None
    """Live only: the leg's address value that the socket was bound to."""
    public_url: str = ""
    """The URL that the caller used, as configured (never taken from headers)."""
    peer: str = ""
    """A keyed digest of the caller's network address; for limits, not for people."""


class Placed(Struct, frozen=True, omit_defaults=True):
    """What room 2 made of one envelope of the row."""

    envelope_id: EnvelopeId
    seq: int | None = None
    wire_seq: int | None = None
    at: Instant | None = None
    duplicate: bool = False
    conflict: bool = False
    """A duplicate by its key with other content."""
    conversation_id: str | None = None


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What room 2 stored on the intake row, for channels that answer with it."""

    placed: tuple[Placed, ...] = ()
    error: str | None = None
    """Why nothing came of it: `malformed`, `unknown_account`, `conflict`, `identity_taken` ..."""


class Reply(Struct, frozen=True):
    """An answer over HTTP, in either direction; on a live socket `body` is the frame (empty: no frame)."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


# --- outbound -----------------------------------------------------------------------------------------------------


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
    """Wakes the live sockets of the leg; what they show they read from the store."""

    frame: bytes = b""
    """An unnumbered frame that is shown once and never stored (typing)."""


Call = HttpCall | PushCall
Flow = Generator[Call, Reply, T]
"""Yields calls, is sent their replies, returns the result. NotReached and NoAnswer are thrown in by the transport."""


class LegView(Struct, frozen=True, kw_only=True):
    """The leg that a message goes to, as an adapter may know it."""

    address: Address
    native_thread: str | None = None
    window_until: Instant | None = None
    """None: no window known, or the channel has none."""
    last_inbound: ExternalId | None = None


class CallContext(Struct, frozen=True, kw_only=True):
    now: Instant
    account: str | None = None


class SendContext(Struct, frozen=True, kw_only=True):
    now: Instant
    account: str | None = None
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
    """How long a send in doubt waits for its echo before it is repeated once or parked."""
    content_types: frozenset[str] = frozenset({"application/json"})
    """Of webhook bodies; anything else is 415."""


# --- the contract -------------------------------------------------------------------------------------------------


class Adapter(Protocol):
    capabilities: Capabilities

    def verify(self, raw: RawInbound) -> "Reply | LegRead | LegUpload | None":
        """Called once for every webhook and every live handshake, before anything is stored.

        None: authentic, keep it. A Reply: a handshake, answered and not kept. LegRead, LegUpload: see `Lives`.
        Raises Unauthentic. Any other exception is 401 too, logged and counted apart as our error.
        """
        ...

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        """The answer once `raw` is safe. `outcome`: only where `answers` is `processed`, and in time."""
        ...

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        """The same raw gives equal envelopes, ids included. Raises Malformed; what it does not know it keeps."""
        ...

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        """One step of an outbound envelope. Raises SendError. Called again with the next `step` while `more`.

        A step past the last one makes no call and returns `Sent()`: an echo may have told that the last one is out.
        """
        ...


class Fetches(Protocol):
    """Channels whose media lie at the provider."""

    def fetch(self, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
        """The last call says `to_media`. Raises SendError; MediaFailed when the bytes are gone for good."""
        ...


class Probes(Protocol):
    """Channels whose credentials and address can be checked without writing to anybody."""

    def probe(self, ctx: CallContext) -> Flow[Health]: ...


# --- live channels ------------------------------------------------------------------------------------------------


class LegRead(Struct, frozen=True, kw_only=True):
    """A GET for what the leg may see; `Lives.page` turns the result into the answer."""

    address: Address
    issued_at: Instant
    """When the caller's credential was issued; older than the leg's own mark, it is void."""
    after: int | None = None
    before: int | None = None
    limit: int = 50
    wait_ms: int = 0
    """How long to wait for something after `after`."""


class LegUpload(Struct, frozen=True, kw_only=True):
    """A multipart POST of one file for the leg: streamed to the media store, then answered by `Lives.uploaded`."""

    address: Address
    issued_at: Instant
    max_bytes: int
    mimes: frozenset[str]


class Wire(Struct, frozen=True, kw_only=True):
    """One line of what a leg may see, as the store has it."""

    seq: int
    envelope: Envelope
    at: Instant
    status: Status | None = None
    agent_name: str | None = None
    withdrawn: bool = False
    media_urls: Mapping[str, str] = {}
    """Signed and short-lived, by the name of the stored bytes."""


class LiveSession(Struct, frozen=True, kw_only=True):
    """What the store knows about the leg of a socket that was just bound."""

    address: Address
    conversation_id: str | None
    head: int
    """The highest seq on the leg's wire; 0: nothing yet."""
    oldest: int = 1
    """The lowest seq that is still kept."""


class Keep(Struct, frozen=True):
    """To the intake; the frame's answer is `respond`."""


class Say(Struct, frozen=True):
    """Answer now, store nothing."""

    frame: bytes


class Bind(Struct, frozen=True, kw_only=True):
    """The socket speaks for this leg; replay what came after `resume_from` (None: from the start)."""

    address: Address
    issued_at: Instant
    resume_from: int | None = None


class Relay(Struct, frozen=True):
    """Tell whoever holds the conversation, store nothing (typing)."""

    envelope: Envelope


class Close(Struct, frozen=True):
    code: int
    reason: str = ""


Heard = Keep | Say | Bind | Relay | Close


class LiveLimits(Struct, frozen=True, kw_only=True):
    """How often the clients of one channel may speak, and how many sockets they may have."""

    messages_per_s: float = 1.0
    """Sustained; what comes faster is answered with `limited` and dropped."""
    messages_burst: int = 5
    typing_every_s: float = 3.0
    """What comes faster is dropped."""
    frames_per_s: float = 20.0
    """Of any kind, sustained; beyond it the socket is closed."""
    frames_burst: int = 200
    sockets_per_session: int | None = None
    sockets_per_peer: int | None = None
    """Of one network address; one more is asked to try later."""


class Lives(Protocol):
    """Channels with sockets of their own under `/live/{endpoint_id}`. Frames are UTF-8 text."""

    limits: LiveLimits
    hello_ms: int
    """How long a socket may stay unbound."""
    max_frame_bytes: int
    subprotocols: tuple[str, ...]
    """Those of the WebSocket handshake that we speak."""

    def headers(self, raw: RawInbound) -> Mapping[str, str]:
        """To be on every answer that the gateway gives itself (refusals too), so that a browser may read it."""
        ...

    def hear(self, raw: RawInbound) -> Heard:
        """One frame; `raw.session` is None until the socket is bound; `raw.headers`: the handshake's. Never raises."""
        ...

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        """The answer to a frame that came too fast. None: it is dropped in silence."""
        ...

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]:
        """What a newly bound socket gets before the replay."""
        ...

    def show(self, line: Wire) -> bytes | None:
        """The frame of a stored envelope. None: nothing to see (its seq still counts)."""
        ...

    def synced(self, head: int) -> bytes:
        """Ends the replay."""
        ...

    def farewell(self, reconnect_after_ms: int) -> bytes:
        """The gateway is about to stop."""
        ...

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply:
        """The answer to a LegRead."""
        ...

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> Reply:
        """The stored file, or why there is none: `too_large`, `type_refused`, `empty`, `ended`."""
        ...


# --- configuration ------------------------------------------------------------------------------------------------


Secret = Annotated[str, Meta(extra={"secret": True}, min_length=1)]
"""A setting that is masked wherever it could be shown, and may come from a file (`*_FILE`)."""


class ChannelSpec(Struct, frozen=True):
    """One account of ours on an endpoint."""

    id: ChannelId
    account: str | None


class EndpointConfig(Protocol):
    """A `Config` struct (frozen, `forbid_unknown_fields`): the one source of validation, masking and documents.

    Secret fields are annotated with `Secret`; every field has a description in its Meta.
    """

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        """An endpoint of one channel gives the channel its own name."""
        ...

    def credentials(self) -> Mapping[str, str]:
        """By the names that `Auth` uses."""
        ...

    def problems(self) -> Sequence[str]:
        """What is missing or contradicts itself, in words that name the key. Empty: it may start."""
        ...


ConfigClass = type[Any]
"""An EndpointConfig."""


class Registration(Struct, frozen=True, kw_only=True):
    """One line of REGISTRY."""

    type: str
    config: ConfigClass
    build: Callable[[EndpointId, Any], Adapter]


class Request(Struct, frozen=True, kw_only=True):
    """A request between a simulator and the gateway, in either direction."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Provider(Protocol):
    """A simulator: the same channel from the other side. Pure and stateful; refuses what the provider refuses."""

    def answer(self, request: Request, now: datetime) -> Reply:
        """The provider's API, as the gateway calls it."""
        ...

    def due(self, now: datetime) -> Sequence[Request]:
        """Webhooks that are to be delivered now; undelivered ones come again as the provider would repeat them."""
        ...
