"""Envelopes out: the calls of one step, and what their answers mean.

Rule: a message is as many steps as Twilio needs messages for it. The whole plan is checked before the first call.
Rule: there is no idempotency key: the status callback's URL has our echo key and, behind `#`, what lets it be repeated.
Rule: whether the customer's window is open, and who has opted out, is Twilio's word (63016, 21610).
See https://www.twilio.com/docs/messaging/api/message-resource
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from adapters import base
from adapters._plain import coordinates, link, plain
from adapters._twilio import addressed, ask
from adapters._twilio_codes import CODES, refusal
from adapters._twilio_content import Content, create, offered
from adapters._twilio_messages import NOT_OUT, taken
from adapters.base import Flow, Refused, SendContext, Sent
from adapters.twilio_messaging.config import RCS, Config, between, on_whatsapp
from adapters.twilio_messaging.parse import ECHO
from normalizer import envelope as e
from normalizer.ids import ExternalId
from normalizer.text import split

TEXT_MAX = 1600
"""Characters, like all limits of texts here."""
MAX_BYTES = {True: 16_000_000, False: 5_000_000}
"""Of a file on WhatsApp, and of an MMS."""


class _Made(Struct, frozen=True):
    sid: str | None = None
    status: str | None = None
    error_code: int | None = None


Step = dict[str, str] | Content
"""Fields of a message, or its content."""


def send(config: Config, account: str, message: e.Envelope, ctx: SendContext) -> Flow[Sent]:
    match message.body:
        case e.Message():
            return (yield from _step(config, account, ctx, _plan(config, account, message, ctx)))
        case e.Receipt(status=e.Status.READ | e.Status.PLAYED, target=target):
            return (yield from _indicate(config, account, ctx, target))
        case e.Typing(on=on):
            return (yield from _indicate(config, account, ctx, None)) if on else Sent()  # it ends by itself
        case e.Reaction() | e.Receipt() | e.Edit() | e.Revoke() | e.CallEvent() | e.AddressChange() | e.SessionEnded():
            raise Refused(f"Twilio has no way to send {message.body.__struct_config__.tag}")
        case e.StateChange() | e.Note() | e.Unsupported():
            raise Refused(f"{message.body.__struct_config__.tag} is not for customers")


def find(config: Config, account: str, message: e.Envelope, ctx: SendContext, since: datetime) -> Flow[list[str]]:
    """Equal messages to this person. What a template says is not known here."""
    step = dict(enumerate(_plan(config, account, message, ctx))).get(ctx.step, {})
    fields = {"Body": step.types[next(iter(step.types))]["body"]} if isinstance(step, Content) else step
    if not fields or "ContentSid" in fields:
        return []
    rows = yield from taken(config.api(), between(account, ctx.leg.address) | fields, since)
    return [str(row["sid"]) for row in rows]


def _step(config: Config, account: str, ctx: SendContext, steps: Sequence[Step]) -> Flow[Sent]:
    fields = between(account, ctx.leg.address)
    if not steps:
        raise Refused("there is nothing to send")
    if ctx.step >= len(steps):
        return Sent()
    step = steps[ctx.step]
    if isinstance(step, Content):
        step = {"ContentSid": (yield from create(config.api(), config.content_url, step, ctx.echo_key))}
    fields |= step
    if hook := addressed(ctx.hook_url, "", config.public_url):
        _, mark, overrides = (config.public_url or "").partition("#")
        fields["StatusCallback"] = f"{hook}?{urlencode({ECHO: ctx.echo_key})}{mark}{overrides}"
    made = yield from ask(config.api().post(config.api().url("/Messages.json"), fields), _Made, CODES)
    if made.error_code or made.status in NOT_OUT:
        raise refusal(made.error_code)
    if not made.sid:
        raise base.NoAnswer("accepted without an id")
    return Sent((ExternalId(made.sid),), more=ctx.step + 1 < len(steps))


def _indicate(config: Config, account: str, ctx: SendContext, target: str | None) -> Flow[Sent]:
    """On WhatsApp one call marks as read and shows that somebody writes; elsewhere there is neither."""
    if ctx.step > 0 or not config.indicators or not on_whatsapp(account, ctx.leg.address):
        return Sent()
    shown = {"channel": "WHATSAPP", "messageId": target or ctx.leg.last_inbound}
    if shown["messageId"] is None:
        raise Refused("there is no message of the customer to mark")
    call = config.api().post_json(f"{config.messaging_url}/v3/Indicators/Typing.json", shown)
    if (yield from ask(call, dict[str, Any], CODES)).get("success") is not True:
        raise base.NoAnswer("marked without success")
    return Sent()


def _plan(config: Config, account: str, message: e.Envelope, ctx: SendContext) -> Sequence[Step]:
    parts = message.body.parts if isinstance(message.body, e.Message) else ()
    return [step for part in parts for step in _steps(config, account, message, ctx, part)]


def _steps(config: Config, account: str, message: e.Envelope, ctx: SendContext, part: e.Part) -> Sequence[Step]:
    whatsapp = on_whatsapp(account, ctx.leg.address)
    match part:
        case e.Image() | e.Audio() | e.Voice() | e.Video() | e.Document() | e.Sticker():
            return _media(part, ctx.media_urls, MAX_BYTES[whatsapp])
        case e.Location() if whatsapp:
            where, name = coordinates(part), ", ".join(filter(None, (part.name, part.address)))[:TEXT_MAX]
            return [{"Body": name or where, "PersistentAction": f"geo:{where}|{name.replace('|', ' ')}".rstrip("|")}]
        case e.ChoicesOffered() if (whatsapp or account.startswith(RCS)) and (content := offered(part, message.locale)):
            return [content]
        case e.Template():
            return [_template(config.templates, part, ctx.media_urls)]
        case _:
            return [{"Body": piece} for piece in split(plain(part, ctx.media_urls), TEXT_MAX)]


def _media(part: e.MediaPart, urls: Mapping[str, str], limit: int) -> list[Step]:
    if part.media.size is not None and part.media.size > limit:
        raise base.MediaFailed(f"{part.media.size} bytes; the limit is {limit}")
    caption, *rest = split(getattr(part, "caption", None) or "", TEXT_MAX) or [""]
    first = {"MediaUrl": link(part.media, urls)} | ({"Body": caption} if caption else {})
    return [first, *({"Body": text} for text in rest)]


def _template(known: Mapping[str, str], template: e.Template, urls: Mapping[str, str]) -> Step:
    """Variables by name, or counted from 1 in their order, as Twilio numbers them."""
    sid = known.get(f"{template.name}/{template.language}") or known.get(template.name) or template.name
    if not sid.startswith("HX"):
        raise base.TemplateRefused("no template of this name is configured")
    values: dict[str, str] = {}
    for parameter in (given for component in template.components for given in component.parameters):
        value = link(parameter.media, urls) if parameter.media else parameter.text
        if value is None:
            raise base.TemplateRefused(f"a variable of type {parameter.type} needs a text")
        values[parameter.name or str(len(values) + 1)] = value
    return {"ContentSid": sid} | ({"ContentVariables": json.dumps(values)} if values else {})
