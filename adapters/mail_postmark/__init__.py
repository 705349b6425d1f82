"""Mail through Postmark's inbound webhook.

Setting it up: docs/adapters/mail_postmark.md. In: parse.py, events.py. Out: SMTP, as all mail.
"""

import hmac
from base64 import b64encode
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
    Unauthentic,
)
from adapters.mail_postmark.events import HEADERS, events_of, kind_of
from adapters.mail_postmark.parse import posted_of
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

TYPE = "mail_postmark"
CONTENT_TYPES = frozenset({"application/json"})
MAX_BODY_BYTES = 50_000_000


class Config(HookConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hook_user: Annotated[str, Meta(description="User name in the webhook's URL.", min_length=1)] = "postmark"
    hook_passwords: Annotated[
        tuple[Secret, ...],
        Meta(description="Password in the webhook's URL; several while one is being replaced."),
    ] = ()

    def problems(self) -> Sequence[str]:
        missing = [] if self.hook_passwords else ["hook_passwords is missing"]
        colon = ["hook_user may not hold a colon"] if ":" in self.hook_user else []
        return [*missing, *colon, *self.mail_problems()]


class Postmark:
    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        pairs = [f"{config.hook_user}:{password}".encode() for password in config.hook_passwords]
        self._accepted = [b"Basic " + b64encode(pair) for pair in pairs]
        self.capabilities = config.able(CONTENT_TYPES, MAX_BODY_BYTES)
        self._postbox = Postbox(endpoint_id, TYPE, config, HEADERS)

    def verify(self, raw: RawInbound) -> Reply | None:
        """HTTP Basic (RFC 7617): Postmark signs nothing."""
        if raw.method != "POST":
            raise Unauthentic("only POST")
        given = raw.headers.get("authorization", "").encode("utf-8", "surrogatepass")
        fits = False
        for accepted in self._accepted:
            fits |= hmac.compare_digest(accepted, given)
        if not fits:
            raise Unauthentic("no credentials of ours")
        return None

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return events_of(raw, self._postbox) if kind_of(raw) else self._postbox.read(raw, posted_of(raw))

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        return [] if kind_of(raw) else self._postbox.files(posted_of(raw))

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from self._postbox.send(message, ctx))


REGISTRATION = Registration(type=TYPE, config=Config, build=Postmark)
