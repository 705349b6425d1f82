"""The contract of an adapter: what every one has, and what only some need."""

from collections.abc import Sequence
from typing import Protocol

from adapters.base.inbound import Carried, Outcome, RawInbound, Reply
from adapters.base.live import LegRead, LegUpload
from adapters.base.outbound import CallContext, Capabilities, Fetched, Flow, Health, SendContext, Sent
from normalizer.envelope import Envelope, Instant, MediaRef
from normalizer.ids import ExternalId


class Adapter(Protocol):
    capabilities: Capabilities

    def verify(self, raw: RawInbound) -> "Reply | LegRead | LegUpload | None":
        """Called once for every webhook and every live handshake, before anything is stored.

        None: authentic, keep it. A Reply: a handshake, answered and not kept. LegRead, LegUpload: see `Lives`.
        Raises Unauthentic. Any other exception is 401 too, logged and counted apart as our error.
        """
        ...

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        """The answer once `raw` is safe. `outcome`: only where `answers` is `processed`, and in time."""
        ...

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        """The same raw gives equal envelopes, ids included. Raises Malformed; what it does not know it keeps."""
        ...

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        """One step of an outbound envelope. Raises SendError. Called again with the next `step` while `more`.

        A step past the last one makes no call and returns `Sent()`: an echo may have told that the last one is out.
        """
        ...


class Fetches(Protocol):
    """Channels whose media lie at the provider."""

    def fetch(self, media: MediaRef, ctx: CallContext) -> Flow[Fetched]:
        """The last call says `to_media`. Raises SendError; MediaFailed when the bytes are gone for good."""
        ...


class Finds(Protocol):
    """Channels whose provider can be asked what it took from us."""

    def find(self, message: Envelope, ctx: SendContext, since: Instant) -> Flow[Sequence[ExternalId]]:
        """Ids of what may be the step `ctx.step` of the message, which is in doubt; the likeliest first.

        Asked when no echo came (`capabilities.echo_wait_ms`), before the step is sent once more or a person decides.
        It did not go out before `since`. Ids that other messages of ours have are passed over, so equal texts may be
        named. What the provider took and then failed is not named: it may be sent once more. Raises SendError.
        """
        ...


class Carries(Protocol):
    """Channels whose files come inside of the message."""

    def carried(self, raw: RawInbound) -> Sequence[Carried]:
        """The files that `parse` named; called only when it named one. Raises Malformed."""
        ...


class Rings(Protocol):
    """Channels that may not be answered with an error: somebody is on the line."""

    def unavailable(self, raw: RawInbound) -> Reply | None:
        """The answer when the store can not keep an authentic `raw`. None: 503, and the provider repeats it."""
        ...


class Probes(Protocol):
    """Channels whose credentials and address can be checked without writing to anybody."""

    def probe(self, ctx: CallContext) -> Flow[Health]: ...
