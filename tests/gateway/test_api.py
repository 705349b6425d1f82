"""The API against the real rooms: what a program reads, what it sends, and who holds a conversation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store import handover
from normalizer import codec
from tests.gateway.api_house import ANNA, CUSTOMER, NUMBER, OTHER, ApiHouse, linked, running
from tests.gateway.provider import Answer


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path) as made:
        yield made


# --- reading ------------------------------------------------------------------------------------------------------


async def test_a_conversation_shows_who_holds_it_why_and_what_comes_next(place: ApiHouse) -> None:
    id = await place.writes("hello")
    shown = await place.get(f"/v1/conversations/{id}")
    assert (shown["holder"], shown["queue"], shown["agent_id"]) == ("ai", None, None)
    assert (shown["epoch"], shown["head"], shown["reason"]) == (1, 1, "the customer wrote")
    assert (shown["next_step"], shown["due_at"]) == ("the AI answers", "2026-01-02T03:04:13Z")
    assert (shown["created_at"], shown["updated_at"]) == ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z")
    assert (shown["contact"]["kind"], shown["contact"]["name"]) == ("person", "Jo")
    assert shown["linked"] == []
    (leg,) = shown["legs"]
    assert (leg["channel_id"], leg["address"], leg["replies_here"]) == ("wa", f"whatsapp:{CUSTOMER}", True)
    assert leg["window_until"] == "2026-01-03T03:04:05Z"


async def test_conversations_come_newest_first_page_by_page(place: ApiHouse) -> None:
    ids = []
    for number in range(5):
        place.clock.advance(number % 2)  # some began in the same millisecond
        ids.append(await place.writes("hello", f"4915100000{number}"))
    seen: list[str] = []
    path = "/v1/conversations?limit=2"
    while True:
        page = await place.get(path)
        seen += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            break
        path = f"/v1/conversations?limit=2&cursor={page['next']}"
    assert sorted(seen) == sorted(ids)
    times = [(await place.get(f"/v1/conversations/{id}"))["created_at"] for id in seen]
    assert times == sorted(times, reverse=True)


async def test_conversations_of_one_kind_of_holder(place: ApiHouse) -> None:
    with_ai, with_anna = await place.writes("hello"), await place.writes("hello", OTHER)
    await place.gives(with_anna, holder="agent", agent_id=ANNA, expected_epoch=1)
    for holder, expected in {"ai": [with_ai], "agent": [with_anna], "queue": [], "nobody": []}.items():
        page = await place.get(f"/v1/conversations?holder={holder}")
        assert [item["id"] for item in page["items"]] == expected


async def test_envelopes_come_in_their_wire_form_in_the_order_of_seq(place: ApiHouse) -> None:
    id = await place.writes("one")
    for text in ("two", "three"):
        assert await place.writes(text) == id
    detail = await place.get(f"/v1/conversations/{id}")
    page = await place.get(f"/v1/conversations/{id}/envelopes?limit=2")
    assert [item["body"]["parts"][0]["text"] for item in page["items"]] == ["one", "two"]
    assert (page["next_after"], page["head"]) == (2, 3)
    first = page["items"][0]
    assert (first["v"], first["seq"], first["conversation_id"]) == (1, 1, id)
    assert (first["contact_id"], first["channel_id"]) == (detail["contact_id"], "wa")
    assert first["leg_id"] == detail["legs"][0]["id"]
    assert (first["status"], first["error"]) == (None, None)
    rest = await place.get(f"/v1/conversations/{id}/envelopes?after=2")
    assert [item["seq"] for item in rest["items"]] == [3]
    assert rest["next_after"] is None


async def test_a_shown_envelope_is_read_by_the_codec(place: ApiHouse) -> None:
    import json

    id = await place.writes("hello")
    (item,) = (await place.get(f"/v1/conversations/{id}/envelopes"))["items"]
    envelope = codec.decode(json.dumps(item).encode())
    assert (envelope.conversation_id, envelope.seq, envelope.account) == (id, 1, NUMBER)


async def test_a_sent_message_shows_how_far_it_got_and_why_it_failed(place: ApiHouse) -> None:
    id = await place.writes("hello")
    await place.says(id, "coming", key="a")
    assert await states(place, id) == [None, None, None]
    await place.house.performer.drain()
    assert (await states(place, id))[2] == "sent"
    refused = b'{"error":{"code":131047,"message":"Re-engagement message"}}'
    place.provider.then(Answer(400, body=refused))
    await place.says(id, "too late", key="b")
    await place.house.performer.drain()
    last = (await place.get(f"/v1/conversations/{id}/envelopes?after=3"))["items"][-1]
    assert (last["status"], last["error"]) == ("failed", "window_closed 131047")


async def states(place: ApiHouse, id: str) -> list[str | None]:
    return [item["status"] for item in (await place.get(f"/v1/conversations/{id}/envelopes"))["items"]]


# --- answering ----------------------------------------------------------------------------------------------------


async def test_an_agents_answer_has_its_place_at_once_and_the_agent_holds_on(place: ApiHouse) -> None:
    id = await place.writes("hello")
    got = await place.says(id, "Anna here")
    assert got.status == 201
    page = await place.get(f"/v1/conversations/{id}/envelopes")
    change, answer = page["items"][1:]
    assert (change["body"]["kind"], change["body"]["state"], change["body"]["who"]) == ("state_change", "agent", ANNA)
    assert (answer["id"], answer["seq"]) == (got.body["envelope_id"], got.body["seq"])
    assert (answer["author"], answer["agent_id"], answer["direction"]) == ("agent", ANNA, "out")
    assert answer["body"]["parts"] == [{"type": "text", "text": "Anna here"}]
    shown = await place.get(f"/v1/conversations/{id}")
    assert (shown["holder"], shown["agent_id"]) == ("agent", ANNA)


async def test_a_repeat_gets_the_same_answer_and_has_no_second_effect(place: ApiHouse) -> None:
    id = await place.writes("hello")
    first = await place.says(id, key="same")
    await place.writes("thanks")
    again = await place.says(id, key="same")
    assert (again.status, again.body) == (first.status, first.body)
    page = await place.get(f"/v1/conversations/{id}/envelopes")
    assert [item.get("author") for item in page["items"]].count("agent") == 1


async def test_the_same_key_with_another_message_is_a_conflict(place: ApiHouse) -> None:
    id = await place.writes("hello")
    await place.says(id, "one", key="same")
    got = await place.says(id, "two", key="same")
    assert (got.status, got.body["type"]) == (409, "urn:throughline:key_reused")


async def test_two_conversations_may_use_the_same_key(place: ApiHouse) -> None:
    ids = [await place.writes("hello"), await place.writes("hello", OTHER)]
    taken = [await place.says(id, key="same") for id in ids]
    assert [got.status for got in taken] == [201, 201]
    assert taken[0].body["envelope_id"] != taken[1].body["envelope_id"]


async def test_what_room_2_has_not_done_in_time_is_accepted_and_a_repeat_tells_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", 0)
    async with running(tmp_path, server={"call_outcome_ms": 1}) as place:
        id = await place.writes("hello")
        await place.stop_room_2()
        got = await place.says(id)
        assert (got.status, got.body) == (202, {"conversation_id": id, "envelope_id": None, "seq": None})
        await place.house.processor.drain()
    async with running(tmp_path) as place:
        got = await place.says(id)
        assert (got.status, got.body["seq"]) == (201, 3)


async def test_parts_go_out_as_they_are(place: ApiHouse) -> None:
    id = await place.writes("where are you?")
    location = {"type": "location", "latitude": 52.5, "longitude": 13.4, "name": "Shop"}
    got = await place.says(id, parts=[location], text=None)
    assert got.status == 201
    (item,) = (await place.get(f"/v1/conversations/{id}/envelopes?after={got.body['seq'] - 1}"))["items"]
    assert item["body"]["parts"] == [location]


async def test_an_answer_may_quote_a_message(place: ApiHouse) -> None:
    id = await place.writes("where are you?")
    (question,) = (await place.get(f"/v1/conversations/{id}/envelopes"))["items"]
    got = await place.says(id, "here", reply_to=question["id"])
    assert got.status == 201
    (item,) = (await place.get(f"/v1/conversations/{id}/envelopes?after={got.body['seq'] - 1}"))["items"]
    assert item["body"]["reply_to"] == {"envelope_id": question["id"]}
    await place.house.performer.drain()
    sent = json.loads(place.provider.calls[-1].body)
    assert sent["context"] == {"message_id": question["external_id"]}


async def test_an_answer_may_say_in_which_language_it_is(place: ApiHouse) -> None:
    id = await place.writes("hola")
    got = await place.says(id, "Buenos días", locale="es-ES")
    (item,) = (await place.get(f"/v1/conversations/{id}/envelopes?after={got.body['seq'] - 1}"))["items"]
    assert item["locale"] == "es-ES"
    assert (await place.says(id, "Buenos días", locale="es-ES")).body == got.body
    assert (await place.says(id, "Buenos días", locale="es-MX")).status == 409


async def test_only_a_message_of_the_same_conversation_can_be_quoted(place: ApiHouse) -> None:
    id, other = await place.writes("hello"), await place.writes("hello", OTHER)
    (foreign,) = (await place.get(f"/v1/conversations/{other}/envelopes"))["items"]
    for named in (foreign["id"], "env_unknown"):
        got = await place.says(id, reply_to=named)
        assert (got.status, got.body["path"]) == (400, "$.reply_to")


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({"text": "a", "parts": [{"type": "text", "text": "b"}]}, 400, "$"),
        ({"text": None}, 400, "$"),
        ({"text": ""}, 400, "$.text"),
        ({"text": None, "parts": []}, 400, "$.parts"),
        ({"text": None, "parts": [{"type": "text", "text": ""}]}, 400, "$.parts[0].text"),
        ({"text": None, "parts": [{"type": "hologram"}]}, 400, "$.parts[0].type"),
        ({"text": None, "parts": [{"type": "text", "text": 3}]}, 400, "$.parts[0].text"),
        ({"agent_id": ""}, 400, "$.agent_id"),
        ({"agent": ANNA}, 400, "$"),
        ({"text": None, "parts": [{"type": "text", "text": "a"}, {"type": "order", "items": []}]}, 422, "$.parts[1]"),
        ({"text": None, "parts": [{"type": "image", "media": {}}]}, 400, "$.parts[0].media"),
        ({"text": None, "parts": [{"type": "image", "media": {"stored": "0" * 64}}]}, 400, "$.parts[0].media.stored"),
    ],
)
async def test_a_message_that_cannot_be_is_told_with_the_place_of_the_mistake(
    place: ApiHouse, body: dict[str, Any], status: int, path: str
) -> None:
    id = await place.writes("hello")
    got = await place.says(id, **body)
    assert (got.status, got.body.get("path", "")) == (status, path)
    assert len((await place.get(f"/v1/conversations/{id}/envelopes"))["items"]) == 1


async def test_an_answer_needs_a_key_that_names_it(place: ApiHouse) -> None:
    id = await place.writes("hello")
    body = {"agent_id": ANNA, "text": "x"}
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}, {"Idempotency-Key": "\u00e4"}):
        got = await place.call("POST", f"/v1/conversations/{id}/messages", headers=headers, body=body)
        assert (got.status, got.body["path"]) == (400, "Idempotency-Key")


async def test_nobody_can_be_answered_who_has_not_written(place: ApiHouse) -> None:
    assert (await place.says("cv_unknown")).status == 404


# --- holding ------------------------------------------------------------------------------------------------------


async def test_a_conversation_is_given_to_anybody(place: ApiHouse) -> None:
    id = await place.writes("hello")
    wanted: list[dict[str, Any]] = [
        {"holder": "agent", "agent_id": ANNA},
        {"holder": "queue", "queue": "billing"},
        {"holder": "ai"},
        {"holder": "nobody"},
    ]
    for epoch, body in enumerate(wanted, start=1):
        got = await place.gives(id, **body, expected_epoch=epoch)
        assert (got.status, got.body["epoch"]) == (200, epoch + 1)
        shown = await place.get(f"/v1/conversations/{id}")
        for name in ("holder", "queue", "agent_id"):
            assert shown[name] == got.body[name] == body.get(name)
        assert (shown["epoch"], shown["reason"]) == (epoch + 1, "asked for by test ADMIN")


async def test_the_default_queue_needs_no_name(place: ApiHouse) -> None:
    id = await place.writes("hello")
    assert (await place.gives(id, holder="queue", expected_epoch=1)).body["queue"] == "default"


async def test_a_change_that_saw_an_older_epoch_is_a_conflict_with_the_epoch_of_now(place: ApiHouse) -> None:
    id = await place.writes("hello")
    await place.gives(id, holder="agent", agent_id=ANNA, expected_epoch=1)
    got = await place.gives(id, holder="ai", expected_epoch=1)
    assert (got.status, got.body["type"], got.body["epoch"]) == (409, "urn:throughline:conflict", 2)
    assert (await place.get(f"/v1/conversations/{id}"))["holder"] == "agent"


async def test_a_repeated_change_gets_the_same_answer_and_happens_once(place: ApiHouse) -> None:
    id = await place.writes("hello")
    body: dict[str, Any] = {"holder": "agent", "agent_id": ANNA, "expected_epoch": 1}
    first = await place.gives(id, "k", **body)
    await place.gives(id, holder="queue", expected_epoch=2)
    again = await place.gives(id, "k", **body)
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    shown = await place.get(f"/v1/conversations/{id}")
    assert (shown["holder"], shown["epoch"]) == ("queue", 3)


async def test_a_repeated_change_that_was_refused_is_refused_again(place: ApiHouse) -> None:
    id = await place.writes("hello")
    for _ in range(2):
        got = await place.gives(id, "k", holder="nobody", expected_epoch=7)
        assert (got.status, got.body["epoch"]) == (409, 1)
    got = await place.gives(id, "k", holder="ai", expected_epoch=1)
    assert (got.status, got.body["type"]) == (409, "urn:throughline:key_reused")


async def test_the_ai_takes_nothing_while_its_engine_is_down(place: ApiHouse) -> None:
    from gateway.store import outbox

    id = await place.writes("hello")
    await place.gives(id, holder="queue", expected_epoch=1)
    await place.core.store.write(lambda tx: outbox.set_engine(tx, "echo", False, "gone"))
    for key in (None, "k", "k"):
        got = await place.gives(id, key, holder="ai", expected_epoch=2)
        assert (got.status, got.body["type"], got.body["epoch"]) == (409, "urn:throughline:engine_down", 2)


async def test_a_change_that_room_2_has_not_done_in_time_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", 0)
    async with running(tmp_path, server={"call_outcome_ms": 1}) as place:
        id = await place.writes("hello")
        await place.stop_room_2()
        got = await place.gives(id, holder="nobody", expected_epoch=1)
        assert (got.status, got.body["epoch"]) == (202, None)
        await place.house.processor.drain()
        assert (await place.get(f"/v1/conversations/{id}"))["holder"] == "nobody"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"holder": "agent"}, "$.agent_id"),
        ({"holder": "ai", "agent_id": ANNA}, "$.agent_id"),
        ({"holder": "agent", "agent_id": ANNA, "queue": "billing"}, "$.queue"),
        ({"holder": "somebody"}, "$.holder"),
        ({"holder": "queue", "queue": ""}, "$.queue"),
        ({"holder": "ai", "expected_epoch": -1}, "$.expected_epoch"),
        ({"holder": "ai", "expected_epoch": "1"}, "$.expected_epoch"),
    ],
)
async def test_a_holder_that_cannot_be_is_told_with_the_place_of_the_mistake(
    place: ApiHouse, body: dict[str, Any], path: str
) -> None:
    id = await place.writes("hello")
    got = await place.gives(id, **{"expected_epoch": 1} | body)
    assert (got.status, got.body["path"]) == (400, path)


async def test_nobody_holds_what_does_not_exist(place: ApiHouse) -> None:
    assert (await place.gives("cv_unknown", holder="nobody", expected_epoch=0)).status == 404


# --- the other database -------------------------------------------------------------------------------------------


async def test_postgresql_answers_alike(tmp_path: Path, postgres_db: str) -> None:
    async with running(tmp_path, store={"data_dir": str(tmp_path), "url": postgres_db}) as place:
        parent, _, first, _ = await linked(place)
        said = await place.says(first, "hello yourself", key="k")
        assert (said.status, (await place.says(first, "hello yourself", key="k")).body) == (201, said.body)
        assert (await place.says(first, "another", key="k")).status == 409
        assert (await place.gives(first, holder="queue", expected_epoch=2)).body["epoch"] == 3
        assert (await place.gives(first, holder="ai", expected_epoch=2)).body["epoch"] == 3
        assert len((await place.get("/v1/conversations?limit=1"))["items"]) == 1
        assert len((await place.get(f"/v1/conversations/{first}/envelopes"))["items"]) == 4
        assert len((await place.get(f"/v1/contacts/{parent}"))["conversations"]) == 2
        for path in ("/v1/dead", "/v1/orphans", "/v1/queues", "/v1/channels/wa/health"):
            await place.get(path)
