"""Names for the strings and numbers that identify things.

Rule: only the adapter that made an `ExternalId` may look inside it; nobody else takes any id apart.
Rule: an id that must come out the same twice (inbound envelopes, facts that re-enter) is `derive`d, never drawn.
"""

from hashlib import blake2b
from typing import NewType

EnvelopeId = NewType("EnvelopeId", str)
EndpointId = NewType("EndpointId", str)
ChannelId = NewType("ChannelId", str)
ContactId = NewType("ContactId", str)
ConversationId = NewType("ConversationId", str)
LegId = NewType("LegId", str)
CommandId = NewType("CommandId", str)
AgentId = NewType("AgentId", str)
ExternalId = NewType("ExternalId", str)
"""The provider's id of a message, call or event; opaque to everybody but its adapter."""
IntakeId = NewType("IntakeId", int)
"""64 bits, increasing in the order of arrival on one node."""
MatchKey = NewType("MatchKey", str)
"""What makes two addresses the same person, see `address.py`."""


def derive(prefix: str, *parts: str) -> str:
    """The same parts give the same id, on every node and after every restart: `prefix_` and 32 hexadecimal digits."""
    return f"{prefix}_{blake2b(chr(31).join(parts).encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def leg_id(channel: ChannelId, key: MatchKey, native_thread: str | None) -> LegId:
    """The leg of an address on a channel, whether it exists yet or not: a socket may wait for its first message."""
    return LegId(derive("leg", channel, key, native_thread or ""))
