"""What leaves for a visitor: a wake-up. The sockets read the leg's wire from the store, so a repeat does no harm."""

from adapters.base import Flow, PushCall, Refused, SendContext, Sent, TemplateRefused
from adapters.webchat import show, wire
from normalizer.address import Scheme
from normalizer.envelope import (
    AddressChange,
    CallEvent,
    Edit,
    Envelope,
    Message,
    Note,
    Order,
    Part,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Template,
    Typing,
    Unsupported,
)
from normalizer.ids import ExternalId


def send(message: Envelope, ctx: SendContext) -> Flow[Sent]:
    if ctx.leg.address.scheme is not Scheme.WEB:
        raise Refused("the leg is no web chat session")
    if ctx.step > 0:
        return Sent()
    match message.body:
        case Message(parts=parts) | Edit(parts=parts):
            _check(parts)
            yield PushCall()
            return Sent((ExternalId(message.id),))
        case Revoke() | StateChange():
            yield PushCall()
            return Sent((ExternalId(message.id),))
        case Receipt(typing=writing):
            yield PushCall(frame=_typing(message) if writing else b"")
            return Sent()
        case Typing(on=on):
            yield PushCall(frame=_typing(message, on=on))
            return Sent()
        case Reaction() | CallEvent() | AddressChange() | SessionEnded() | Note() | Unsupported() as body:
            raise Refused(f"web chat shows no {type(body).__name__}")


def _check(parts: tuple[Part, ...]) -> None:
    if not parts:
        raise Refused("a message without parts")
    for part in parts:
        if isinstance(part, Template):
            raise TemplateRefused("web chat has no templates")
        if isinstance(part, Order):
            raise Refused("web chat shows no Order")


def _typing(message: Envelope, *, on: bool = True) -> bytes:
    return wire.encode(show.typing(message.author, on=on))
