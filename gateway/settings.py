"""Every setting: its type, limits, default and purpose. `config.py` fills these from the outside.

Rule: a limit is a setting, and its unit stands last in its name.
Rule: each field has a description: the settings page, the example file and `throughline init` come from here.
Rule: what one part alone needs is defined beside it and only gets its section here; an endpoint's settings are its
      adapter's, a value that is handed on.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

import router.policy
from adapters.base import ChannelSpec, EndpointConfig, Secret
from gateway.credentials import CredentialSettings
from gateway.listen.base import ListenSettings
from gateway.media import MediaSettings
from gateway.transport.guard import GuardSettings
from gateway.transport.http import TransportSettings
from gateway.transport.limits import RateSettings
from normalizer.ids import ChannelId, EndpointId

Positive = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(gt=0)]
Days = Annotated[int, Meta(ge=1)]


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where we listen, and what a caller may ask of us."""

    host: Annotated[str, Meta(description="Address to listen on. Put a reverse proxy with TLS in front.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8080
    public_url: Annotated[
        str | None,
        Meta(description="How the world reaches us: scheme and host. Unset: the address that we listen on."),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks (CIDR) of our own proxies, whose `X-Forwarded-For` is believed."),
    ] = ()
    max_body_bytes: Annotated[int, Meta(ge=3 * 1024 * 1024, description="A larger request is 413.")] = 4_194_304
    max_large_bodies: Annotated[
        Positive, Meta(description="So many larger ones, where a channel has them, are read at once; others wait.")
    ] = 8
    body_timeout_ms: Annotated[Positive, Meta(description="A slower sender of a body is cut off.")] = 10_000
    idle_timeout_ms: Annotated[
        Positive,
        Meta(description="A connection on which no whole request comes is closed; longer than a proxy keeps it."),
    ] = 130_000
    write_timeout_ms: Annotated[Positive, Meta(description="An inbound that is not durable by then is 503.")] = 1_500
    drain_timeout_ms: Annotated[Positive, Meta(description="How long a stop may take to finish what is claimed.")] = (
        20_000
    )
    call_outcome_ms: Annotated[Positive, Meta(description="How long a request waits for what became of it.")] = 1_000
    frame_outcome_ms: Annotated[Positive, Meta(description="How long a live frame waits for what became of it.")] = (
        2_000
    )
    max_sockets: Annotated[Positive, Meta(description="Live sockets of this node; one more is 503.")] = 20_000
    max_sockets_per_leg: Annotated[Positive, Meta(description="Live sockets of one customer (tabs, devices).")] = 5
    socket_buffer_bytes: Annotated[
        Positive,
        Meta(description="Unsent bytes of a live socket; a slower reader is closed and resumes later."),
    ] = 1_048_576
    socket_idle_ms: Annotated[Positive, Meta(description="After this silence a live socket is pinged.")] = 30_000
    reconnect_after_ms: Annotated[Positive, Meta(description="What sockets are told to wait when we stop.")] = 2_000


class Store(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The system of record."""

    data_dir: Annotated[
        str,
        Meta(description="Folder of the SQLite file and of media, for one gateway at a time."),
    ] = "./data"
    url: Annotated[
        Secret, Meta(description="`sqlite:///...` or `postgresql+psycopg://user:password@host/database`.")
    ] = "sqlite:///{data_dir}/throughline.db"
    writers: Annotated[
        Positive, Meta(description="Threads that write, each with a connection (SQLite: always one).")
    ] = 4
    readers: Annotated[Positive, Meta(description="Threads that read, each with a connection.")] = 4


class Rooms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How work is claimed, repeated and given up."""

    receive_gather_ms: Annotated[
        Whole,
        Meta(description="While people talk to us, webhooks are committed no sooner than so long after those before."),
    ] = 20
    process_batch: Annotated[
        Positive, Meta(description="Most messages in one transaction of room 2 while room 1 waits for the writer.")
    ] = 64
    process_batch_alone: Annotated[Positive, Meta(description="The same while it does not.")] = 256
    process_gather_ms: Annotated[
        Whole, Meta(description="Webhooks that come right after others wait so long for more of them.")
    ] = 10
    process_hand_rows: Annotated[
        Whole,
        Meta(
            description="Inbound requests that room 1 may hand to room 2 at once; the rest waits in the database. "
            "(SQLite.)"
        ),
    ] = 4_096
    process_hand_bytes: Annotated[Whole, Meta(description="The same in bytes of memory.")] = 32 * 1024 * 1024
    parse_timeout_ms: Annotated[
        Positive, Meta(description="Time limit for reading one message of a heavy format (mail); then it is dead.")
    ] = 2_000
    process_slice_ms: Annotated[
        Positive, Meta(description="A transaction of rooms 2 and 3 yields to room 1 after it.")
    ] = 2
    lease_ms: Annotated[Positive, Meta(description="A claim lapses after it; longer than any single call.")] = 30_000
    poll_ms: Annotated[Positive, Meta(description="How often a room looks for work that nobody woke it for.")] = 1_000
    perform_concurrency: Annotated[Positive, Meta(description="Commands that room 3 performs at once.")] = 64
    max_attempts: Annotated[Positive, Meta(description="An item that fails this often is dead.")] = 5
    max_claims: Annotated[
        Positive, Meta(description="An inbound that was claimed this often and never settled is dead.")
    ] = 50
    retry_base_ms: Annotated[Positive, Meta(description="Wait before the second attempt; it doubles each time.")] = (
        1_000
    )
    retry_max_ms: Annotated[Positive, Meta(description="Longest wait between two attempts.")] = 300_000
    throttle_max_s: Annotated[
        Positive, Meta(description="Longest time that a provider's `Retry-After` stops a channel.")
    ] = 900
    ordered_wait_ms: Annotated[
        Positive,
        Meta(description="How long a part waits until the one before is delivered, on channels without order."),
    ] = 3_000
    park_orphan_days: Annotated[
        Days, Meta(description="A receipt whose message never came is then listed as an orphan.")
    ] = 7
    raw_retention_days: Annotated[
        Days | None,
        Meta(description="`prune` deletes what providers sent, byte for byte, after it. Unset: never."),
    ] = 30
    dedupe_retention_days: Annotated[
        Annotated[int, Meta(ge=30)] | None,
        Meta(description="`prune` forgets events that were seen before then; at least 30. Unset: never."),
    ] = None
    finished_retention_days: Annotated[
        Days | None,
        Meta(
            description="`prune` deletes commands that were performed, and outcomes that nobody fetched. Unset: never."
        ),
    ] = 30


class Ai(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers first, and what happens when nobody does."""

    engine: Annotated[
        Literal["builtin", "echo", "none"],
        Meta(description="`builtin` answers from `sources` alone; `echo` repeats; `none`: people only."),
    ] = "builtin"
    sources: Annotated[
        str | None,
        Meta(description="Folder of Markdown that answers are taken from. Unset: the shipped example."),
    ] = None
    first_holder: Annotated[
        Literal["ai", "queue"], Meta(description="Who holds a new conversation; without an engine always `queue`.")
    ] = "ai"
    min_confidence: Annotated[Share, Meta(description="Below it the engine hands off instead of answering.")] = 0.7
    deadline_ms: Annotated[Positive, Meta(description="An answer that takes longer counts as a failure.")] = 8_000
    question_max_chars: Annotated[Positive, Meta(description="A longer question goes to a person.")] = 2_000
    answer_max_sentences: Annotated[Positive, Meta(description="Most sentences that `builtin` answers with.")] = 3
    sentence_max_chars: Annotated[
        Positive,
        Meta(description="Of an answer that is heard while it is written; a longer sentence comes in parts."),
    ] = 400
    concurrency: Annotated[Positive, Meta(description="Questions that are asked at once.")] = 8
    transcript_messages: Annotated[
        Positive, Meta(description="How much of the conversation the engine sees, counted from its end.")
    ] = 40
    breaker_failures: Annotated[
        Positive, Meta(description="Failures in a row after which the engine counts as down.")
    ] = 5
    breaker_reset_ms: Annotated[
        Positive, Meta(description="How long it then rests before one question tries again.")
    ] = 30_000


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What customers see of our decisions."""

    default_queue: Annotated[str, Meta(min_length=1, description="Where conversations wait for an agent.")] = "default"
    handoff_text: Annotated[str, Meta(description="Said when the AI hands over to people. Empty: nothing.")] = (
        "I will pass this on to a colleague, who will answer you here."
    )
    engine_down_text: Annotated[str, Meta(description="Said when the AI engine is down. Empty: nothing.")] = (
        "Thank you for your message. Our automatic answers are unavailable; a colleague will answer you here."
    )
    queue_due_ms: Annotated[
        Positive, Meta(description="How soon somebody should look at a conversation that waits for a person.")
    ] = 900_000
    mark_read: Annotated[
        bool, Meta(description="Tell the customer's channel that we read, once somebody holds it.")
    ] = True


class Media(MediaSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files of customers and ours."""

    url_ttl_s: Annotated[Positive, Meta(description="How long a signed link to a file is good.")] = 900
    unused_ttl_s: Annotated[Positive, Meta(description="An upload that no message uses is deleted after it.")] = 3_600


class ChannelLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs for one channel. Unset: what its provider is known to allow."""

    timeout_ms: Annotated[Positive | None, Meta(description="Time limit of one call.")] = None
    per_second: Annotated[Rate | None, Meta(description="Messages a second, all recipients.")] = None
    pair_per_second: Annotated[Rate | None, Meta(description="Messages a second to one recipient, sustained.")] = None
    pair_burst: Annotated[Positive | None, Meta(description="Messages to one recipient at once.")] = None


class Transport(TransportSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls to providers."""

    channels: Annotated[dict[str, ChannelLimits], Meta(description="Overrides by the channel's id.")] = field(
        default_factory=dict
    )


class Credentials(CredentialSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How access tokens are renewed, for endpoints that log in with OAuth 2.0."""


class Listen(ListenSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sources that we dial or ask ourselves: mailboxes, sockets that a provider opens for us, pulls."""


class Rates(RateSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How calls are spread over time."""


class Guard(GuardSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where URLs that customers or providers supplied may lead."""


class Api(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP API under `/v1`, and the commands that use it or ask what it asks."""

    key_cache_ms: Annotated[Whole, Meta(description="A revoked API key is refused after it at the latest.")] = 3_000
    key_cache_size: Annotated[Positive, Meta(description="API keys that are remembered that long.")] = 1_000
    health_cache_ms: Annotated[Whole, Meta(description="A channel's provider is not asked more often.")] = 5_000
    probe_timeout_ms: Annotated[Positive, Meta(description="Time limit of asking it; `doctor`'s, too.")] = 5_000
    probe_every_s: Annotated[
        Positive, Meta(description="It is asked so often whether all is well; once a minute while it is not.")
    ] = 3_600
    failures_window_ms: Annotated[Positive, Meta(description="How far back a channel's failures are looked for.")] = (
        3_600_000
    )
    failures_shown: Annotated[Positive, Meta(description="How many of them are shown.")] = 10
    send_timeout_ms: Annotated[
        Positive, Meta(description="How long `throughline send` waits for the gateway; its key is good for twice that.")
    ] = 30_000


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines on standard output: ids, numbers and codes; never text or addresses."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="`info` has one line for each item and room."),
    ] = "info"
    format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="`auto`: for people on a terminal, JSON elsewhere."),
    ] = "auto"


class Endpoint(Struct, frozen=True, kw_only=True):
    """A place that one provider's account calls, with what its adapter needs to know."""

    id: EndpointId
    type: str
    settings: EndpointConfig
    channels: tuple[ChannelSpec, ...]

    def __repr__(self) -> str:
        return f"Endpoint(id={self.id!r}, type={self.type!r}, settings=***)"


class Config(Struct, frozen=True, kw_only=True):
    """Everything that the gateway was told. Paths are absolute and `{data_dir}` is filled in."""

    key: Annotated[
        str,
        Meta(
            min_length=32,
            extra={"secret": True},
            description="Encrypts and signs what the store keeps. Outside the database, never changed.",
        ),
    ]
    server: Server = Server()
    store: Store = Store()
    rooms: Rooms = Rooms()
    ai: Ai = Ai()
    policy: Policy = Policy()
    media: Media = Media()
    transport: Transport = Transport()
    credentials: Credentials = Credentials()
    listen: Listen = Listen()
    rates: Rates = Rates()
    guard: Guard = Guard()
    api: Api = Api()
    log: Log = Log()
    endpoints: Annotated[
        dict[EndpointId, Endpoint],
        Meta(description="Where providers call, by a name of your own: `/hooks/{name}`."),
    ] = {}

    def __repr__(self) -> str:
        return f"Config(endpoints={list(self.endpoints)!r}, ...)"

    @property
    def public_url(self) -> str:
        """Never ends in a slash."""
        return (self.server.public_url or f"http://{self.server.host}:{self.server.port}").rstrip("/")

    @property
    def router_policy(self) -> router.policy.Policy:
        return router.policy.Policy(
            first_holder="queue" if self.ai.engine == "none" else self.ai.first_holder,
            default_queue=self.policy.default_queue,
            min_confidence=self.ai.min_confidence,
            handoff_text=self.policy.handoff_text,
            engine_down_text=self.policy.engine_down_text,
            ai_deadline_ms=self.ai.deadline_ms,
            queue_due_ms=self.policy.queue_due_ms,
            mark_read=self.policy.mark_read,
        )

    @property
    def endpoint_of(self) -> dict[ChannelId, Endpoint]:
        return {channel.id: endpoint for endpoint in self.endpoints.values() for channel in endpoint.channels}


SECTIONS: dict[str, type[Any]] = {
    "server": Server, "store": Store, "rooms": Rooms, "ai": Ai, "policy": Policy, "media": Media,
    "transport": Transport, "credentials": Credentials, "listen": Listen, "rates": Rates, "guard": Guard, "api": Api,
    "log": Log,
}  # fmt: skip
