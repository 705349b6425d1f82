"""A third channel, as small as a telephone line can be: turns and events on a live wire that hears answers while they
are written."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec.structs import replace

from adapters.base import Capabilities, ChannelSpec, Flow, PushCall, RawInbound, SendContext, Sent
from gateway.directory import Mounted
from gateway.store import reads
from gateway.store.tx import Tx
from gateway.streams import Sentence, Streams
from normalizer import codec
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, CallEvent, Envelope, Evidence, Party, plain_text
from normalizer.identity import claim_key
from normalizer.ids import ChannelId, EndpointId, ExternalId, LegId, leg_id
from tests.rooms.desk import Desk

ENDPOINT = EndpointId("line")
CAPABILITIES = Capabilities(answers="processed", live=True, states=True, streams=True)


class Line(Desk):
    """Body: `{"id", "text"}`, or `{"id", "event", "detail"}`; the session is the caller's number.

    `claimed`: the network does not vouch for the number. `machine`: an answering machine speaks. `locale`: a language.
    """

    def __init__(self) -> None:
        self.capabilities = CAPABILITIES
        self.pushed: list[int] = []
        """What the gateway said to each push."""

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        frame = json.loads(raw.body)
        (said,) = super().parse(raw)
        evidence = Evidence.CLAIMED if frame.get("claimed") else Evidence.CHANNEL
        who = AddressClaim(Address(Scheme.TEL, str(raw.session)), evidence)
        said = replace(said, channel_type="line", party=Party(claims=(who,)), automated=frame.get("machine", False),
                       locale=frame.get("locale"))  # fmt: skip
        if "event" not in frame:
            return [said]
        event = CallEvent(call=ExternalId("CA1"), event=frame["event"], direction="in", detail=frame.get("detail"))
        return [replace(said, body=event, external_id=None)]

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        reply = yield PushCall()
        self.pushed.append(reply.status)
        return Sent()


def mounted(line: Line) -> Mounted:
    channel = ChannelSpec(ChannelId("line"), None)
    return Mounted(id=ENDPOINT, type="line", adapter=line, channels=(channel,), credentials={})


def leg(number: str, claimed: bool = False) -> LegId:
    evidence = Evidence.CLAIMED if claimed else Evidence.CHANNEL
    return leg_id(ChannelId("line"), claim_key(AddressClaim(Address(Scheme.TEL, number), evidence)), None)


class Ear:
    """A socket in the place where sockets are; `deaf`: nobody is there."""

    def __init__(self, streams: Streams) -> None:
        self.sentences: list[Sentence] = []
        self.deaf = False
        streams.shown_by(self._hear)

    async def _hear(self, leg: LegId, sentence: Sentence) -> bool:
        if not self.deaf:
            self.sentences.append(sentence)
        return not self.deaf

    @property
    def heard(self) -> list[str]:
        return [sentence.text for sentence in self.sentences]


def wire(tx: Tx, of: LegId) -> list[str]:
    """What the leg's sockets read: who said what, and changes of holder."""
    rows = [shown.row for shown in reads.wire_after(tx, of, 0, 100)]
    envelopes = [codec.decode(row.content) for row in rows]
    return [
        f"{one.author}: {plain_text(one.body)}" if plain_text(one.body) else str(getattr(one.body, "state", "event"))
        for one in envelopes
    ]
