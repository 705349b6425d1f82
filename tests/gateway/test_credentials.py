"""Tokens are got once for all who ask, stored before they are used, and renewed before they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from msgspec.structs import replace

from adapters.base import Auth, CredentialsRefused, Flow, Grant, HttpCall, SendError, Throttled, Unavailable
from gateway import credentials
from gateway.clock import CountingIds, FrozenClock
from gateway.credentials import Credentials, CredentialSettings
from gateway.directory import Mounted
from gateway.media import MediaSettings, MediaStore
from gateway.store import grants
from gateway.store.store import Store, StoreUnavailable
from gateway.transport import GuardSettings, Transport, TransportSettings
from normalizer.ids import EndpointId
from tests.gateway.provider import Answer, HangUp, Provider, Silent, Slow
from tests.gateway.time import pass_time
from tests.rooms.desk import Desk
from tests.store.conftest import clock, empty_sqlite, sqlite_store, sqlite_url

__all__ = ["clock", "empty_sqlite", "sqlite_store", "sqlite_url"]

KEY = "k" * 43
SETTINGS = CredentialSettings()


def token(access: str, **more: Any) -> Answer:
    return Answer(body=json.dumps({"access_token": access, "token_type": "Bearer", **more}).encode())


class Place:
    """A token server, an endpoint that logs in with what it gives, and a process that keeps it."""

    def __init__(self, store: Store, transport: Transport, clock: FrozenClock, server: Provider) -> None:
        self.store, self.transport, self.clock, self.server = store, transport, clock, server
        self.grant = Grant(token_url=server.url("/token"), client_id="us", client_secret="s3cret",
                           refresh_token="refresh-1", scope="mail")  # fmt: skip
        self.settings = SETTINGS
        self.key = KEY
        self.boot()

    def boot(self) -> None:
        """A process that remembers nothing."""
        self.credentials = self.another()

    def another(self) -> Credentials:
        return Credentials(self.store, self.transport, self.clock, CountingIds(), self.key, self.settings)

    @property
    def mounted(self) -> Mounted:
        return Mounted(id=EndpointId("box"), type="desk", adapter=Desk(), channels=(),
                       credentials={"oauth": self.grant, "password": "plain"})  # fmt: skip

    async def token(self, one: Credentials | None = None) -> str:
        return await (one or self.credentials).secret(self.mounted, "oauth")

    async def refused(self, error: type[SendError]) -> SendError:
        with pytest.raises(error) as failed:
            await self.token()
        assert failed.value.certain
        return failed.value

    @property
    def asked(self) -> list[dict[str, list[str]]]:
        return [parse_qs(call.body.decode()) for call in self.server.calls]


@pytest.fixture
async def place(sqlite_store: Store, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Place]:
    media = MediaStore(tmp_path / "files", MediaSettings(min_free_bytes=0, media_min_free_bytes=0), clock)
    async with (
        Transport(TransportSettings(), GuardSettings(), media, clock) as transport,
        Provider(usual=token("access", expires_in=3600)) as server,
    ):
        yield Place(sqlite_store, transport, clock, server)
    media.close()


# --- plain secrets ----------------------------------------------------------------------------------------------------


async def test_plain_secrets_are_given_as_they_are(place: Place) -> None:
    given = {"password": "plain"}
    mounted = replace(place.mounted, credentials=given)
    assert await place.credentials.of(mounted) is given
    assert await place.credentials.secret(mounted, "password") == "plain"
    assert place.server.calls == []


def test_for_plain_secrets_nothing_is_awaited(place_without_loop: Credentials) -> None:
    mounted = Mounted(id=EndpointId("x"), type="desk", adapter=Desk(), channels=(), credentials={"a": "b"})
    waiting = place_without_loop.of(mounted)
    with pytest.raises(StopIteration) as done:
        waiting.send(None)
    assert done.value.value == {"a": "b"}


@pytest.fixture
def place_without_loop(sqlite_store: Store, clock: FrozenClock) -> Credentials:
    transport: Any = None
    return Credentials(sqlite_store, transport, clock, CountingIds(), KEY, SETTINGS)


async def test_a_name_that_nobody_knows(place: Place) -> None:
    with pytest.raises(CredentialsRefused, match="no credential named other"):
        await place.credentials.secret(place.mounted, "other")


# --- a token ----------------------------------------------------------------------------------------------------------


async def test_a_token_is_got_and_used_until_shortly_before_its_end(place: Place) -> None:
    place.server.then(token("one", expires_in=3600), token("two", expires_in=3600))
    assert await place.credentials.of(place.mounted) == {"oauth": "one", "password": "plain"}
    place.clock.advance(3600 - SETTINGS.renew_before_s - 1)
    assert await place.token() == "one"
    place.clock.advance(1)
    assert await place.token() == "two"
    assert len(place.server.calls) == 2


async def test_a_short_token_is_renewed_half_way(place: Place) -> None:
    place.server.then(token("one", expires_in=100), token("two"))
    assert await place.token() == "one"
    place.clock.advance(49)
    assert await place.token() == "one"
    place.clock.advance(1)
    assert await place.token() == "two"


@pytest.mark.parametrize("said", [{}, {"expires_in": None}, {"expires_in": 0}, {"expires_in": -5}])
async def test_a_token_that_does_not_say_how_long_it_lives(place: Place, said: dict[str, Any]) -> None:
    place.server.then(token("one", **said), token("two"))
    assert await place.token() == "one"
    place.clock.advance(SETTINGS.assumed_life_s - SETTINGS.renew_before_s - 1)
    assert await place.token() == "one"
    place.clock.advance(1)
    assert await place.token() == "two"


async def test_all_who_ask_at_once_ask_once(place: Place) -> None:
    gate = asyncio.Event()
    place.server.then(Slow(gate, token("one")))
    asking_all = [asyncio.create_task(place.token()) for _ in range(20)]
    await place.server.came(1)
    asking_all[0].cancel()
    gate.set()
    assert await asyncio.gather(*asking_all[1:]) == ["one"] * 19
    assert len(place.server.calls) == 1


async def test_two_nodes_that_ask_at_once_ask_once(place: Place) -> None:
    """The one that has not the lease looks into the store until the other has put the token there."""
    gate = asyncio.Event()
    place.server.then(Slow(gate, token("one")))
    other = place.another()
    first = asyncio.create_task(place.token())
    await place.server.came(1)
    second = asyncio.create_task(place.token(other))
    await place.store.write(lambda tx: None)
    gate.set()
    assert (await first, await second, len(place.server.calls)) == ("one", "one", 1)


async def test_a_restart_uses_what_is_kept(place: Place) -> None:
    place.server.then(token("one", expires_in=3600))
    assert await place.token() == "one"
    place.boot()
    assert await place.token() == "one"
    assert len(place.server.calls) == 1


async def test_a_refresh_token_that_was_rotated_is_the_next_one(place: Place) -> None:
    place.server.then(token("one", refresh_token="refresh-2", expires_in=100), token("two", expires_in=100), token("3"))
    for _ in range(3):
        await place.token()
        place.clock.advance(100)
        place.boot()
    assert [fields["refresh_token"] for fields in place.asked] == [["refresh-1"], ["refresh-2"], ["refresh-2"]]


async def test_it_is_stored_before_it_is_used(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store did not take is handed to nobody; when it takes it, the server need not be asked again."""
    place.server.then(token("one", refresh_token="refresh-2"))
    keep = grants.keep

    def broken(*_: Any) -> bool:
        raise StoreUnavailable("as the test wants it")

    monkeypatch.setattr(grants, "keep", broken)
    await place.refused(Unavailable)
    monkeypatch.setattr(grants, "keep", keep)
    place.clock.advance(SETTINGS.trouble_pause_s)
    assert await place.token() == "one"
    place.boot()
    assert await place.token() == "one"
    assert len(place.server.calls) == 1


async def test_what_is_kept_can_not_be_read_without_the_key(place: Place) -> None:
    place.server.then(token("acc3ss", refresh_token="r3fresh"), token("another"))
    await place.token()
    with place.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM credential").fetchall()
    assert "acc3ss" not in str(rows)
    assert "r3fresh" not in str(rows)
    place.key = "another" + KEY
    place.boot()
    assert await place.token() == "another"


async def test_what_was_kept_for_another_place_opens_nothing(place: Place) -> None:
    """Whoever can write into the database could put one endpoint's token into the place of another's."""
    place.server.then(token("one"), token("two"))
    await place.token()
    place.boot()
    mounted = replace(place.mounted, id=EndpointId("other"))
    with place.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE credential SET endpoint_id = 'other'")
    assert await place.credentials.secret(mounted, "oauth") == "two"


async def test_a_new_grant_of_the_operator_begins_anew(place: Place) -> None:
    place.server.then(token("one", refresh_token="refresh-2"), token("two"))
    await place.token()
    place.grant = replace(place.grant, refresh_token="refresh-new")
    place.boot()
    assert await place.token() == "two"
    assert place.asked[1]["refresh_token"] == ["refresh-new"]


async def test_a_token_that_a_provider_refused_is_renewed(place: Place) -> None:
    place.server.then(token("one"), token("two"))
    assert await place.token() == "one"
    place.credentials.refused(place.mounted, {"oauth": "one", "password": "plain"})
    assert await place.token() == "two"
    place.credentials.refused(place.mounted, {"password": "plain"})
    assert await place.token() == "two"
    assert len(place.server.calls) == 2


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 200])
async def test_what_is_refused_rests_before_it_is_tried_again(place: Place, status: int) -> None:
    """Also by servers that say so in a success (Slack's)."""
    place.server.then(Answer(status, body=b'{"ok":false,"error":"invalid_grant"}'), token("one"))
    assert (await place.refused(CredentialsRefused)).provider_code == "invalid_grant"
    place.clock.advance(SETTINGS.refused_pause_s - 1)
    await place.refused(CredentialsRefused)
    assert len(place.server.calls) == 1
    place.clock.advance(1)
    assert await place.token() == "one"


@pytest.mark.parametrize(
    "trouble",
    [Answer(503), Answer(200, body=b"<html>"), Answer(200, body=b'{"error":"ratelimited"}'), HangUp(), Silent()],
)
async def test_trouble_of_the_server_is_no_doubt_about_the_message(place: Place, trouble: Any) -> None:
    place.server.then(trouble, token("one"))
    asked = asyncio.create_task(place.refused(Unavailable))
    if isinstance(trouble, Silent):
        await place.server.came(1)
        pass_time()
    await asked
    place.clock.advance(place.settings.trouble_pause_s)
    assert await place.token() == "one"


async def test_a_token_that_is_still_good_outlives_the_trouble(place: Place) -> None:
    place.server.then(token("one", expires_in=3600), Answer(503), token("two"))
    assert await place.token() == "one"
    place.clock.advance(3599)
    assert await place.token() == "one"
    place.clock.advance(1)
    await place.refused(Unavailable)
    place.clock.advance(SETTINGS.trouble_pause_s)
    assert await place.token() == "two"
    assert len(place.server.calls) == 3


async def test_a_refused_grant_is_refused_although_a_token_is_still_good(place: Place) -> None:
    place.server.then(token("one", expires_in=3600), Answer(401, body=b'{"error":"invalid_client"}'))
    await place.token()
    place.clock.advance(3500)
    await place.refused(CredentialsRefused)


async def test_who_asks_too_often_waits_as_long_as_he_is_told(place: Place) -> None:
    place.server.then(Answer(429, {"Retry-After": "90"}), token("one"))
    await place.refused(Throttled)
    place.clock.advance(89)
    await place.refused(Throttled)
    place.clock.advance(1)
    assert await place.token() == "one"


async def test_a_node_that_died_while_it_renewed_is_waited_for_no_longer_than_its_lease(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "LOOK_AGAIN_S", 0.001)
    gate = asyncio.Event()
    place.server.then(Slow(gate, token("one")), token("two"))
    dying = asyncio.create_task(place.token())
    await place.server.came(1)
    other = place.another()
    waiting = asyncio.create_task(place.token(other))
    await place.store.write(lambda tx: None)
    assert not waiting.done()
    place.clock.advance(SETTINGS.lease_ms / 1000)
    assert await waiting == "two"
    gate.set()
    with pytest.raises(Unavailable):
        await dying


async def test_without_a_database_there_is_no_token(place: Place) -> None:
    alone = Credentials(None, place.transport, place.clock, CountingIds(), KEY, SETTINGS)
    with pytest.raises(Unavailable, match="database"):
        await alone.of(place.mounted)
    assert await alone.secret(place.mounted, "password") == "plain"


async def test_grants_that_differ_in_anything_are_kept_apart(place: Place) -> None:
    changed = [replace(place.grant, **{name: "other"}) for name in msgspec.structs.asdict(place.grant)]
    digests = {place.credentials._place(place.mounted, "oauth", one).digest for one in (place.grant, *changed)}
    assert len(digests) == len(changed) + 1


# --- flows ------------------------------------------------------------------------------------------------------------


def calling(url: str, closed: list[str]) -> Flow[int]:
    try:
        reply = yield HttpCall(method="GET", url=url, auth=Auth("oauth"))
    finally:
        closed.append("closed")
    if reply.status == 401:
        raise CredentialsRefused("the token")
    return reply.status


async def test_a_flow_gets_the_token_and_a_refused_one_is_renewed_for_the_next(place: Place) -> None:
    place.server.then(token("one"), Answer(401), token("two"), Answer(200))
    closed: list[str] = []
    url = place.server.url("/send")
    with pytest.raises(CredentialsRefused):
        await place.credentials.run(calling(url, closed), place.mounted, timeout_ms=5_000)
    assert await place.credentials.run(calling(url, closed), place.mounted, timeout_ms=5_000) == 200
    used = [call.headers["authorization"] for call in place.server.calls if call.path == "/send"]
    assert used == ["Bearer one", "Bearer two"]


async def test_a_flow_without_a_token_never_begins(place: Place) -> None:
    place.server.then(Answer(503))
    closed: list[str] = []
    with pytest.raises(Unavailable):
        await place.credentials.run(calling(place.server.url(), closed), place.mounted, timeout_ms=5_000)
    assert len(place.server.calls) == 1


async def test_a_token_that_takes_too_long_costs_no_more_than_the_call_may(place: Place) -> None:
    """A command's lease must outlast all that is done for it; the renewal goes on for the next."""
    gate = asyncio.Event()
    place.server.then(Slow(gate, token("one")), Answer(200))
    with pytest.raises(Unavailable, match="no token in time"):
        await place.credentials.run(calling(place.server.url(), []), place.mounted, timeout_ms=20)
    gate.set()
    assert await place.credentials.run(calling(place.server.url(), []), place.mounted, timeout_ms=5_000) == 200
    assert len(place.server.calls) == 2
