"""WhatsApp through Meta's Cloud API.

Setting it up: docs/adapters/whatsapp.md. Their format: wire.py. In: parse.py. Out: send.py.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from adapters import _meta
from adapters._http import url_problem
from adapters.base import (
    CallContext,
    Capabilities,
    ChannelSpec,
    Fetched,
    Flow,
    Health,
    Outcome,
    Rates,
    RawInbound,
    Registration,
    Reply,
    Secret,
    SendContext,
    Sent,
    Unauthentic,
)
from adapters.whatsapp.api import Api, account_of, probe
from adapters.whatsapp.media import fetch
from adapters.whatsapp.parse import parse
from adapters.whatsapp.send import send
from normalizer.envelope import Envelope, MediaRef
from normalizer.ids import ChannelId, EndpointId

GRAPH_URL = "https://graph.facebook.com/v24.0"
CAPABILITIES = Capabilities(
    answers="stored",
    ordered=False,
    echo=True,
    window_hours=24,
    marks_read=True,
    shows_typing=True,
    text_limit=4096,
    sends=frozenset(
        {
            "text", "image", "audio", "voice", "video", "document", "sticker", "location", "contact_card",
            "choices_offered", "template",
        }
    ),
    rates=Rates(per_second=80, pair_per_second=1 / 6, pair_burst=45),
)  # fmt: skip


class Number(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several numbers under one app."""

    channel: Annotated[str, Meta(description="Name of the channel.", min_length=1)]
    phone_number_id: Annotated[str, Meta(description="Meta's id of the number.", min_length=1)]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    phone_number_id: Annotated[
        str | None, Meta(description="Meta's id of the number; the short form for one number.")
    ] = None
    numbers: Annotated[
        tuple[Number, ...], Meta(description="Several numbers: a list of `channel` and `phone_number_id`.")
    ] = ()
    waba_id: Annotated[
        str | None, Meta(description="Id of the WhatsApp business account; `doctor` then checks its webhooks.")
    ] = None
    access_token: Annotated[Secret | None, Meta(description="System user token with whatsapp_business_messaging.")] = (
        None
    )
    app_secrets: Annotated[
        tuple[Secret, ...],
        Meta(description="App secrets that sign webhooks; several while one is being replaced."),
    ] = ()
    verify_token: Annotated[Secret | None, Meta(description="The token that you type into Meta's webhook form.")] = None
    graph_url: Annotated[str, Meta(description="Address of the API, with its version.")] = GRAPH_URL

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        if self.numbers:
            return tuple(ChannelSpec(ChannelId(n.channel), n.phone_number_id) for n in self.numbers)
        return (ChannelSpec(ChannelId(endpoint_id), self.phone_number_id),)

    def credentials(self) -> Mapping[str, str]:
        return {"access_token": self.access_token} if self.access_token else {}

    def problems(self) -> Sequence[str]:
        found = [
            f"{key} is missing" for key in ("access_token", "app_secrets", "verify_token") if not getattr(self, key)
        ]
        return [*found, *self._number_problems(), *url_problem("graph_url", self.graph_url, like=GRAPH_URL)]

    def _number_problems(self) -> Sequence[str]:
        if self.phone_number_id and self.numbers:
            return ["phone_number_id and numbers are two ways to say the same: keep one"]
        ids = [number.phone_number_id for number in self.numbers] or [self.phone_number_id or ""]
        if ids == [""]:
            return ["phone_number_id is missing (or numbers, for several)"]
        found = [f"phone_number_id {id_!r} is not a number" for id_ in ids if not _is_digits(id_)]
        if len(set(ids)) < len(ids):
            found.append("numbers names a phone_number_id twice")
        if len({number.channel for number in self.numbers}) < len(self.numbers):
            found.append("numbers names a channel twice")
        return found


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


class WhatsApp:
    capabilities = CAPABILITIES

    def __init__(self, config: Config) -> None:
        self._config = config
        self._signatures = _meta.Signatures(config.app_secrets)

    def verify(self, raw: RawInbound) -> Reply | None:
        match raw.method:
            case "GET":
                return _meta.handshake(raw, self._config.verify_token)
            case "POST":
                self._signatures.check(raw.headers.get("x-hub-signature-256", ""), raw.body)
                return None
            case _:
                raise Unauthentic("only GET and POST")

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        return parse(raw)

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        return (yield from send(self._api(ctx.account, message.account), message, ctx))

    def fetch(self, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
        return (yield from fetch(self._api(ctx.account), media))

    def probe(self, ctx: CallContext) -> Flow[Health]:
        return (yield from probe(self._api(ctx.account), self._config.waba_id))

    def _api(self, *wanted: str | None) -> Api:
        accounts = [number.phone_number_id for number in self._config.numbers]
        if self._config.phone_number_id:
            accounts.append(self._config.phone_number_id)
        return Api(self._config.graph_url, account_of(accounts, *wanted))


def _build(endpoint_id: EndpointId, config: Config) -> WhatsApp:
    return WhatsApp(config)


REGISTRATION = Registration(type="whatsapp", config=Config, build=_build)
