"""Channels with sockets of their own under `/live/{endpoint_id}`.

Rule: frames are UTF-8 text. A socket lives from the store: what it shows is numbered there, per leg.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from adapters.base.inbound import RawInbound, Reply
from normalizer.address import Address
from normalizer.envelope import Envelope, Evidence, Instant, MediaRef, Status


class LegRead(Struct, frozen=True, kw_only=True):
    """A GET for what the leg may see; `Lives.page` turns the result into the answer."""

    address: Address
    issued_at: Instant
    """When the caller's credential was issued; older than the leg's own mark, it is void."""
    after: int | None = None
    before: int | None = None
    limit: int = 50
    wait_ms: int = 0
    """How long to wait for something after `after`."""
    turns: str = ""
    """As in `Bind`."""
    evidence: Evidence = Evidence.CHANNEL
    """Of the address, as on the envelopes of this leg: a merely claimed one has a leg of its own (`claim_key`)."""


class LegUpload(Struct, frozen=True, kw_only=True):
    """A multipart POST of one file for the leg: streamed to the media store, then answered by `Lives.uploaded`."""

    address: Address
    issued_at: Instant
    max_bytes: int
    mimes: frozenset[str]


class Wire(Struct, frozen=True, kw_only=True):
    """One line of what a leg may see, as the store has it."""

    seq: int
    envelope: Envelope
    at: Instant
    status: Status | None = None
    agent_name: str | None = None
    withdrawn: bool = False
    again: bool = False
    """It stood there before this socket was bound: another one may have shown it."""
    streamed: int = 0
    """How many characters of its text this socket has had already, sentence by sentence."""
    closed: bool = False
    """What it has had of it was ended by `Streams.broken_off`: a rest, if there is one, begins anew."""
    media_urls: Mapping[str, str] = {}
    """Signed and short-lived, by the name of the stored bytes."""


class LiveSession(Struct, frozen=True, kw_only=True):
    """What the store knows about the leg of a socket that was just bound."""

    address: Address
    conversation_id: str | None
    head: int
    """The highest seq on the leg's wire; 0: nothing yet."""
    oldest: int = 1
    """The lowest seq that is still kept."""


class Keep(Struct, frozen=True):
    """To the intake; the frame's answer is `respond`."""


class Say(Struct, frozen=True):
    """Answer now, store nothing."""

    frame: bytes


class Bind(Struct, frozen=True, kw_only=True):
    """The socket speaks for this leg; replay what came after `resume_from` (None: from the start)."""

    address: Address
    issued_at: Instant
    evidence: Evidence = Evidence.CHANNEL
    """Of the address, as on the envelopes of this leg: a merely claimed one has a leg of its own (`claim_key`)."""
    account: str | None = None
    """As on the envelopes; None: the endpoint has one channel."""
    native_thread: str | None = None
    """As on the envelopes, where each of the provider's threads is a leg."""
    resume_from: int | None = None
    since: Instant | None = None
    """Set: only what was said from then on is shown (a call knows nothing of calls before it)."""
    turns: str = ""
    """How the external ids of this call's turns begin. Set: no answer of the AI's is shown before the first of them.

    What it still answers then was asked in a call before.
    """
    note: str = ""
    """Comes back with every later frame of this socket as `raw.headers["x-session-note"]`, when it is not empty.

    What an adapter must know of the session to read its frames; kept with each of them, so no secret belongs in it.
    `Streams.ends` gets it as well.
    """
    keep: bool = False
    """This frame goes to the intake as well, as the first of the bound session."""


class Relay(Struct, frozen=True):
    """Tell whoever holds the conversation, store nothing (typing)."""

    envelope: Envelope


class Close(Struct, frozen=True):
    code: int
    reason: str = ""


Heard = Keep | Say | Bind | Relay | Close


class LiveLimits(Struct, frozen=True, kw_only=True):
    """How often the clients of one channel may speak, and how many sockets they may have."""

    messages_per_s: float = 1.0
    """Sustained; what comes faster is answered with `limited` and dropped."""
    messages_burst: int = 5
    typing_every_s: float = 3.0
    """What comes faster is dropped."""
    frames_per_s: float = 20.0
    """Of any kind, sustained; beyond it the socket is closed."""
    frames_burst: int = 200
    sockets_per_session: int | None = None
    sockets_per_peer: int | None = None
    """Of one network address; one more is asked to try later."""


class Lives(Protocol):
    """Channels with sockets of their own under `/live/{endpoint_id}`. Frames are UTF-8 text."""

    limits: LiveLimits
    hello_ms: int
    """How long a socket may stay unbound."""
    max_frame_bytes: int
    subprotocols: tuple[str, ...]
    """Those of the WebSocket handshake that we speak."""

    def headers(self, raw: RawInbound) -> Mapping[str, str]:
        """To be on every answer that the gateway gives itself (refusals too), so that a browser may read it."""
        ...

    def hear(self, raw: RawInbound) -> Heard:
        """One frame; `raw.session` is None until the socket is bound; `raw.headers`: the handshake's. Never raises."""
        ...

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        """The answer to a frame that came too fast. None: it is dropped in silence."""
        ...

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]:
        """What a newly bound socket gets before the replay."""
        ...

    def show(self, line: Wire) -> bytes | None:
        """The frame of a stored envelope. None: nothing to see (its seq still counts)."""
        ...

    def synced(self, head: int) -> bytes:
        """Ends the replay."""
        ...

    def farewell(self, reconnect_after_ms: int) -> bytes:
        """The gateway is about to stop."""
        ...

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply:
        """The answer to a LegRead."""
        ...

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> Reply:
        """The stored file, or why there is none: `too_large`, `type_refused`, `empty`, `ended`."""
        ...


class Streams(Protocol):
    """Live channels that show an answer while it is being written (`capabilities.streams`)."""

    def partial(self, text: str, first: bool) -> bytes:
        """The frame of one more sentence, which stands as it is: guarded, and not to be repeated.

        The line itself follows through `Lives.show`, with `Wire.streamed` set; its frame then ends the answer.
        """
        ...

    def language(self, locale: str, before: str | None, heard: str | None) -> bytes | None:
        """What is shown from here on is in this language. None: nothing has to be told for it.

        `before`: the one of what was shown until here. `heard`: the one that its peer last spoke in, who should be
        understood in the new one as well. Where these are not known (None) they are what the line began with.
        """
        ...

    def broken_off(self) -> bytes:
        """Ends an answer that is not all there: another line is shown before the rest of it, or none comes at all."""
        ...

    def once(self, envelope: Envelope) -> bool:
        """Whether to show it does something that must not be done twice, as a key that is pressed.

        It is recorded as gone out (`Wire.status`) before it is shown: who comes back after that can leave it out.
        """
        ...

    def ends(self, envelope: Envelope, note: str) -> bool:
        """Whether the socket with this `Bind.note` ends with it: nobody hears what is shown there afterwards.

        Asked of all that comes in over the leg, which may be about another call, and of what was shown on the socket.
        A connection may outlive its call, and what is lost on the way is told by nobody but the provider.
        """
        ...
