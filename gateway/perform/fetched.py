"""What becomes of media that were fetched, or could not be."""

from adapters.base import SendError
from gateway.store import threads
from gateway.store.outbox import Held
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import MediaRef, media_parts
from router.commands import FetchMedia
from router.events import MediaStored


def media_of(tx: Tx, command: FetchMedia) -> MediaRef | None:
    row = threads.get_envelopes(tx, [command.envelope_id]).get(command.envelope_id)
    if row is None:
        return None
    parts = dict(media_parts(codec.decode(row.content).body))
    return parts[command.place].media if command.place in parts else None


def stored(held: Held, command: FetchMedia, media: MediaRef) -> MediaStored:
    return MediaStored(command_id=held.id, conversation_id=held.conversation_id, envelope_id=command.envelope_id,
                       place=command.place, media=media)  # fmt: skip


def certain(error: SendError) -> SendError:
    """Fetching twice does no harm, so a doubt is none."""
    error.certain = True
    return error
