"""The transition table, walked whole: what is not listed leaves the holder alone."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from normalizer.ids import AgentId
from router.conversation import (
    FIRST,
    TRANSITIONS,
    Agent,
    Ai,
    Holder,
    Kind,
    Nobody,
    Queue,
    Trigger,
    kind_of,
    next_kind,
)

HOLDERS: dict[Kind, Holder] = {
    "ai": Ai(),
    "queue": Queue("default"),
    "agent": Agent(AgentId("ann")),
    "nobody": Nobody(),
}
LISTED = {
    ("nobody", "customer_wrote"): FIRST,
    ("nobody", "customer_wrote_ai_down"): "queue",
    ("nobody", "too_many_answers"): "queue",
    ("ai", "customer_wrote_ai_down"): "queue",
    ("ai", "too_many_answers"): "queue",
    ("ai", "ai_gave_up"): "queue",
    ("ai", "undelivered"): "queue",
    ("ai", "agent_replied"): "agent",
    ("queue", "agent_replied"): "agent",
    ("nobody", "agent_replied"): "agent",
}


def test_every_holder_has_its_kind() -> None:
    assert {kind: kind_of(holder) for kind, holder in HOLDERS.items()} == {kind: kind for kind in get_args(Kind)}
    assert {type(holder) for holder in HOLDERS.values()} == set(get_args(Holder))


@pytest.mark.parametrize(("kind", "trigger"), list(product(HOLDERS, Trigger)))
def test_every_pair_is_listed_or_leaves_the_holder_alone(kind: Kind, trigger: Trigger) -> None:
    assert next_kind(HOLDERS[kind], trigger) == LISTED.get((kind, trigger.value), kind)


def test_the_table_has_no_other_rows() -> None:
    assert {(kind, trigger.value) for kind, trigger in TRANSITIONS} == LISTED.keys()


def test_no_trigger_takes_a_conversation_from_an_agent() -> None:
    assert {next_kind(HOLDERS["agent"], trigger) for trigger in Trigger} == {"agent"}
