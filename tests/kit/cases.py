"""A case is data: a label that says the fact, what goes in, what must come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from adapters.base import Adapter, NoAnswer, NotReached, RawInbound, Registration, Reply, SendContext
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

ENDPOINT = EndpointId("endpoint")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOOK_URL = "https://gateway.example.org/hooks/endpoint"
FORM = "application/x-www-form-urlencoded"
Origin = Literal["webhook", "live", "dialled", "pulled"]


Fields = Mapping[str, str | Sequence[str]] | Sequence[tuple[str, str]]
"""Of a form; a name that occurs several times has several values."""


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
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of every raw that is no other case's: `origin`, `session`, `headers` ..."""
    hook_url: str = HOOK_URL

    @cached_property
    def adapter(self) -> Adapter:
        return self.registration.build(self.endpoint_id, self.config)

    def __str__(self) -> str:
        return self.registration.type

    def raw(
        self, body: bytes, *, id: str = "raw-1", headers: Mapping[str, str] | None = None, **facts: Any
    ) -> RawInbound:
        """A signed POST. With `headers`: exactly those, and no signature; `facts`: whatever else a RawInbound has.

        Headers that are to stand beside the signature are `facts["beside"]`, or the subject's own `facts["headers"]`.
        """
        given = {"origin": "webhook", **self.facts, **facts}
        beside = {**given.pop("headers", {}), **given.pop("beside", {})}
        raw = RawInbound(
            id=id, endpoint_id=self.endpoint_id, received_at=NOW, body=body, **{"headers": beside, **given}
        )
        if not raw.public_url:
            url = self.hook_url + raw.path + (f"?{raw.query}" if raw.query else "")
            raw = msgspec.structs.replace(raw, public_url=url)
        if headers is None:
            headers = {**beside, **(self.sign(raw) if raw.origin in ("webhook", "live") else {})}
        return msgspec.structs.replace(raw, headers=dict(headers))


@dataclass(frozen=True)
class InboundCase:
    label: str
    body: bytes
    want: Sequence[Mapping[str, Any]]
    """The envelopes as JSON, without `id` and `raw`."""
    method: str | None = None
    """None, here and below: as the subject's facts have it."""
    path: str | None = None
    query: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that prove who sent it."""
    origin: Origin | None = None
    public_url: str | None = None

    def __str__(self) -> str:
        return self.label

    def facts(self) -> dict[str, Any]:
        """For `Subject.raw`, which signs it when it is to be verified."""
        names = ("method", "path", "query", "origin", "public_url")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**given, "beside": self.headers}


def form_case(label: str, fields: Fields, want: Sequence[Mapping[str, Any]], **facts: Any) -> InboundCase:
    """The body of an HTML form, blank values kept."""
    headers = {"content-type": FORM, **facts.pop("headers", {})}
    return InboundCase(label, form(fields), want, headers=headers, **facts)


def form(fields: Fields) -> bytes:
    return urlencode(fields, doseq=True).encode()


Answer = Reply | NoAnswer | NotReached
"""What a call gets: a reply, or the exception that the transport throws in."""


@dataclass(frozen=True)
class OutboundCase:
    label: str
    message: Envelope
    context: SendContext
    replies: Sequence[Answer]
    calls: Sequence[Mapping[str, Any]]
    """Each with `method`, `url` and `json`, `form` or `upload`, or with `sender` and `recipients`; whatever else is
    named (`auth`, `headers`, `message`, `attachments` ...) must be there too."""
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
