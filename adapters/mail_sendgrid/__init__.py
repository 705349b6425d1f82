"""Mail through Twilio SendGrid's Inbound Parse.

Setting it up: docs/adapters/mail_sendgrid.md. In: parse.py, events.py. Out: SMTP, as all mail.
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
    SendContext,
    Sent,
)
from adapters.mail_sendgrid.events import events_of
from adapters.mail_sendgrid.parse import is_event, posted_of
from adapters.mail_sendgrid.signature import Keys
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

TYPE = "mail_sendgrid"
CONTENT_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded", "multipart/form-data"})
MAX_BODY_BYTES = 35_000_000
ECHO_WAIT_MS = 45_000
"""Events are posted every 30 s, together (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event)."""


class Config(HookConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verification_keys: Annotated[
        tuple[str, ...],
        Meta(description="Public keys of the security policy; several while one is being replaced."),
    ] = ()

    def problems(self) -> Sequence[str]:
        missing = [] if self.verification_keys else ["verification_keys is missing"]
        return [*missing, *Keys(self.verification_keys).problems, *self.mail_problems()]


class SendGrid:
    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self._keys = Keys(config.verification_keys)
        self.capabilities = config.able(CONTENT_TYPES, MAX_BODY_BYTES, echo_wait_ms=ECHO_WAIT_MS)
        self._postbox = Postbox(endpoint_id, TYPE, config)

    def verify(self, raw: RawInbound) -> Reply | None:
        self._keys.check(raw)
        return None

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        if is_event(raw):
            return events_of(raw, self._postbox)
        return self._postbox.read(raw, posted_of(raw))

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        return [] if is_event(raw) else self._postbox.files(posted_of(raw))

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from self._postbox.send(message, ctx))


REGISTRATION = Registration(type=TYPE, config=Config, build=SendGrid)
