"""Settings of a web chat endpoint: the single source for validation, masking and the table in the docs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from adapters.base import ChannelSpec, Secret
from normalizer.ids import ChannelId, EndpointId

SECRET_MIN_CHARS = 32
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\Z")

FILE_TYPES = (
    "image/png", "image/jpeg", "image/gif", "image/webp",
    "audio/mpeg", "audio/ogg", "audio/mp4", "audio/wav", "audio/webm",
    "video/mp4", "video/webm", "video/quicktime",
    "application/pdf", "text/plain", "text/csv", "application/zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
)  # fmt: skip
"""No HTML and no SVG: both run scripts when somebody opens them."""

NEVER = frozenset({"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml"})

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One widget."""

    secret: Annotated[Secret, Meta(description="Signs session tokens and attachment ids; 32 characters or more.")]
    previous_secrets: Annotated[
        tuple[Secret, ...],
        Meta(description="Still accepted, never used to sign: `secret` can change while sessions live."),
    ] = ()
    widget_key: Annotated[
        str | None,
        Meta(description="Public name of the widget, the `aud` of identity tokens. Default: the endpoint's name."),
    ] = None
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description="Exact origins of the pages that may load the widget, `https://shop.example`."),
    ] = ()
    allow_no_origin: Annotated[
        bool,
        Meta(description="Also serve callers that send no `Origin` (native apps). `Origin: null` is refused always."),
    ] = False
    identity_secrets: Annotated[
        dict[str, Secret], Meta(description="HS256 secrets of identity tokens by key id; 32 bytes or more each.")
    ] = {}
    user_hash_secret: Annotated[
        Secret | None, Meta(description="Accepts the older `user_hash` as well, which proves less.")
    ] = None
    session_ttl_s: Annotated[Count, Meta(description="A session token lives this long after its last renewal.")] = (
        2_592_000
    )
    hello_ms: Annotated[Count, Meta(description="A socket that said no `hello` by then is closed.")] = 5_000
    text_limit: Annotated[Count, Meta(description="Characters in one message.")] = 4_000
    frame_max_bytes: Annotated[int, Meta(ge=1_024, description="Of one frame or one JSON body.")] = 65_536
    file_max_bytes: Annotated[Count, Meta(description="Of one uploaded file.")] = 20_000_000
    file_types: Annotated[
        tuple[str, ...], Meta(description="Types that may be uploaded, as sniffed from the bytes.")
    ] = FILE_TYPES
    attachment_ttl_s: Annotated[Count, Meta(description="An upload that no message used by then is gone.")] = 3_600
    title: Annotated[str, Meta(max_length=80, description="Heading of the widget.")] = "Chat"
    greeting: Annotated[str | None, Meta(description="Shown before the first message; stored nowhere.")] = None
    colour: Annotated[str, Meta(description="Accent colour of the widget, `#rrggbb`.")] = "#1f5fff"
    messages_per_s: Annotated[Positive, Meta(description="Sustained rate of messages on one socket.")] = 1.0
    messages_burst: Annotated[Count, Meta(description="Messages on one socket that may come at once.")] = 5
    typing_every_s: Annotated[Positive, Meta(description="Typing frames that come faster are dropped.")] = 3.0
    sockets_per_session: Annotated[Count, Meta(description="Sockets of one session that may be open at once.")] = 5
    sockets_per_peer: Annotated[Count, Meta(description="Sockets of one network address that may be open at once.")] = (
        20
    )
    long_poll_max_s: Annotated[int, Meta(ge=0, description="Upper bound of `wait` in GET /events.")] = 25

    def widget(self, endpoint_id: EndpointId) -> str:
        return self.widget_key or endpoint_id

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return (ChannelSpec(ChannelId(endpoint_id), self.widget(endpoint_id)),)

    def credentials(self) -> Mapping[str, str]:
        return {}

    def problems(self) -> Sequence[str]:
        return [*self._secret_problems(), *self._origin_problems(), *self._other_problems()]

    def _secret_problems(self) -> Iterator[str]:
        secrets = {"secret": self.secret, "user_hash_secret": self.user_hash_secret}
        secrets |= {f"previous_secrets[{place}]": value for place, value in enumerate(self.previous_secrets)}
        secrets |= {f"identity_secrets.{kid}": value for kid, value in self.identity_secrets.items()}
        for name, value in secrets.items():
            if value is not None and len(value.encode()) < SECRET_MIN_CHARS:
                yield f"{name}: {SECRET_MIN_CHARS} characters or more are needed"

    def _origin_problems(self) -> Iterator[str]:
        if not self.allowed_origins and not self.allow_no_origin:
            yield "allowed_origins: name the site that shows the widget (or set allow_no_origin)"
        for origin in self.allowed_origins:
            if not is_origin(origin):
                yield f"allowed_origins: {origin!r} is no origin such as https://shop.example (no path, lower case)"

    def _other_problems(self) -> Iterator[str]:
        if self.widget_key is not None and not _KEY.match(self.widget_key):
            yield "widget_key: 1 to 64 letters, digits, `-`, `_` or `.`"
        if not _COLOUR.match(self.colour):
            yield "colour: #rrggbb"
        if refused := sorted(NEVER.intersection(self.file_types)):
            yield f"file_types: {', '.join(refused)} can run scripts in a browser"


def is_origin(text: str) -> bool:
    """Whether it is written exactly as a browser writes it."""
    try:
        parts = urlsplit(text)
        default = {"http": 80, "https": 443}[parts.scheme]
        port = parts.port
    except (ValueError, KeyError):
        return False
    if not parts.hostname or port == default:
        return False
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return text == f"{parts.scheme}://{host}" + (f":{port}" if port else "") and text.isascii()
