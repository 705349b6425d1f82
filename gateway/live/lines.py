"""What a leg may see, read from the store.

Rule: the store alone is the truth. What a socket shows it has read here, by its number, never taken from a wake-up.
Rule: a change of something that was shown is a line of its own, with a number of its own. A client counts without
holes and without repeats, so a line that went out is never sent again; it is read again only by who did not have it.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from adapters.base import LegRead, Wire
from gateway.core import Core
from gateway.directory import Directory, from_ms, to_ms
from gateway.live.talk import Asked, is_left_over, is_turn
from gateway.store import effects, outbox
from gateway.store.reads import Shown, commands_of, get_conversation, get_leg, wire_after, wire_before, wire_until
from gateway.store.schema import FINAL
from gateway.store.threads import LegRow
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.address import Address
from normalizer.envelope import RANK, AddressClaim, Envelope, Evidence, Message, Status, media_parts
from normalizer.identity import claim_key
from normalizer.ids import EndpointId, EnvelopeId, ExternalId, LegId, leg_id

OCTETS = "application/octet-stream"
LAST = 2**31 - 1
"""Above every number of a wire."""
LOOK_BACK = 100
"""Lines among which what was said in a call is looked for."""

Urls = Callable[[Envelope], Mapping[str, str]]
"""Signed and short-lived links to what an envelope holds, by the name of the stored bytes."""

ENDED, VOID = "ended", "void"


class Start(Struct, frozen=True):
    """What a socket or a reader must know of a leg before anything is shown."""

    leg: LegRow | None
    oldest: int
    """The lowest number that is still kept; one more than the head when nothing is."""
    passed: int = 0
    """The number of the last line that is not for this socket: it stood there before its time."""
    asked: Asked = Asked()

    @property
    def head(self) -> int:
        return self.leg.wire_head if self.leg is not None else 0


class Look(Struct, frozen=True):
    """One page of frames. `more`: there was no room for all."""

    leg: LegRow | None
    frames: tuple[tuple[Wire, bytes | None], ...]
    more: bool


def leg_of(
    directory: Directory, endpoint: EndpointId, address: Address, evidence: Evidence = Evidence.CHANNEL,
    account: str | None = None, native_thread: str | None = None,
) -> LegId | None:  # fmt: skip
    """None: the endpoint has no such channel, or does not tell which of several it is."""
    channel = directory.channel_for(endpoint, account)
    return None if channel is None else leg_id(channel, claim_key(AddressClaim(address, evidence)), native_thread)


def start(tx: Tx, leg: LegId, since: datetime | None = None, turns: str = "") -> Start:
    row = get_leg(tx, leg)
    first = wire_after(tx, leg, 0, 1) if row is not None and row.wire_head else []
    oldest = first[0].row.wire_seq if first else None
    passed = wire_until(tx, leg, to_ms(since)) if first and since is not None else 0
    return Start(row, oldest or (row.wire_head if row is not None else 0) + 1, passed, asked(tx, row, turns))


def asked(tx: Tx, leg: LegRow | None, turns: str) -> Asked:
    """In the call whose turns are named so, as far as one look back tells."""
    if not turns:
        return Asked()
    rows = [shown.row for shown in wire_before(tx, leg.id, LAST, LOOK_BACK)] if leg is not None else []
    said = (row for row in rows if (row.direction, row.kind) == ("in", "message"))
    first = min((row.seq or 0 for row in said if is_turn(codec.decode(row.content), turns)), default=None)
    known = get_conversation(tx, leg.conversation_id) if leg is not None else None
    return Asked(first, known.head if known is not None else 0)


def went_out(tx: Tx, lines: Iterable[EnvelopeId]) -> None:
    """As a provider's receipt would tell it."""
    for command in commands_of(tx, lines):
        if command["kind"] == "send" and command["state"] < FINAL:
            outbox.echo(tx, command["id"], command["step"])


def goes_out(tx: Tx, leg: LegId, line: EnvelopeId) -> None:
    """Before it does: whatever becomes of its send, it is out by its status from here on."""
    row = get_leg(tx, leg)
    assert row is not None
    went_out(tx, [line])
    effects.own(tx, [(row.channel_id, ExternalId(line), line, RANK[Status.SENT], tx.now())])


def look(tx: Tx, leg: LegId, after: int, most: int, show: Callable[[Wire], bytes | None], urls: Urls) -> Look:
    """Rendered here, on the database's thread: a replay of many does not keep the loop from the others."""
    row = get_leg(tx, leg)
    if row is None or row.wire_head <= after:
        return Look(row, (), False)
    found = wires(wire_after(tx, leg, after, most), urls)
    frames = tuple((wire, show(wire)) for wire in found)
    return Look(row, frames, len(found) == most)


def page_after(tx: Tx, leg: LegRow, read: LegRead, urls: Urls) -> tuple[list[Wire], bool]:
    """In a call: what is there to be heard. The caller knows what he said himself, and does not wait for that."""
    found = wires(wire_after(tx, leg.id, read.after or 0, read.limit + 1), urls)
    page, more = found[: read.limit], len(found) > read.limit
    if read.turns and page:
        now = asked(tx, leg, read.turns)
        page = [wire for wire in page if wire.envelope.direction == "out" and not is_left_over(wire, now)]
    return page, more


def page_before(tx: Tx, leg: LegId, before: int | None, most: int, urls: Urls) -> tuple[list[Wire], bool]:
    found = wires(wire_before(tx, leg, LAST if before is None else min(before, LAST), most + 1), urls)
    return found[:most], len(found) > most


def wires(shown: list[Shown], urls: Urls) -> list[Wire]:
    return [_wire(one, urls) for one in shown]


def _wire(shown: Shown, urls: Urls) -> Wire:
    envelope, seq = replace(codec.decode(shown.row.content), seq=shown.row.seq), shown.row.wire_seq
    assert seq is not None
    return Wire(
        seq=seq,
        envelope=envelope,
        at=from_ms(shown.row.at),
        status=shown.status,
        media_urls=urls(envelope),
        withdrawn=isinstance(envelope.body, Message) and not envelope.body.parts,
    )


def refusal(leg: LegRow | None, issued_at: datetime, now: datetime) -> str | None:
    """Why a credential is worth nothing any more: its session has ended (for good), or a newer one took its place."""
    if leg is None or to_ms(issued_at) >= leg.valid_from:
        return None
    return ENDED if leg.valid_from > to_ms(now) else VOID


def media_urls(core: Core, envelope: Envelope) -> Mapping[str, str]:
    expires = core.clock.now() + timedelta(seconds=core.config.media.url_ttl_s)
    return {
        stored: core.config.public_url
        + core.links.sign(stored, part.media.filename or "file", part.media.sniffed or OCTETS, expires)
        for _, part in media_parts(envelope.body)
        if (stored := part.media.stored) is not None
    }
