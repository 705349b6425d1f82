"""Mail through Amazon SES, which hands it to an SNS topic that posts it here.

Setting it up: docs/adapters/mail_ses.md. In: parse.py, events.py. Out: SMTP, as all mail.
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
from adapters.mail_ses.parse import events_of, posted_of
from adapters.mail_ses.signature import Signatures
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

TYPE = "mail_ses"
CONTENT_TYPES = frozenset({"application/json", "text/plain"})


class Config(HookConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    topic_arns: Annotated[
        tuple[str, ...], Meta(description="ARNs of the SNS topics that are ours; others are refused.")
    ] = ()
    signing_certificates: Annotated[
        tuple[str, ...],
        Meta(description="Certificates that SNS signs with (PEM); several while Amazon replaces one."),
    ] = ()

    def problems(self) -> Sequence[str]:
        missing = [f"{key} is missing" for key in ("topic_arns", "signing_certificates") if not getattr(self, key)]
        odd = [f"topic_arns: {arn!r} is no ARN of SNS" for arn in self.topic_arns if not arn.startswith("arn:aws")]
        return [*missing, *odd, *Signatures((), self.signing_certificates).problems, *self.mail_problems()]


class Ses:
    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self._signatures = Signatures(config.topic_arns, config.signing_certificates)
        self.capabilities = config.able(CONTENT_TYPES)
        self._postbox = Postbox(endpoint_id, TYPE, config)

    def verify(self, raw: RawInbound) -> Reply | None:
        self._signatures.check(raw)
        return None

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        posted = posted_of(raw)
        return events_of(raw, self._postbox) if posted is None else self._postbox.read(raw, posted)

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        posted = posted_of(raw)
        return [] if posted is None else self._postbox.files(posted)

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from self._postbox.send(message, ctx))


REGISTRATION = Registration(type=TYPE, config=Config, build=Ses)
