"""What an adapter is configured with, and the line of REGISTRY that it becomes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from adapters.base.contract import Adapter
from normalizer.ids import ChannelId, EndpointId

Secret = Annotated[str, Meta(extra={"secret": True}, min_length=1)]
"""A setting that is masked wherever it could be shown, and may come from a file (`*_FILE`)."""


class Grant(Struct, frozen=True, kw_only=True):
    """An OAuth 2.0 grant: the gateway gets access tokens for it, and renews them in time (RFC 6749 §4.4, §6)."""

    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str | None = None
    """None: the client's own grant (`client_credentials`)."""
    scope: str = ""


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

    def credentials(self) -> "Mapping[str, str | Grant]":
        """By the names that `Auth` and `Login` use."""
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
