"""Ids that must come out the same twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from normalizer.ids import ChannelId, MatchKey, derive, leg_id

PARTS = st.lists(st.text(st.characters(exclude_characters="\x1f")), max_size=4)


@given(PARTS, PARTS)
def test_the_same_parts_and_only_they_give_the_same_id(one: list[str], other: list[str]) -> None:
    if one and other:
        assert (derive("x", *one) == derive("x", *other)) == (one == other)


def test_an_id_is_stored_for_years_and_may_not_change_with_a_release() -> None:
    assert derive("env", "wa", "1") == "env_0849dfd79b5850569dcbc9c593a0a4b9"
    others = {derive("cmd", "wa", "1"), derive("env", "wa1"), derive("env", "1", "wa")}
    assert len(others | {derive("env", "wa", "1")}) == 4


def test_lone_surrogates_are_no_error() -> None:
    assert derive("env", "\ud83d") != derive("env", "\udc00")


def test_a_leg_is_named_before_it_exists() -> None:
    first = leg_id(ChannelId("web"), MatchKey("web:a"), None)
    assert first == leg_id(ChannelId("web"), MatchKey("web:a"), None)
    others = {leg_id(ChannelId("web"), MatchKey("web:a"), "t"), leg_id(ChannelId("w2"), MatchKey("web:a"), None)}
    assert first not in others
    assert len(others) == 2
