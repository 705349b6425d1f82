"""Everything that the router may ask for. Commands hold ids, numbers and names of languages, no text of anybody's.

The outbox keeps one thing beside them: with a question, what has been said aloud of its answer (store/spoken.py), lest
the end of a process lose it. These are words of the AI's and of nobody else, and are pruned with the question.

Rule: `Send` has an outside effect that may not happen twice: it passes through `sending`. The others may be repeated.
"""

from msgspec import Struct

from normalizer.ids import EnvelopeId, ExternalId


class Send(Struct, frozen=True, tag_field="command", tag="send", omit_defaults=True):
    """Deliver an outbound envelope over its leg."""

    envelope_id: EnvelopeId
    careful: bool = False
    """In doubt, ask a person rather than repeat (templates, codes, payments)."""


class Mark(Struct, frozen=True, tag_field="command", tag="mark", omit_defaults=True):
    """Tell the customer that we read his message, and that an answer is being written."""

    external_id: ExternalId
    typing: bool = True


class AskAi(Struct, frozen=True, tag_field="command", tag="ask_ai", omit_defaults=True):
    up_to: int
    """The transcript ends with this seq."""
    deadline_ms: int
    speak_at: float | None = None
    """Set: the leg hears the answer sentence by sentence, while an engine that is at least so sure writes it."""
    locale: str | None = None
    """Of the turn that is to be answered, where it is known (BCP 47)."""


class FetchMedia(Struct, frozen=True, tag_field="command", tag="fetch_media", omit_defaults=True):
    envelope_id: EnvelopeId
    place: int
    """Which part of the message."""


class Notify(Struct, frozen=True, tag_field="command", tag="notify", omit_defaults=True):
    """Whoever holds the conversation should look at it."""

    what: str


Command = Send | Mark | AskAi | FetchMedia | Notify
