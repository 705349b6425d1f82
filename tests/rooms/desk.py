"""A second channel, as small as one can be: frames on a live wire, answered with what came of them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adapters.base import (
    Capabilities,
    ChannelSpec,
    Flow,
    Malformed,
    Outcome,
    PushCall,
    RawInbound,
    Reply,
    SendContext,
    Sent,
)
from gateway.directory import Mounted
from normalizer.address import Address, Scheme, parse_address
from normalizer.envelope import (
    AddressChange,
    AddressClaim,
    Envelope,
    Evidence,
    Message,
    Party,
    Text,
    inbound_id,
)
from normalizer.ids import ChannelId, EndpointId, ExternalId

ENDPOINT = EndpointId("desk")


class Desk:
    """Body: `{"id", "text", "subject"}`, or `{"id", "person"}` for a visitor who proved who he is; the session names
    him.
    """

    capabilities = Capabilities(answers="processed", live=True, states=True)
    keys: tuple[str, ...] | None = None
    """Names of the event instead of its own."""
    observed = False

    def __init__(self) -> None:
        self.contexts: list[SendContext] = []
        """What every send was told."""

    def verify(self, raw: RawInbound) -> None:
        return None

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        return Reply(200 if outcome is not None else 202)

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        frame = json.loads(raw.body)
        if "id" not in frame:
            raise Malformed("a frame without an id")
        own = Address(Scheme.WEB, f"desk/{raw.session}")
        claims: tuple[AddressClaim, ...] = (AddressClaim(own, Evidence.CHANNEL),)
        claims += tuple(AddressClaim(parse_address(said), Evidence.CLAIMED) for said in frame.get("says", ()))
        key = f"{raw.session}:{frame['id']}"
        body: Message | AddressChange = Message(parts=(Text(frame.get("text", "")),), subject=frame.get("subject"))
        if "person" in frame:
            person = Address(Scheme.WEB, f"desk/user/{frame['person']}")
            body = AddressChange(new=(AddressClaim(person, Evidence.VERIFIED),), reason="identified")
        return [
            Envelope(
                id=inbound_id(raw.endpoint_id, None, key),
                direction="in",
                channel_type="desk",
                endpoint_id=raw.endpoint_id,
                party=Party(claims=claims),
                occurred_at=raw.received_at,
                received_at=raw.received_at,
                external_id=ExternalId(key),
                observed=self.observed,
                dedupe_keys=self.keys or (key,),
                body=body,
            )
        ]

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        self.contexts.append(ctx)
        yield PushCall()
        return Sent()


def mounted(desk: Desk) -> Mounted:
    channel = ChannelSpec(ChannelId("desk"), None)
    return Mounted(id=ENDPOINT, type="desk", adapter=desk, channels=(channel,), credentials={})
