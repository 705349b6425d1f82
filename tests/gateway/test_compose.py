"""What the house is made of: the engine that was asked for, rates, and adapters with their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.base import Rates
from gateway.app import open_house
from gateway.compose import make_engine, rates_of
from gateway.engines.builtin import BuiltinEngine
from gateway.engines.echo import EchoEngine
from normalizer.ids import ChannelId
from tests.gateway.test_app import settings


@pytest.mark.parametrize(("name", "kind"), [("builtin", BuiltinEngine), ("echo", EchoEngine), ("none", type(None))])
def test_the_engine_is_the_one_that_was_asked_for(tmp_path: Path, name: str, kind: type) -> None:
    assert isinstance(make_engine(settings(tmp_path, ai={"engine": name})), kind)


@pytest.mark.parametrize(
    ("engine", "first", "holder"), [("none", "ai", "queue"), ("none", "queue", "queue"), ("echo", "ai", "ai")]
)
def test_without_an_engine_people_hold_what_comes_from_the_first_message_on(
    tmp_path: Path, engine: str, first: str, holder: str
) -> None:
    ai = {"engine": engine, "first_holder": first}
    assert settings(tmp_path, ai=ai).router_policy.first_holder == holder


async def test_an_operators_rates_stand_above_the_providers(tmp_path: Path) -> None:
    own = {"channels": {"wa": {"per_second": 7}}}
    async with open_house(settings(tmp_path, transport=own)) as house:
        core = house.core
        rates = rates_of(core.config, core.directory, ChannelId("wa"))
        assert (rates.per_second, rates.pair_burst) == (7, 45)
        assert rates_of(core.config, core.directory, ChannelId("gone")) == Rates()
