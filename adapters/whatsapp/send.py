"""Envelopes out: the calls of one step, and what their answers mean.

Rule: a message is as many steps as the provider needs messages for it. The whole plan is checked before the first call.
Rule: only the first step answers something (`context`); each has the echo key, so that a receipt names it.
Rule: whether the customer's window is open is the provider's word (131047): its own rule is sometimes kinder than ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Raw

from adapters.base import Flow, NoAnswer, Refused, SendContext, Sent
from adapters.whatsapp import wire
from adapters.whatsapp.api import Api, ask
from adapters.whatsapp.interactive import Content, offered, texts
from adapters.whatsapp.media import Attachment, check, shown_as, with_media
from adapters.whatsapp.people import GROUP, is_user_id
from normalizer.address import Address, Scheme, digits_of
from normalizer.envelope import (
    AddressChange,
    Audio,
    CallEvent,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Edit,
    Envelope,
    Image,
    Location,
    MediaPart,
    MediaRef,
    Message,
    Note,
    Order,
    Part,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Status,
    Sticker,
    Template,
    TemplateComponent,
    TemplateParameter,
    Text,
    Typing,
    Unsupported,
    Video,
    Voice,
)
from normalizer.ids import ExternalId

CAPTION_MAX = 1024
"""Characters."""
ECHO_MAX = 512
"""Characters of `biz_opaque_callback_data`."""
_TYPING = {"typing_indicator": {"type": "text"}}


def send(api: Api, message: Envelope, ctx: SendContext) -> Flow[Sent]:
    match message.body:
        case Message(parts=parts):
            steps = _plan(parts, in_group=_group_of(message, ctx) is not None)
            return (yield from _step(api, message, ctx, steps))
        case Reaction(target=target, emoji=emoji):
            content: Content = {"type": "reaction", "reaction": {"message_id": target, "emoji": emoji or ""}}
            return (yield from _step(api, message, ctx, [content]))
        case Receipt(status=Status.READ | Status.PLAYED, target=target, typing=typing):
            return (yield from _mark(api, ctx, target or ctx.leg.last_inbound, typing))
        case Typing(on=True):
            return (yield from _mark(api, ctx, ctx.leg.last_inbound, True))
        case Typing():
            return Sent()  # it ends by itself, with the answer or after 25 s
        case Receipt() | Edit() | Revoke() | CallEvent() | AddressChange() | SessionEnded() | StateChange():
            raise Refused(f"WhatsApp has no way to send {_kind(message.body)}")
        case Note() | Unsupported():
            raise Refused(f"{_kind(message.body)} is not for customers")


def _step(api: Api, message: Envelope, ctx: SendContext, steps: Sequence[Content]) -> Flow[Sent]:
    if ctx.step >= len(steps):
        return Sent()
    content = yield from with_media(api, steps[ctx.step], ctx.media_urls)
    payload = {**_recipient(message, ctx), **content, "biz_opaque_callback_data": ctx.echo_key[:ECHO_MAX]}
    if ctx.step == 0 and (answers := _answered(message, ctx)) and content["type"] != "reaction":
        payload["context"] = {"message_id": answers}
    accepted = yield from ask(api.post(payload), wire.Accepted)
    ids = tuple(ExternalId(one.id) for one in accepted.messages or () if one.id)
    if not ids:
        raise NoAnswer("accepted without an id")
    return Sent(ids, more=ctx.step + 1 < len(steps))


def _mark(api: Api, ctx: SendContext, target: str | None, typing: bool) -> Flow[Sent]:
    """Marking as read and showing that somebody writes are one call, about a message of the customer."""
    if ctx.step > 0:
        return Sent()
    if target is None:
        raise Refused("there is no message of the customer to mark")
    payload: Content = {"status": "read", "message_id": target, **(_TYPING if typing else {})}
    marked = yield from ask(api.post(payload), wire.Accepted)
    if not marked.success:
        raise NoAnswer("marked without success")
    return Sent()


def _answered(message: Envelope, ctx: SendContext) -> str | None:
    own = message.body.reply_to if isinstance(message.body, Message) else None
    return ctx.reply_to or (own.external_id if own else None)


# --- the recipient ------------------------------------------------------------------------------------------------


def _group_of(message: Envelope, ctx: SendContext) -> str | None:
    address = message.group or ctx.leg.address
    if address.scheme is Scheme.WHATSAPP and address.value.startswith(GROUP):
        return address.value.removeprefix(GROUP)
    return None


def _recipient(message: Envelope, ctx: SendContext) -> Mapping[str, str]:
    """A number goes into `to`, a user id into `recipient`."""
    if group := _group_of(message, ctx):
        return {"recipient_type": "group", "to": group}
    key, value = _person(ctx.leg.address)
    return {"recipient_type": "individual", key: value}


def _person(address: Address) -> tuple[str, str]:
    if address.scheme not in (Scheme.WHATSAPP, Scheme.TEL):
        raise Refused(f"an address of {address.scheme.value} is not reached here")
    if address.scheme is Scheme.WHATSAPP and is_user_id(address.value):
        return "recipient", address.value
    digits = digits_of(address.value)
    if not digits or len(digits) < len(address.value.strip("+")):
        raise Refused("the address is neither a number nor a user id")
    return "to", digits


# --- the plan -----------------------------------------------------------------------------------------------------


def _plan(parts: Sequence[Part], *, in_group: bool) -> list[Content]:
    steps = [step for part in parts for step in _steps(part, in_group)]
    if not steps:
        raise Refused("there is nothing to send")
    return steps


def _steps(part: Part, in_group: bool) -> list[Content]:
    match part:
        case Text(text=body):
            return texts(body)
        case Image() | Audio() | Voice() | Video() | Document() | Sticker():
            return _media(part)
        case Location():
            return [_location(part)]
        case ContactCard():
            return [_card(part)]
        case ChoicesOffered():
            return offered(part, in_group=in_group)
        case Template():
            return [_template(part)]
        case ChoiceMade() | Order():
            raise Refused(f"WhatsApp has no way to send {_kind(part)}")


def _media(part: MediaPart) -> list[Content]:
    kind, caption = _kind_and_caption(part)
    kind = shown_as(kind, part.media)
    more = _filename(kind, part.media)
    if caption and len(caption) <= CAPTION_MAX:
        more, caption = {"caption": caption, **more}, None
    attachment = Attachment(kind=kind, media=part.media, more=more)
    check(attachment)
    return [{"type": kind, kind: attachment}, *(texts(caption) if caption else ())]


def _filename(kind: str, media: MediaRef) -> dict[str, str]:
    return {"filename": media.filename} if kind == "document" and media.filename else {}


def _kind_and_caption(part: MediaPart) -> tuple[str, str | None]:
    match part:
        case Image(caption=caption):
            return "image", caption
        case Video(caption=caption):
            return "video", caption
        case Document(caption=caption):
            return "document", caption
        case Audio() | Voice():
            return "audio", None
        case Sticker():
            return "sticker", None


def _location(part: Location) -> Content:
    place: Content = {"latitude": part.latitude, "longitude": part.longitude}
    place |= {key: value for key in ("name", "address") if (value := getattr(part, key))}
    return {"type": "location", "location": place}


def _card(part: ContactCard) -> Content:
    name = part.name or next(iter(part.phones), "")
    if not name:
        raise Refused("a contact card needs a name or a phone number")
    card: Content = {"name": {"formatted_name": name, "first_name": name}}
    if part.phones:
        card["phones"] = [{"phone": phone} for phone in part.phones]
    if part.emails:
        card["emails"] = [{"email": email} for email in part.emails]
    if part.organization:
        card["org"] = {"company": part.organization}
    return {"type": "contacts", "contacts": [card]}


def _template(part: Template) -> Content:
    template: Content = {"name": part.name, "language": {"code": part.language}}
    if part.components:
        template["components"] = _components(part.components)
    return {"type": "template", "template": template}


def _components(components: Sequence[TemplateComponent]) -> list[Content]:
    shown, buttons = [], 0
    for component in components:
        one: Content = {"type": component.type, "parameters": [_parameter(p) for p in component.parameters]}
        if component.type == "button":
            place = buttons if component.index is None else component.index
            one |= {"sub_type": component.sub_type or "quick_reply", "index": str(place)}
            buttons += 1
        shown.append(one)
    return shown


def _parameter(parameter: TemplateParameter) -> Content:
    kind = parameter.type
    shown: Content = {"type": kind}
    if parameter.name:
        shown["parameter_name"] = parameter.name
    match kind:
        case "text" | "payload" | "coupon_code":
            shown[kind] = parameter.text or ""
        case "image" | "video" | "document":
            if parameter.media is None:
                raise Refused(f"a template's {kind} needs media")
            attachment = Attachment(kind=kind, media=parameter.media, more=_filename(kind, parameter.media))
            check(attachment)
            shown[kind] = attachment
        case "currency" | "date_time" | "location" | "action":
            shown[kind] = Raw(b"{}") if parameter.value is UNSET else parameter.value
    return shown


def _kind(value: Any) -> str:
    return str(value.__struct_config__.tag)
