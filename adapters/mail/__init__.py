"""A mailbox of ours: read over IMAP, written from over SMTP.

Setting it up: docs/adapters/mail.md. What a mail says and means: adapters/_mail, for all adapters that carry mail.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from adapters._mail.compose import REFERENCES_MAX
from adapters._mail.content import SENDS
from adapters._mail.sending import send, sender_of
from adapters.base import (
    Capabilities,
    Carried,
    Flow,
    Outcome,
    RawInbound,
    Refused,
    Registration,
    Reply,
    SendContext,
    Sent,
    Source,
    Unauthentic,
)
from adapters.mail.config import Config
from adapters.mail.parse import TYPE, files, parse
from normalizer.envelope import Envelope
from normalizer.ids import EndpointId

CAPABILITIES = Capabilities(answers="stored", echo=True, text_limit=100_000, sends=SENDS, heavy=True,
                            recalls=REFERENCES_MAX)  # fmt: skip


class MailAdapter:
    def __init__(self, config: Config) -> None:
        self._config = config.completed()
        self.capabilities = replace(CAPABILITIES, automatic_per_hour=config.automatic_per_hour)

    @property
    def sources(self) -> tuple[Source, ...]:
        source = self._config.source
        return (source,) if source is not None else ()

    def verify(self, raw: RawInbound) -> Reply | None:
        """Nobody posts a mail here: it is fetched by a connection that we made."""
        raise Unauthentic("mails are fetched, not posted")

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return parse(raw, self._config)

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        return files(raw, self._config.limits)

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        config = self._config
        if config.account is None or not config.token_keys:
            raise Refused("addresses and token_keys are needed to send")
        sender = sender_of(config, config.account, config.token_keys[0], login=config.smtp_login)
        return (yield from send(message, ctx, sender))


def _build(endpoint_id: EndpointId, config: Config) -> MailAdapter:
    return MailAdapter(config)


REGISTRATION = Registration(type=TYPE, config=Config, build=_build)
