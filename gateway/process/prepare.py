"""From an intake row to items that a transaction can settle: all that needs no database.

Rule: pure apart from the adapter's own `parse`; the same row gives the same items.
Rule: what cannot be read is an item too: it dies in the same commit as its neighbours live.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from adapters.base import Malformed, RawInbound
from gateway.directory import Directory
from gateway.store.files import FileRow
from gateway.store.intake import Claimed
from normalizer import codec
from normalizer.address import match_key
from normalizer.envelope import AddressChange, AddressClaim, Body, Envelope, Evidence
from normalizer.identity import claim_key
from normalizer.ids import ChannelId, EnvelopeId, LegId, MatchKey, derive, leg_id
from router.events import Fact, fact_key

FACTS = "facts"
"""Stands where a channel's id stands in the dedupe keys of our own facts."""

_decode_raw = msgspec.msgpack.Decoder(RawInbound).decode
_decode_fact = msgspec.json.Decoder(Fact).decode
_encode_body = msgspec.json.Encoder().encode


class Item:
    """One envelope or fact of a row, ready to be settled; or the reason why it can not be."""

    __slots__ = (
        "claims", "content", "digest", "envelope", "error", "fact", "files", "index", "keys", "last", "leg", "raw",
        "row",
    )  # fmt: skip

    def __init__(self, row: Claimed, index: int) -> None:
        self.row, self.index, self.last = row, index, False
        self.envelope: Envelope | None = None
        self.fact: Fact | None = None
        self.error: tuple[str, str] | None = None
        """(reason, detail) for the list of the dead."""
        self.keys: tuple[str, ...] = ()
        self.digest = ""
        """Of the content, where the caller is to be told that a repeat says something else."""
        self.content = b""
        self.raw: bytes | None = None
        """The provider's own words for this envelope alone."""
        self.claims: tuple[tuple[MatchKey, AddressClaim], ...] = ()
        """The addresses that identify the contact, the one to answer to first."""
        self.leg: LegId | None = None
        """The leg of the first of these, whether it exists yet or not."""
        self.files: tuple[FileRow, ...] = ()
        """What came inside of it and is stored now."""

    @property
    def kind(self) -> str:
        """Of its envelope's body, or of the fact: a code for lines and counters."""
        if self.envelope is not None:
            return str(self.envelope.body.__struct_config__.tag)
        return str(self.fact.__struct_config__.tag) if self.fact is not None else "none"

    @property
    def id(self) -> EnvelopeId:
        if self.envelope is not None:
            return self.envelope.id
        return EnvelopeId(derive("env", FACTS, *(self.keys or (str(self.row.id),))))


class Preparer:
    """`key` makes dedupe keys unreadable: a provider's id may contain a phone number."""

    def __init__(self, directory: Directory, key: bytes) -> None:
        self._directory, self._key = directory, key[:64]
        self._blank = blake2b(key=self._key, digest_size=16)

    def items(self, row: Claimed) -> list[Item]:
        """From `next_index` on; never empty and never raises."""
        return self._due(row, self._facts(row) if row.kind == "fact" else self._envelopes(row))

    def read(self, row: Claimed, raw: RawInbound, envelopes: Iterable[tuple[Envelope, bytes | None]],
             files: tuple[FileRow, ...]) -> list[Item]:  # fmt: skip
        """The same of what was parsed elsewhere: each envelope with its slice of the raw."""
        made = [self._one(row, index, envelope, slice_, raw.id) for index, (envelope, slice_) in enumerate(envelopes)]
        for item in made:
            item.files = files
        return self._due(row, made or [Item(row, 0)])

    def unreadable(self, row: Claimed, reason: str, detail: str) -> list[Item]:
        return self._due(row, [_dead(row, reason, detail)])

    def raw_of(self, row: Claimed) -> RawInbound:
        return _decode_raw(row.raw)

    def _due(self, row: Claimed, made: list[Item]) -> list[Item]:
        for item in made:
            item.row = row
        made[-1].last = True
        return [item for item in made if item.index >= row.next_index] or made[-1:]

    def _facts(self, row: Claimed) -> list[Item]:
        item = Item(row, 0)
        try:
            item.fact = _decode_fact(row.raw)
        except msgspec.DecodeError as error:
            item.error = ("unreadable_fact", type(error).__name__)
            return [item]
        item.keys = (self._keyed(FACTS, fact_key(item.fact)),)
        item.digest = self._hash(row.raw)
        return [item]

    def _envelopes(self, row: Claimed) -> list[Item]:
        mounted = self._directory.endpoints.get(row.endpoint_id)
        if mounted is None:
            return [_dead(row, "unknown_endpoint", row.endpoint_id)]
        try:
            raw = _decode_raw(row.raw)
            envelopes = mounted.adapter.parse(raw)
        except Malformed as error:
            return [_dead(row, "malformed", str(error))]
        except Exception as error:  # noqa: BLE001  because an adapter's bug must not cost a message
            return [_dead(row, "adapter_error", type(error).__name__)]
        if not envelopes:
            return [Item(row, 0)]
        return [
            self._one(row, index, envelope, None if envelope.raw is None else bytes(envelope.raw), raw.id)
            for index, envelope in enumerate(envelopes)
        ]

    def _one(self, row: Claimed, index: int, envelope: Envelope, slice_: bytes | None, arrival: str) -> Item:
        """`arrival` names the request, also when it is replayed as another row."""
        item = Item(row, index)
        channel = self._directory.channel_for(row.endpoint_id, envelope.account)
        if channel is None:
            item.error = ("unknown_account", envelope.account or "")
            return item
        item.raw = slice_
        envelope, item.content = codec.seal(msgspec.structs.replace(envelope, channel_id=channel, raw=None))
        item.envelope = envelope
        item.claims = _claims(envelope)
        if item.claims:
            item.leg = leg_id(channel, item.claims[0][0], envelope.native_thread)
        item.keys = tuple(self._keyed(channel, key) for key in envelope.dedupe_keys or (f"row/{arrival}/{index}",))
        if row.wants_outcome:
            item.digest = self._hash(_encode_body(envelope.body))
        return item

    def _keyed(self, channel: ChannelId | str, key: str) -> str:
        digest = self._blank.copy()
        digest.update(f"{channel}|{key}".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def _hash(self, data: bytes) -> str:
        return blake2b(data, key=self._key, digest_size=12).hexdigest()


def _dead(row: Claimed, reason: str, detail: str) -> Item:
    item = Item(row, 0)
    item.error = (reason, detail[:200])
    return item


def _claims(envelope: Envelope) -> tuple[tuple[MatchKey, AddressClaim], ...]:
    if envelope.group is not None:
        return ((match_key(envelope.group), AddressClaim(envelope.group, Evidence.CHANNEL)),)
    claims = envelope.party.claims + _changed(envelope.body)
    return tuple({key: (key, claim) for claim in claims for key in (claim_key(claim),)}.values())


def _changed(body: Body) -> tuple[AddressClaim, ...]:
    if not isinstance(body, AddressChange):
        return ()
    return body.new + tuple(AddressClaim(address, Evidence.CHANNEL) for address in body.old)
