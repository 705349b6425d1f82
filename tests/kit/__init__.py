"""The contract of an adapter as tests that any adapter can run, also one outside of this repository.

Give a `Subject` (the adapter, and how its provider signs), tables of `InboundCase` and `OutboundCase`, and call the
`check_...` functions from your tests. They are plain functions with plain asserts, and check what nobody asks for:

    check_inbound       the envelopes are those; the same ids come out a second time and after a redelivery; each keeps
                        a slice of what came; no secret is in them
    check_round_trip    what the simulator tells is what the adapter reads
    check_refused       junk never verifies, and the refusal says no secret
    check_outbound      the calls are those; no reply is left over; no secret is in a call or an error
    check_failures      429, 5xx, 4xx, silence and nonsense land in the right class
    check_survives      whatever JSON arrives, parse returns or raises Malformed, in bounded time
    mutations           for hypothesis: a payload with a key dropped, nulled or of another type

Rule: the tables are typed from the provider's documents, never produced by its simulator.
"""

from tests.kit.cases import InboundCase, OutboundCase, Subject, given_reply
from tests.kit.contract import (
    check_failures,
    check_inbound,
    check_outbound,
    check_refused,
    check_round_trip,
    check_survives,
    shown,
)
from tests.kit.flow import Driven, drive, drive_steps
from tests.kit.mutate import mutations

__all__ = [
    "Driven",
    "InboundCase",
    "OutboundCase",
    "Subject",
    "check_failures",
    "check_inbound",
    "check_outbound",
    "check_refused",
    "check_round_trip",
    "check_survives",
    "drive",
    "drive_steps",
    "given_reply",
    "mutations",
    "shown",
]
