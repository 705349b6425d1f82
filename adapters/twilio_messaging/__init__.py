"""SMS, MMS, WhatsApp and RCS through Twilio's Messaging API.

Setting it up: docs/adapters/twilio_messaging.md. In: parse.py. Out: send.py. What was missed: pull.py.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from adapters import _twilio, _twilio_media, base
from adapters._twilio_account import probe
from adapters.base import Flow, RawInbound
from adapters.twilio_messaging import pull
from adapters.twilio_messaging.config import WHATSAPP, Config
from adapters.twilio_messaging.parse import CHANNEL_TYPE, parse
from adapters.twilio_messaging.send import TEXT_MAX, find, send
from normalizer.envelope import Envelope, MediaRef
from normalizer.ids import EndpointId, ExternalId

CAPABILITIES = base.Capabilities(
    ordered=False,
    echo=True,
    text_limit=TEXT_MAX,
    sends=frozenset({"text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
                     "choices_offered", "template"}),
    content_types=frozenset({_twilio.FORM, "application/json"}),
)  # fmt: skip


class TwilioMessaging:
    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self._config = config
        self._signatures = _twilio.Signatures(config.auth_tokens)
        self._api = config.api()
        self._accounts = tuple(config.accounts(endpoint_id).values())
        whatsapp = [account.startswith(WHATSAPP) for account in self._accounts]
        shows, hours = any(whatsapp) and config.indicators, 24 if all(whatsapp) else None
        self.capabilities = replace(CAPABILITIES, window_hours=hours, marks_read=shows, shows_typing=shows)

    @property
    def sources(self) -> tuple[base.PullSource, ...]:
        return (base.PullSource(name="messages", every_s=self._config.pull_every_s),)

    def verify(self, raw: RawInbound) -> None:
        self._signatures.check(raw, _twilio.signed_url(raw, self._config.public_url))

    def respond(self, raw: RawInbound, outcome: base.Outcome | None) -> base.Reply:
        return _twilio.NOTHING

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return parse(raw, self._accounts)

    def send(self, message: Envelope, ctx: base.SendContext) -> Flow[base.Sent]:
        return (yield from send(self._config, self._account(message, ctx), message, ctx))

    def find(self, message: Envelope, ctx: base.SendContext, since: datetime) -> Flow[Sequence[ExternalId]]:
        found = yield from find(self._config, self._account(message, ctx), message, ctx, since)
        return [ExternalId(sid) for sid in found]

    def _account(self, message: Envelope, ctx: base.SendContext) -> str:
        account = ctx.account or message.account or (self._accounts[0] if len(self._accounts) == 1 else None)
        if account is None:
            raise base.Refused("several senders, and none of them is named")
        return account

    def fetch(self, media: MediaRef, ctx: base.CallContext) -> Flow[base.Fetched]:
        return (yield from _twilio_media.fetch(self._api, media))

    def pull(self, name: str, cursor: str | None, ctx: base.CallContext) -> Flow[base.Pulled]:
        return (yield from pull.pull(self._api, self._accounts, cursor, ctx.now))

    def probe(self, ctx: base.CallContext) -> Flow[base.Health]:
        return (yield from probe(self._api))


REGISTRATION = base.Registration(type=CHANNEL_TYPE, config=Config, build=TwilioMessaging)
