"""What was given up, over the API: the dead and the stuck, orphans, queues, and how a channel does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import outbox
from gateway.store.schema import DUE
from tests.gateway.api_house import ANNA, PATIENCE_MS, ApiHouse, running, text_message
from tests.gateway.provider import Answer

STRANGER = {"metadata": {"display_phone_number": "1", "phone_number_id": "999"}}
REFUSED = Answer(400, body=b'{"error":{"code":131026,"message":"Message undeliverable"}}')


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path) as made:
        yield made


async def dies(place: ApiHouse, wamid: str) -> None:
    """A message for a number that is none of ours."""
    raw = place.raw(text_message("hello", "4915112345678", wamid) | STRANGER)
    outcome = await place.core.receiver.receive(raw, outcome_ms=PATIENCE_MS)
    assert outcome is not None
    assert outcome.error == "unknown_account"


async def fails(place: ApiHouse, key: str) -> str:
    """A send that the provider refuses; its conversation."""
    id = await place.writes("hello")
    place.provider.then(REFUSED)
    await place.says(id, key=key)
    await place.gives(id, holder="agent", agent_id=ANNA, expected_epoch=2)
    await place.house.performer.drain()
    return id


async def all_dead(place: ApiHouse, query: str = "limit=1") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    path = f"/v1/dead?{query}"
    while True:
        page = await place.get(path)
        found += page["items"]
        if page["next"] is None:
            return found
        path = f"/v1/dead?{query}&cursor={page['next']}"


async def test_the_dead_are_listed_with_their_reason_page_by_page(place: ApiHouse) -> None:
    for number in range(3):
        await dies(place, f"wamid.lost{number}")
    found = await all_dead(place)
    assert [(one["kind"], one["reason"], one["detail"]) for one in found] == [("inbound", "unknown_account", "999")] * 3
    assert [one["index"] for one in found] == [0, 0, 0]
    assert len({one["id"] for one in found}) == 3


async def test_stuck_commands_are_listed_behind_them(place: ApiHouse) -> None:
    await dies(place, "wamid.lost")
    conversation = await fails(place, "k")
    inbound, command = await all_dead(place)
    assert (inbound["kind"], command["kind"]) == ("inbound", "command")
    assert (command["what"], command["state"], command["error"]) == ("send", "failed", "unreachable 131026")
    assert (command["conversation_id"], command["channel_id"]) == (conversation, "wa")
    assert await all_dead(place, "kind=command&limit=1") == [command]
    assert await all_dead(place, "kind=inbound&limit=1") == [inbound]


async def test_a_replayed_letter_is_processed_again_and_listed_again_when_it_dies_again(place: ApiHouse) -> None:
    await dies(place, "wamid.lost")
    (first,) = await all_dead(place)
    got = await place.call("POST", f"/v1/dead/{first['id']}/replay")
    assert (got.status, got.body) == (200, {"id": first["id"], "replayed": 1})
    await place.stop_room_2()
    await place.house.processor.drain()
    (second,) = await all_dead(place)
    assert second["id"] != first["id"]
    assert second["intake_id"] != first["intake_id"]


async def test_a_letter_is_replayed_once(place: ApiHouse) -> None:
    await dies(place, "wamid.lost")
    (letter,) = await all_dead(place)
    path = f"/v1/dead/{letter['id']}/replay"
    assert (await place.call("POST", path)).status == 200
    got = await place.call("POST", path)
    assert (got.status, got.body["type"]) == (409, "urn:throughline:already_replayed")


@pytest.mark.parametrize("id", ["7", "99999999999999999999", "cmd_unknown", "-1", "%2E"])
async def test_what_is_not_dead_is_not_replayed(place: ApiHouse, id: str) -> None:
    assert (await place.call("POST", f"/v1/dead/{id}/replay")).status == 404


async def test_a_stuck_command_is_tried_once_more(place: ApiHouse) -> None:
    conversation = await fails(place, "k")
    (command,) = await all_dead(place)
    assert (await place.call("POST", f"/v1/dead/{command['id']}/replay")).body["replayed"] == 1
    assert (await place.call("POST", f"/v1/dead/{command['id']}/replay")).status == 404  # it is under way
    await place.house.performer.drain()
    assert await all_dead(place) == []
    items = (await place.get(f"/v1/conversations/{conversation}/envelopes"))["items"]
    assert [one["status"] for one in items if one.get("author") == "agent"] == ["sent"]


async def test_side_events_whose_message_never_came_are_orphans_after_their_days(place: ApiHouse) -> None:
    for number in range(3):
        status = {"id": f"wamid.never{number}", "status": "read", "timestamp": "1767323045", "recipient_id": "1"}
        await place.takes({"statuses": [status]})
    assert (await place.get("/v1/orphans"))["items"] == []
    place.clock.advance(7 * 86_400 + 1)
    page = await place.get("/v1/orphans?limit=2")
    assert [one["external_id"] for one in page["items"]] == ["wamid.never0", "wamid.never1"]
    rest = await place.get(f"/v1/orphans?limit=2&cursor={page['next']}")
    assert ([one["external_id"] for one in rest["items"]], rest["next"]) == (["wamid.never2"], None)


# --- channels and queues ------------------------------------------------------------------------------------------


async def test_a_channel_says_what_its_provider_thinks_of_us(place: ApiHouse) -> None:
    place.provider.then(Answer(body=b'{"id":"1","quality_rating":"GREEN"}'))
    shown = await place.get("/v1/channels/wa/health")
    assert (shown["ok"], "GREEN" in shown["detail"], shown["type"], shown["endpoint_id"]) == (
        True, True, "whatsapp", "wa",
    )  # fmt: skip
    assert place.provider.calls[-1].headers["authorization"] == "Bearer " + "t" * 20
    assert (shown["waiting"], shown["failures"]) == ({}, [])


async def test_a_provider_is_asked_once_in_a_while_however_many_look(place: ApiHouse) -> None:
    import asyncio

    place.provider.usual = Answer(body=b'{"id":"1"}')
    await asyncio.gather(*(place.get("/v1/channels/wa/health") for _ in range(5)))
    assert len(place.provider.calls) == 1
    place.clock.advance(5)
    await place.get("/v1/channels/wa/health")
    assert len(place.provider.calls) == 2


async def test_refused_credentials_are_told(place: ApiHouse) -> None:
    place.provider.then(Answer(401, body=b'{"error":{"code":190,"message":"expired"}}'))
    shown = await place.get("/v1/channels/wa/health")
    assert (shown["ok"], shown["detail"].partition(":")[0]) == (False, "credentials_refused")


async def test_a_channel_shows_what_waits_and_what_failed_lately(place: ApiHouse) -> None:
    await fails(place, "k")
    id = await place.writes("again")
    await place.says(id, key="waits")
    shown = await place.get("/v1/channels/wa/health")
    assert shown["waiting"]["send"] == 1
    assert [(one["what"], one["state"], one["error"]) for one in shown["failures"]] == [
        ("send", "failed", "unreachable 131026")
    ]
    place.clock.advance(3_601)
    assert (await place.get("/v1/channels/wa/health"))["failures"] == []
    assert (await place.core.store.read(outbox.depth))["send"] == 1, f"state {DUE}"


async def test_a_channel_that_is_not_configured_is_unknown(place: ApiHouse) -> None:
    assert (await place.call("GET", "/v1/channels/nothing/health")).status == 404


async def test_queues_say_who_waits_since_when(place: ApiHouse) -> None:
    empty = {"name": "default", "waiting": 0, "oldest_due": None}
    assert (await place.get("/v1/queues"))["items"] == [empty]
    for number in range(2):
        id = await place.writes("help", f"49151000000{number}")
        assert (await place.gives(id, holder="queue", queue="billing", expected_epoch=1)).status == 200
        place.clock.advance(60)
    billing = {"name": "billing", "waiting": 2, "oldest_due": "2026-01-02T03:19:05Z"}
    assert (await place.get("/v1/queues"))["items"] == [billing, empty]
