"""What is leased to room 2: what somebody waits for apart from webhooks, every lane in its order."""

from __future__ import annotations

from gateway.process.hands import Hands
from gateway.store.intake import Claimed
from normalizer.ids import EndpointId, IntakeId


def row(id: int, lane: str = "wa", kind: str = "raw", size: int = 1) -> Claimed:
    endpoint = EndpointId("" if kind == "fact" else "wa")
    return Claimed(IntakeId(id), endpoint, lane, kind, b"x" * size, 0, 1, 0, False)


def test_frames_and_facts_are_apart_from_webhooks_each_in_the_order_of_their_ids() -> None:
    hands = Hands()
    hands.add([row(1), row(2, "s1"), row(3), row(5, "s2")], 10)
    hands.add([row(4, "cv", "fact"), row(6)], 10)
    assert (hands.prompts, hands.webhooks) == (3, 3)
    assert [one.id for one in hands.take_prompts(9)] == [2, 4, 5]
    assert [one.id for one in hands.take_webhooks(2)] == [1, 3]
    assert ([one.id for one in hands.take_webhooks(9)], hands.take_webhooks(9), len(hands)) == ([6], [], 0)


def test_it_knows_how_much_it_holds() -> None:
    hands = Hands()
    hands.add([row(1, size=10), row(2, "s", size=5)], 10)
    assert (len(hands), hands.bytes) == (2, 15)
    hands.take_prompts(1)
    assert (len(hands), hands.bytes) == (1, 10)
    assert [one.id for one in hands.empty()] == [1]
    assert (len(hands), hands.bytes) == (0, 0)


def test_what_was_not_begun_in_time_is_noticed() -> None:
    hands = Hands()
    hands.add([row(1)], 10)
    hands.add([row(2, "s")], 20)
    assert (hands.late(10), hands.late(11)) == (False, True)
    hands.take_prompts(1)
    hands.take_webhooks(1)
    assert not hands.late(99)
