"""All places of a demo."""

from __future__ import annotations

import pytest

from gateway.sandbox.phones import Refused
from gateway.sandbox.stage import KINDS, Stage
from tests.sandbox.demo import Demo


async def test_every_endpoint_with_a_provider_has_its_place(running: Demo) -> None:
    stage = Stage(running.house.core)
    assert {place.endpoint.type for place in stage.places.values()} == set(KINDS)
    assert stage.place("sms") is stage.places["sms"]
    with pytest.raises(Refused, match="one of sms, slack, voice, mail"):
        stage.place("fax")


async def test_everybody_is_met_everywhere(running: Demo) -> None:
    stage = Stage(running.house.core)
    stage.host.phones.add("Bo", "447700900123")
    stage.met()
    (bo,) = stage.people.all()
    for place in stage.places.values():
        assert place.screen(bo).version == 1
