"""A send in doubt, looked for where it would be: a message of ours carries its key in its metadata, a file its name.

Rule: who may not read a conversation finds nothing in it. Reading has limits of its own, which hold up nobody else.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from adapters.base import CredentialsRefused, Flow, Refused, SendContext, Throttled, Unreachable
from adapters.slack import wire
from adapters.slack.api import Api, ask
from adapters.slack.events import FILE, echo_key
from adapters.slack.files import FileOut
from adapters.slack.history import Past, said_since
from adapters.slack.people import message_id
from adapters.slack.send import Step, channel_of, conversation_of, plan
from normalizer.envelope import Envelope, Message
from normalizer.ids import ExternalId

CLOCKS_DIFFER = timedelta(seconds=60)


def find(
    api: Api, message: Envelope, ctx: SendContext, since: datetime, our_user: str | None
) -> Flow[Sequence[ExternalId]]:
    """Changes of a message and reactions may be made twice: they are not looked for."""
    steps = plan(message.body.parts) if isinstance(message.body, Message) else []
    if ctx.step >= len(steps):
        return ()
    try:
        return (yield from _find(api, steps[ctx.step], channel_of(message, ctx), ctx, since - CLOCKS_DIFFER, our_user))
    except (Unreachable, Refused):
        return ()
    except CredentialsRefused as error:
        if error.provider_code != "missing_scope":
            raise
        return ()
    except Throttled as error:
        error.scope = "recipient"
        raise


def _find(
    api: Api, step: Step, place: str, ctx: SendContext, since: datetime, our_user: str | None
) -> Flow[Sequence[ExternalId]]:
    channel = yield from conversation_of(api, place)
    if isinstance(step, FileOut) and our_user is None:
        our_user = (yield from ask(api.form("auth.test", {}), wire.Identity)).user_id
    found = yield from said_since(api, channel, ctx.leg.native_thread, since)
    if isinstance(step, FileOut):
        return [id for past in found for id in _files(past, step.name, our_user)]
    ids = [message_id(channel, past.ts) for past in found if _carries(past, ctx.echo_key)]
    return [id for id in ids if id is not None]


def _carries(past: Past, key: str) -> bool:
    event, _ = wire.read_event(past.slice)
    return event is not None and bool(key) and echo_key(event.metadata) == key


def _files(past: Past, name: str, our_user: str | None) -> Iterator[ExternalId]:
    event, _ = wire.read_event(past.slice)
    if event is None or event.user != our_user:
        return
    for file, _lost in map(wire.read_file, event.files or ()):
        if file is not None and file.id and name in (file.name, file.title):
            yield ExternalId(FILE + file.id)
