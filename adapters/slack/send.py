"""Envelopes out: the calls of one step, and what their answers mean.

Rule: a message is as many steps as Slack needs messages for it. The whole plan is checked before the first call.
Rule: each message carries our key in its metadata: it comes back with the message's own event.
Rule: an answer goes into the thread of the leg; below a message of a channel, it does not fill the channel.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from adapters.base import (
    CredentialsRefused,
    Flow,
    MediaFailed,
    NoAnswer,
    Refused,
    SendContext,
    SendError,
    Sent,
    TemplateRefused,
)
from adapters.slack import wire
from adapters.slack.api import Api, ask
from adapters.slack.blocks import Content, offered, texts
from adapters.slack.events import ECHO_EVENT
from adapters.slack.files import FileOut, check, upload
from adapters.slack.mrkdwn import name_of
from adapters.slack.people import message_id, place_of
from normalizer.address import Scheme
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
    Message,
    Note,
    Order,
    Part,
    Reaction,
    Receipt,
    Revoke,
    SessionEnded,
    StateChange,
    Sticker,
    Template,
    Text,
    Typing,
    Unsupported,
    Video,
    Voice,
)
from normalizer.ids import ExternalId

T = TypeVar("T")
Step = Content | FileOut


def send(api: Api, message: Envelope, ctx: SendContext, our_user: str | None) -> Flow[Sent]:
    match message.body:
        case Message(parts=parts):
            return (yield from _step(api, message, ctx, plan(parts)))
        case Edit(target=target, parts=parts):
            return (yield from _once(ctx, _edit(api, target, parts)))
        case Revoke(target=target):
            return (yield from _once(ctx, _revoke(api, target)))
        case Reaction(target=target, emoji=str(emoji)):
            return (yield from _once(ctx, _beside(_react(api, target, emoji), Refused)))
        case Reaction(target=target):
            return (yield from _once(ctx, _beside(_unreact(api, target, our_user), Refused)))
        case Receipt() | Typing() | CallEvent() | AddressChange() | SessionEnded() | StateChange():
            raise Refused(f"Slack has no way to send {_kind(message.body)}")
        case Note() | Unsupported():
            raise Refused(f"{_kind(message.body)} is not for customers")


def _once(ctx: SendContext, flow: Flow[None]) -> Flow[Sent]:
    if ctx.step == 0:
        yield from flow
    else:
        flow.close()
    return Sent()


# --- messages -----------------------------------------------------------------------------------------------------


def _step(api: Api, message: Envelope, ctx: SendContext, steps: Sequence[Step]) -> Flow[Sent]:
    if ctx.step >= len(steps):
        return Sent()
    step, channel, thread = steps[ctx.step], channel_of(message, ctx), ctx.leg.native_thread
    if isinstance(step, FileOut):
        id = yield from _beside(_file(api, step, channel, thread), MediaFailed)
    else:
        id = yield from _post(api, {"channel": channel, "thread_ts": thread, **step, **_metadata(ctx)})
    return Sent((id,), more=ctx.step + 1 < len(steps))


def _file(api: Api, step: FileOut, channel: str, thread: str | None) -> Flow[ExternalId]:
    conversation = yield from conversation_of(api, channel)
    return (yield from upload(api, step, conversation, thread))


def _beside(flow: Flow[T], make: type[SendError]) -> Flow[T]:
    """What texts do not need: when the permission for it is missing, they go on."""
    try:
        return (yield from flow)
    except CredentialsRefused as error:
        if error.provider_code != "missing_scope":
            raise
        raise make(error.text, provider_code=error.provider_code) from None


def _post(api: Api, payload: Content) -> Flow[ExternalId]:
    posted = yield from ask(api.post("chat.postMessage", payload), wire.Posted, recipient=True)
    id = message_id(posted.channel, posted.ts)
    if id is None:
        raise NoAnswer("accepted without an id")
    return id


def _metadata(ctx: SendContext) -> Mapping[str, Any]:
    if not ctx.echo_key:
        return {}
    return {"metadata": {"event_type": ECHO_EVENT, "event_payload": {"echo_key": ctx.echo_key}}}


def channel_of(message: Envelope, ctx: SendContext) -> str:
    """A conversation, or a person: Slack opens the direct message itself. The one he wrote in is known better."""
    address = message.group or ctx.leg.address
    if address.scheme is not Scheme.SLACK:
        raise Refused(f"an address of {address.scheme.value} is not reached here")
    id = address.value.rpartition("/")[2]
    if not id:
        raise Refused("the address names nobody")
    if not _is_person(id) or not ctx.leg.last_inbound:
        return id
    channel = ctx.leg.last_inbound.partition(":")[0]
    return channel if channel.startswith("D") else id


def _is_person(id: str) -> bool:
    return id.startswith(("U", "W"))


def conversation_of(api: Api, channel: str) -> Flow[str]:
    """Files go to conversations only."""
    if not _is_person(channel):
        return channel
    try:
        opened = yield from ask(api.post("conversations.open", {"users": channel}), wire.Opened, recipient=True)
    except SendError as error:
        error.certain = True  # nothing was said yet
        raise
    if opened.channel is None or not opened.channel.id:
        raise NoAnswer("opened without an id", certain=True)
    return opened.channel.id


# --- changes ------------------------------------------------------------------------------------------------------


def _edit(api: Api, target: str, parts: Sequence[Part]) -> Flow[None]:
    channel, ts = _place(target)
    steps = plan(parts)
    if len(steps) > 1 or isinstance(steps[0], FileOut):
        raise Refused("an edited message must be one text of at most 4,000 characters")
    content = {"blocks": [], **steps[0]}  # the buttons of before go, unless there are new ones
    yield from ask(api.post("chat.update", {"channel": channel, "ts": ts, **content}), wire.Answer)


def _revoke(api: Api, target: str) -> Flow[None]:
    channel, ts = _place(target)
    call = api.post("chat.delete", {"channel": channel, "ts": ts})
    yield from _unless("message_not_found", ask(call, wire.Answer))


def _react(api: Api, target: str, emoji: str) -> Flow[None]:
    channel, ts = _place(target)
    name = name_of(emoji)
    if name is None:
        raise Refused("Slack's name of this emoji is not known here")
    call = api.post("reactions.add", {"channel": channel, "timestamp": ts, "name": name})
    yield from _unless("already_reacted", ask(call, wire.Answer))


def _unreact(api: Api, target: str, our_user: str | None) -> Flow[None]:
    """Which ones are ours is asked: taking one back needs its name."""
    channel, ts = _place(target)
    if our_user is None:
        our_user = (yield from ask(api.form("auth.test", {}), wire.Identity)).user_id
    seen = yield from ask(api.form("reactions.get", {"channel": channel, "timestamp": ts, "full": "true"}),
                          wire.Reactions)  # fmt: skip
    for reaction in (seen.message and seen.message.reactions) or ():
        if our_user in (reaction.users or ()):
            call = api.post("reactions.remove", {"channel": channel, "timestamp": ts, "name": reaction.name})
            yield from _unless("no_reaction", ask(call, wire.Answer))


def _unless(done: str, flow: Flow[wire.Answer]) -> Flow[None]:
    """An error of this name says that what was asked for is so already."""
    try:
        yield from flow
    except Refused as error:
        if error.provider_code != done:
            raise


def _place(target: str) -> tuple[str, str]:
    place = place_of(target)
    if place is None:
        raise Refused("this is no message that can be changed")
    return place


# --- the plan -----------------------------------------------------------------------------------------------------


def plan(parts: Sequence[Part]) -> list[Step]:
    steps = [step for part in parts for step in _steps(part)]
    if not steps:
        raise Refused("there is nothing to send")
    for step in steps:
        if isinstance(step, FileOut):
            check(step)
    return steps


def _steps(part: Part) -> Sequence[Step]:
    match part:
        case Text(text=body):
            return texts(body)
        case Image() | Audio() | Voice() | Video() | Document() | Sticker():
            return _media(part)
        case Location():
            return texts(_location(part))
        case ContactCard():
            return texts(_card(part))
        case ChoicesOffered():
            return offered(part)
        case Template():
            raise TemplateRefused("Slack has no templates")
        case ChoiceMade() | Order():
            raise Refused(f"Slack has no way to send {_kind(part)}")


def _media(part: MediaPart) -> Sequence[Step]:
    """Bytes that are not ours are named by their link."""
    caption: str | None = getattr(part, "caption", None)
    media = part.media
    if not media.stored and not media.failed and media.url:
        return texts("\n".join(filter(None, (caption, media.url))))
    return [FileOut(kind=_kind(part), media=media, caption=caption)]


def _location(part: Location) -> str:
    place = f"{part.latitude}, {part.longitude}"
    return "\n".join(filter(None, (part.name, part.address, place, part.url)))


def _card(part: ContactCard) -> str:
    lines = (part.name, part.organization, *part.phones, *part.emails)
    return "\n".join(filter(None, lines))


def _kind(value: Any) -> str:
    return str(value.__struct_config__.tag)
