"""Mail through Mailgun's routes.

Setting it up: docs/adapters/mail_mailgun.md. In: parse.py, events.py. Out: SMTP, as all mail.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from adapters._mail.webhook import HookConfig, Postbox
from adapters.base import (
    Carried,
    Flow,
    Outcome,
    RawInbound,
    Registration,
    Reply,
    Secret,
    SendContext,
    Sent,
)
from adapters.mail_mailgun.events import events_of
from adapters.mail_mailgun.parse import is_event, posted_of, with_token
from adapters.mail_mailgun.signature import check
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

TYPE = "mail_mailgun"
CONTENT_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "multipart/form-data"})
MAX_BODY_BYTES = 30_000_000


class Config(HookConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    signing_keys: Annotated[
        tuple[Secret, ...],
        Meta(description="HTTP webhook signing keys; several while one is being replaced."),
    ] = ()
    max_age_s: Annotated[int, Meta(ge=1, description="Older posts are refused. Mailgun repeats one for 8 hours.")] = (
        30_600
    )

    def problems(self) -> Sequence[str]:
        missing = [] if self.signing_keys else ["signing_keys is missing"]
        return [*missing, *self.mail_problems()]


class Mailgun:
    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self._config = config
        self.capabilities = config.able(CONTENT_TYPES, MAX_BODY_BYTES)
        self._postbox = Postbox(endpoint_id, TYPE, config)

    def verify(self, raw: RawInbound) -> Reply | None:
        check(raw, self._config.signing_keys, self._config.max_age_s)
        return None

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        if is_event(raw):
            return events_of(raw, self._postbox)
        posted = posted_of(raw)
        return with_token(self._postbox.read(raw, posted), posted)

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        return [] if is_event(raw) else self._postbox.files(posted_of(raw))

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from self._postbox.send(message, ctx))


REGISTRATION = Registration(type=TYPE, config=Config, build=Mailgun)
