"""What operators do, beside a gateway that runs and holds the lock of its data."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from gateway import operator
from gateway.clock import FrozenClock
from gateway.commands import Failed
from gateway.operator.sending import address_of
from gateway.operator.upkeep import Pruned
from gateway.security import Scope
from gateway.settings import Config
from gateway.store import files, migrate
from gateway.store.schema import command, dedupe, envelope
from gateway.store.store import open_store
from tests.gateway.api_house import CUSTOMER, PATIENCE_MS, ApiHouse, config, running, text_message
from tests.gateway.provider import Answer, Provider

T = TypeVar("T")
NOWHERE = "http://127.0.0.1:9"
STRANGER = {"metadata": {"display_phone_number": "1", "phone_number_id": "999"}}
DAYS = 86_400


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path, rooms={"dedupe_retention_days": 60}) as made:
        yield made


async def apart(call: Callable[..., T], *args: Any, **more: Any) -> T:
    """As another process would: the loop of the gateway goes on."""
    return await asyncio.to_thread(call, *args, **more)


# --- the store beside a gateway -------------------------------------------------------------------------------------


def test_migrate_makes_the_database_and_may_be_repeated(tmp_path: Path) -> None:
    made = config(tmp_path / "new", NOWHERE)
    assert [operator.migrate(made) for _ in range(2)] == [migrate.HEAD] * 2
    assert operator.list_dead(made) == []


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    made = config(tmp_path, NOWHERE)
    operator.migrate(made)
    with sqlite3.connect(tmp_path / "throughline.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for call in (lambda: operator.migrate(made), lambda: operator.list_tokens(made)):
        with pytest.raises(Failed):
            call()


def test_without_a_database_a_command_says_so_and_makes_none(tmp_path: Path) -> None:
    made = config(tmp_path, NOWHERE)
    for call in (
        lambda: operator.create_token(made, "crm", Scope.READ),
        lambda: operator.trace(made, "x"),
        lambda: operator.prune(made),
        lambda: operator.replay(made, None),
    ):
        with pytest.raises(Failed, match="throughline migrate"):
            call()
    assert list(tmp_path.iterdir()) == []


# --- keys ---------------------------------------------------------------------------------------------------------


async def test_a_key_opens_the_running_gateway_until_it_is_revoked(place: ApiHouse) -> None:
    made = place.core.config
    token = await apart(operator.create_token, made, "crm", Scope.READ)
    assert (await place.call("GET", "/v1/queues", token=token)).status == 200
    (listed,) = await apart(operator.list_tokens, made)
    assert (listed.name, listed.scope, listed.expires_at, listed.revoked_at) == ("crm", "read", None, None)
    assert token not in str(listed)
    assert [await apart(operator.revoke_token, made, token) for _ in range(2)] == [True, False]
    place.clock.advance(3)
    assert (await place.call("GET", "/v1/queues", token=token)).status == 401
    assert not await apart(operator.revoke_token, made, "unknown")


def test_a_key_may_have_days(tmp_path: Path) -> None:
    made = config(tmp_path, NOWHERE)
    operator.migrate(made)
    operator.create_token(made, "short", Scope.ADMIN, 3)
    (listed,) = operator.list_tokens(made)
    assert listed.expires_at is not None
    assert (listed.expires_at - listed.created_at).days == 3
    assert operator.revoke_token(made, listed.id)


# --- dead letters ---------------------------------------------------------------------------------------------------


async def dies(place: ApiHouse, wamid: str) -> None:
    raw = place.raw(text_message("hello", CUSTOMER, wamid) | STRANGER)
    await place.core.receiver.receive(raw, outcome_ms=PATIENCE_MS)


async def test_the_dead_are_listed_and_replayed(place: ApiHouse) -> None:
    made = place.core.config
    for wamid in ("wamid.a", "wamid.b", "wamid.c"):
        await dies(place, wamid)
    await place.stop_room_2()
    letters = await apart(operator.list_dead, made)
    assert [(one.kind, one.reason, one.detail, one.where) for one in letters] == [
        ("inbound", "unknown_account", "999", "wa")
    ] * 3
    assert await apart(operator.replay, made, [letters[0].id], place.clock) == 1
    assert await apart(operator.replay, made, [letters[0].id], place.clock) == 0
    assert [one.id for one in await apart(operator.list_dead, made)] == [one.id for one in letters[1:]]
    assert await apart(operator.replay, made, None, place.clock) == 2
    assert await apart(operator.list_dead, made) == []
    place.clock.advance(1)
    await place.house.processor.drain()
    again = await apart(operator.list_dead, made)
    assert len(again) == 3
    assert not {one.id for one in again} & {one.id for one in letters}


async def test_a_command_is_repeated_by_its_number_only(place: ApiHouse) -> None:
    made = place.core.config
    id = await place.writes("hello")
    place.provider.then(Answer(400, body=b'{"error":{"code":131026,"message":"no"}}'))
    await place.says(id)
    await place.house.performer.drain()
    (letter,) = await apart(operator.list_dead, made)
    assert (letter.kind, letter.reason, letter.detail, letter.where) == ("send", "failed", "unreachable 131026", "wa")
    assert await apart(operator.replay, made, None, place.clock) == 0
    assert await apart(operator.replay, made, [letter.id], place.clock) == 1
    assert await apart(operator.list_dead, made) == []


async def test_nothing_is_replayed_that_nobody_knows(place: ApiHouse) -> None:
    with pytest.raises(Failed, match="12345"):
        await apart(operator.replay, place.core.config, [12345])


# --- tracing ------------------------------------------------------------------------------------------------------


async def traced(place: ApiHouse, id: str) -> list[tuple[str, str]]:
    return [(row.room, row.what) for row in await apart(operator.trace, place.core.config, id)]


async def test_a_message_is_followed_through_every_room(place: ApiHouse) -> None:
    id = await place.writes("hello")
    await place.says(id, "hello yourself")
    await place.house.performer.drain()
    (inbound, _, answer) = (await place.get(f"/v1/conversations/{id}/envelopes"))["items"]
    seen = await traced(place, inbound["external_id"])
    assert sorted(seen) == [
        ("perform", "external"), ("process", "envelope"), ("process", "seen"), ("receive", "intake"),
    ]  # fmt: skip
    assert await traced(place, inbound["id"]) == [one for one in seen if one != ("perform", "external")]
    sent = await apart(operator.trace, place.core.config, "wamid.out")
    about = {row.what: row.about for row in sent}
    assert about["external"] == "wa: sent"
    assert about["command"].startswith("send done")
    assert f"conversation {id} seq {answer['seq']}" in about["envelope"]
    of_command = next(row.id for row in sent if row.what == "command")
    assert ("perform", "command") in await traced(place, of_command)
    shown = "".join(str(row) for row in sent)
    assert "yourself" not in shown
    assert CUSTOMER not in shown


async def test_what_waits_or_died_is_found_by_what_it_holds(place: ApiHouse) -> None:
    await dies(place, "wamid.lost")
    await place.stop_room_2()
    await place.core.receiver.receive(place.raw(text_message("hello", CUSTOMER, "wamid.waits")))
    assert await traced(place, "wamid.waits") == [("receive", "intake")]
    assert await traced(place, "wamid.lost") == [("process", "dead"), ("receive", "intake")]  # its outcome is kept
    assert await traced(place, "wamid.unknown") == []


async def test_a_parked_receipt_is_found_by_the_message_that_it_waits_for(place: ApiHouse) -> None:
    status = {"id": "wamid.later", "status": "read", "timestamp": "1767323045", "recipient_id": CUSTOMER}
    await place.takes({"statuses": [status]})
    seen = await traced(place, "wamid.later")
    assert ("process", "parked") in seen
    assert ("process", "envelope") in seen


# --- retention ----------------------------------------------------------------------------------------------------


async def prunes(place: ApiHouse, after_days: float, *, dry_run: bool = False) -> dict[str, int]:
    later = FrozenClock()
    later.advance(after_days * DAYS)
    done: list[Pruned] = await apart(operator.prune, place.core.config, dry_run=dry_run, clock=later)
    return {one.what: one.count for one in done}


def counts(made: Config) -> dict[str, int]:
    engine = sa.create_engine(made.store.url)
    with engine.connect() as connection:
        found = {
            "raw": sa.select(sa.func.count()).where(envelope.c.raw.is_not(None)),
            "messages": sa.select(sa.func.count()).select_from(envelope),
            "commands": sa.select(sa.func.count()).select_from(command),
            "seen": sa.select(sa.func.count()).select_from(dedupe),
        }
        numbers = {name: connection.execute(query).scalar_one() for name, query in found.items()}
    engine.dispose()
    return numbers


async def test_everything_goes_in_its_time_and_not_before(place: ApiHouse) -> None:
    made = place.core.config
    await place.writes("hello")
    await place.house.performer.drain()
    await dies(place, "wamid.lost")
    before = await apart(counts, made)
    assert await prunes(place, 29.9) == {}
    would = await prunes(place, 31, dry_run=True)
    assert would["what providers sent, byte for byte"] == 1
    assert 1 <= would["finished commands"] <= before["commands"]
    assert await apart(counts, made) == before
    assert await prunes(place, 31) == would
    after = await apart(counts, made)
    assert (after["raw"], after["messages"], after["seen"]) == (0, before["messages"], before["seen"])
    assert await prunes(place, 31) == {}
    assert await prunes(place, 61) == {"keys of events that were seen": before["seen"]}
    assert len(await apart(operator.list_dead, made)) == 1, "what nobody has looked at stays"


async def test_seen_events_are_remembered_for_ever_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        await place.writes("hello")
        await prunes(place, 10_000)
        assert (await apart(counts, place.core.config))["seen"] == 1


async def test_a_file_goes_when_no_message_names_it(place: ApiHouse) -> None:
    async def one(data: bytes) -> AsyncIterator[bytes]:
        yield data

    used = await place.core.media.put(one(b"used"))
    unused = await place.core.media.put(one(b"unused"))
    row = files.FileRow(used.sha256, used.size, used.mime, 1)
    await place.core.store.write(lambda tx: files.add(tx, [row]))
    id = await place.writes("hello")
    # No row counts this use: only the message itself names the file.
    part = {"type": "document", "media": {"stored": used.sha256, "filename": "a.txt"}}
    assert (await place.says(id, None, parts=[part])).status == 201
    for name in (used.sha256, unused.sha256):
        old = place.clock.now().timestamp()
        os.utime(place.core.media.path(name), (old, old))
    assert await prunes(place, 1, dry_run=True) == {"files that no message uses": 1}
    assert await prunes(place, 1) == {"files that no message uses": 1}
    assert place.core.media.path(used.sha256).exists()
    assert not place.core.media.path(unused.sha256).exists()
    assert await place.core.store.read(lambda tx: files.get(tx, used.sha256)) == row


# --- sending ------------------------------------------------------------------------------------------------------


async def sends(place: ApiHouse, to: str, text: str, channel: str | None = None) -> str:
    return await apart(operator.send, place.core.config, to, text, channel, url=str(place.client.make_url("/")))


async def test_a_message_goes_through_the_running_gateway(place: ApiHouse) -> None:
    id = await place.writes("hello")
    said = await sends(place, id, "by conversation")
    assert said.startswith(f"{id}: env_")
    assert (await sends(place, f"tel:+{CUSTOMER}", "by address", "wa")).startswith(id)
    items = (await place.get(f"/v1/conversations/{id}/envelopes"))["items"]
    texts = [one["body"]["parts"][0]["text"] for one in items if one.get("author") == "agent"]
    assert texts == ["by conversation", "by address"]
    listed = await apart(operator.list_tokens, place.core.config)
    assert all(one.revoked_at is not None for one in listed if one.name == "throughline send")


@pytest.mark.parametrize(
    ("to", "channel", "why"),
    [
        ("cv_unknown", None, "no such conversation"),
        ("fax:123", "wa", "fax"),
        (f"tel:+{CUSTOMER}", None, "--channel"),
        ("tel:+491", "wa", "nobody"),
        (f"tel:+{CUSTOMER}", "other", "has not written on other"),
    ],
)
async def test_what_has_no_way_is_said(place: ApiHouse, to: str, channel: str | None, why: str) -> None:
    await place.writes("hello")
    with pytest.raises(Failed, match=why):
        await sends(place, to, "x", channel)


async def test_a_refusal_of_the_gateway_is_passed_on_and_the_key_is_revoked(place: ApiHouse) -> None:
    id = await place.writes("hello")
    with pytest.raises(Failed, match="not what this operation takes"):
        await sends(place, id, "")
    (key,) = [one for one in await apart(operator.list_tokens, place.core.config) if one.name == "throughline send"]
    assert key.revoked_at is not None


async def test_without_a_gateway_a_message_goes_nowhere(place: ApiHouse) -> None:
    id = await place.writes("hello")
    with pytest.raises(Failed, match=r"No gateway answers at http://127\.0\.0\.1:9"):
        await apart(operator.send, place.core.config, id, "x", url=NOWHERE)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8080"), ("0.0.0.0", "http://127.0.0.1:8080"), ("::", "http://[::1]:8080")],
)
def test_the_gateway_is_called_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    assert address_of(config(tmp_path, NOWHERE, server={"host": host, "port": 8080})) == url


# --- the doctor -----------------------------------------------------------------------------------------------------


def found(made: Config) -> dict[str, tuple[bool, str]]:
    return {one.check: (one.ok, one.detail) for one in operator.doctor(made)}


async def test_the_doctor_finds_a_healthy_house_in_order(place: ApiHouse) -> None:
    place.provider.usual = Answer(body=b'{"id":"1","quality_rating":"GREEN"}')
    findings = await apart(found, place.core.config)
    assert list(findings) == [
        "configuration", "key", "data_dir", "disk", "database", "engine", "channel wa (whatsapp)",
    ]  # fmt: skip
    assert [name for name, (ok, _) in findings.items() if not ok] == []
    assert "GREEN" in findings["channel wa (whatsapp)"][1]
    assert "t" * 20 not in str(findings)


async def test_the_doctor_names_everything_that_is_wrong_and_changes_nothing(tmp_path: Path) -> None:
    async with Provider(usual=Answer(401, body=b'{"error":{"code":190,"message":"expired"}}')) as provider:
        folder = tmp_path / "none" / "yet"
        made = config(folder, provider.url("").rstrip("/"), media={"media_min_free_bytes": 2**60})
        findings = await apart(found, made)
    assert [name for name, (ok, _) in findings.items() if not ok] == ["disk", "database", "channel wa (whatsapp)"]
    assert "throughline migrate" in findings["database"][1]
    assert findings["channel wa (whatsapp)"][1].startswith("credentials_refused")
    assert not folder.exists()


def test_the_doctor_sees_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert found(config(tmp_path / "file", NOWHERE))["data_dir"][0] is False


async def test_commands_wait_for_no_lock(place: ApiHouse) -> None:
    """The gateway serves this folder; another one would be refused."""
    from gateway.store.store import DataDirLocked

    made = place.core.config
    with pytest.raises(DataDirLocked):
        open_store(made.store.url, place.clock, data_dir=Path(made.store.data_dir))
    assert await apart(operator.list_tokens, made) == []
