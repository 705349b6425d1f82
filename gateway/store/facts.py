"""A fact of ours as an intake row: the same in every room that lets one re-enter."""

import msgspec

from gateway.store.intake import IntakeRow
from normalizer.ids import EndpointId, IntakeId
from router.events import Fact

OURS = EndpointId("")
"""The endpoint of facts: none."""

_encode = msgspec.json.Encoder().encode


def fact_row(number: IntakeId, fact: Fact, lane: str, wants_outcome: bool = False) -> IntakeRow:
    """`lane`: the conversation, or the name of what is not one conversation's."""
    return IntakeRow(number, OURS, lane, "fact", _encode(fact), wants_outcome)
