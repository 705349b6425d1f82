"""A plain SMS provider: forms both ways, with names of fields that are settings. The example of CONTRIBUTING.md."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters import base
from adapters._http import FORM, accepted_id, check_hmac, form_fields, post_form
from adapters._plain import SAYS, envelope, known_by, texts
from normalizer import envelope as e
from normalizer.address import Address, Scheme
from normalizer.ids import ChannelId, EndpointId, ExternalId

NAMES = ("id", "from", "to", "text", "status", "ref")
STATUSES = ("sent", "delivered", "failed")
TEXT_MAX = 1600


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[str, Meta(description="Our number, as the provider writes it.", min_length=1)]
    token: Annotated[base.Secret, Meta(description="Bearer token of calls.")]
    secret: Annotated[base.Secret, Meta(description="Signs webhooks: hex HMAC-SHA256 of the body, in `x-signature`.")]
    url: Annotated[str, Meta(description="Where to send.", pattern=r"^https?://\S+$")] = "http://127.0.0.1:8080/send"
    fields: Annotated[dict[str, str], Meta(description="Our `id from to text status ref`, and their names.")] = {}
    statuses: Annotated[dict[str, str], Meta(description="Their words for our `sent delivered failed`.")] = {}

    def channels(self, endpoint_id: EndpointId) -> tuple[base.ChannelSpec, ...]:
        return (base.ChannelSpec(ChannelId(endpoint_id), self.number),)

    def credentials(self) -> Mapping[str, str]:
        return {"token": self.token}

    def problems(self) -> Sequence[str]:
        odd = [f"fields: {name!r} is none of {', '.join(NAMES)}" for name in self.fields if name not in NAMES]
        return odd + [f"statuses: {word!r} is none of ours" for word in self.statuses.values() if word not in STATUSES]


class SmsHttp:
    capabilities = base.Capabilities(echo=True, text_limit=TEXT_MAX, sends=SAYS, content_types=frozenset({FORM}))

    def __init__(self, endpoint_id: EndpointId, config: Config) -> None:
        self._config, self._names = config, {name: config.fields.get(name, name) for name in NAMES}

    def verify(self, raw: base.RawInbound) -> None:
        check_hmac(raw, self._config.secret, "x-signature")

    def respond(self, raw: base.RawInbound, outcome: base.Outcome | None) -> base.Reply:
        return base.Reply(200)

    def parse(self, raw: base.RawInbound) -> Sequence[e.Envelope]:
        given = form_fields(raw)
        id_, sender, to, text, word, ref = (given.get(theirs, "") for theirs in self._names.values())
        status, number = self._config.statuses.get(word, word), to if word else sender
        who = Address(Scheme.TEL, number) if number else None
        body: e.Body = e.Unsupported(what=f"status:{word[:40]}" if word else "sender", visible=not word)
        if status in STATUSES and id_:
            failed = e.Failure("refused", "the provider says so", word[:40]) if status == "failed" else None
            body = e.Receipt(status=e.Status(status), target=ExternalId(id_), recipient=who, failure=failed)
        elif who and not word:
            body = e.Message(parts=(e.Text(text),))
        key = (f"status:{id_}:{word}" if word else id_) if id_ else None
        facts: dict[str, Any] = {"party": known_by(who), "account": self._config.number}
        facts |= {"echo_key": ref or None} if word else {"external_id": ExternalId(id_) if id_ else None}
        return [envelope(raw, "sms_http", body, given, key=key, **facts)]

    def send(self, message: e.Envelope, ctx: base.SendContext) -> base.Flow[base.Sent]:
        steps, to = texts(message.body, ctx.media_urls, TEXT_MAX), ctx.leg.address
        if ctx.step >= len(steps):
            return base.Sent()
        if to.scheme is not Scheme.TEL:
            raise base.Refused("only numbers can be reached")
        form = {"from": self._config.number, "to": to.value, "text": steps[ctx.step], "ref": ctx.echo_key}
        fields = {self._names[name]: value for name, value in form.items()}
        reply = yield post_form(self._config.url, fields, base.Auth("token"))
        return base.Sent((accepted_id(reply, self._names["id"]),), more=ctx.step + 1 < len(steps))


REGISTRATION = base.Registration(type="sms_http", config=Config, build=SmsHttp)
