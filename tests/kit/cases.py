"""A case is data: a label that says the fact, what goes in, what must come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec

from adapters.base import Adapter, NoAnswer, NotReached, RawInbound, Registration, Reply, SendContext
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

ENDPOINT = EndpointId("endpoint")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Subject:
    """The adapter under test."""

    registration: Registration
    config: Any
    sign: Callable[[RawInbound], Mapping[str, str]]
    """The headers that prove that the provider sent it."""
    secrets: Sequence[str]
    """What must never be seen in envelopes, calls, errors and answers."""
    endpoint_id: EndpointId = ENDPOINT

    @cached_property
    def adapter(self) -> Adapter:
        return self.registration.build(self.endpoint_id, self.config)

    def raw(self, body: bytes, *, id: str = "raw-1", headers: Mapping[str, str] | None = None) -> RawInbound:
        """A signed POST, unless headers are given."""
        raw = RawInbound(id=id, endpoint_id=self.endpoint_id, origin="webhook", received_at=NOW, body=body)
        signed = self.sign(raw) if headers is None else headers
        return msgspec.structs.replace(raw, headers=dict(signed))


@dataclass(frozen=True)
class InboundCase:
    label: str
    body: bytes
    want: Sequence[Mapping[str, Any]]
    """The envelopes as JSON, without `id` and `raw`."""

    def __str__(self) -> str:
        return self.label


Answer = Reply | NoAnswer | NotReached
"""What a call gets: a reply, or the exception that the transport throws in."""


@dataclass(frozen=True)
class OutboundCase:
    label: str
    message: Envelope
    context: SendContext
    replies: Sequence[Answer]
    calls: Sequence[Mapping[str, Any]]
    """Each with `method`, `url` and `json` or `upload`; whatever else is named must be there too."""
    ids: Sequence[str] = ()
    error: Mapping[str, Any] = field(default_factory=dict)
    """`class`, and whichever of `code`, `retryable`, `certain`, `provider_code`, `retry_after_s`, `scope` matter."""

    def __str__(self) -> str:
        return self.label


def given_reply(given: Mapping[str, Any]) -> Answer:
    """From a fixture: `status`, `headers`, and `json` or `body`; status 0 is a call that got no answer."""
    if given["status"] == 0:
        return NoAnswer("no answer came in time")
    body = msgspec.json.encode(given["json"]) if "json" in given else given.get("body", "").encode()
    return Reply(given["status"], given.get("headers", {}), body)
