"""All sources of a house: kept while it runs, given up first when it stops, and missed when they go silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.base import Auth, ImapSource, Login, PullSource, Server, SocketModeSource
from gateway import listen
from gateway.listen import Listeners, listen_to
from gateway.observe import Metrics
from gateway.store import cursors
from tests.gateway.listen.conftest import clock, empty_sqlite, sqlite_store, sqlite_url, stage
from tests.gateway.listen.kit import ENDPOINT, Dialler, Stage, until

__all__ = ["clock", "empty_sqlite", "sqlite_store", "sqlite_url", "stage"]

ONE, TWO = PullSource(name="one", every_s=10), PullSource(name="two", every_s=10)


@asynccontextmanager
async def listening(stage: Stage, metrics: Metrics, *sources: Any) -> AsyncIterator[tuple[Listeners, Dialler]]:
    mounted = stage.mounted(*sources)
    assert isinstance(mounted.adapter, Dialler)
    made = Listeners(stage.parts, [mounted], metrics)
    running = asyncio.create_task(made.run())
    try:
        yield made, mounted.adapter
        if running.done():
            running.result()
    finally:
        await made.stop()
        await running


def age(metrics: Metrics, source: str) -> float | None:
    return metrics.registry.get_sample_value(
        "throughline_source_heard_seconds", {"endpoint": ENDPOINT, "source": source}
    )


async def test_every_source_is_heard_and_a_stop_waits_for_all(stage: Stage) -> None:
    async with listening(stage, Metrics(), ONE, TWO) as (made, adapter):
        await until(lambda: {name for name, _, _ in adapter.asked} == {"one", "two"})
        await made.stop()
        rows = await stage.store.read(cursors.every)
        assert [(row.name, row.leased_until) for row in rows] == [("one", 0), ("two", 0)]


async def test_a_house_without_sources_has_nothing_to_stop(stage: Stage) -> None:
    await Listeners(stage.parts, [], Metrics()).stop()
    async with listening(stage, Metrics()) as (made, _):
        assert made.keepers == []


async def test_a_keeper_that_dies_is_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Listeners(stage.parts, [stage.mounted(ONE)], Metrics())

    async def dies() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(made.keepers[0], "run", dies)
    with pytest.raises(ExceptionGroup) as caught:
        await made.run()
    assert caught.group_contains(ZeroDivisionError)
    await made.stop()


async def test_silence_is_shown_and_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listen, "LOOK_S", 0.005)
    metrics = Metrics()
    async with listening(stage, metrics, ONE) as (made, adapter):
        await until(lambda: made.keepers[0].post is not None and made.keepers[0].post.heard_at is not None)
        await until(lambda: age(metrics, "one") == 0)
        stage.clock.advance(made.keepers[0].silent_s)
        await until(lambda: age(metrics, "one") == made.keepers[0].silent_s)
        assert (made.silent, "silent" in capsys.readouterr().out) == ([], False)
        stage.clock.advance(1)
        await until(lambda: age(metrics, "one") == made.keepers[0].silent_s + 1)
        assert made.silent == ["box/one"]
        stage.clock.advance(1)
        await until(lambda: age(metrics, "one") == made.keepers[0].silent_s + 2)
        stage.wake.missed(ENDPOINT)
        await until(lambda: age(metrics, "one") == 0)
        await until(lambda: made.silent == [] and len(adapter.asked) == 2)
    said = capsys.readouterr().out
    assert (said.count("source silent"), said.count("source heard again")) == (1, 1)


async def test_what_another_node_hears_is_not_silent_here(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "LOOK_S", 0.005)
    metrics, mounted = Metrics(), stage.mounted(ONE)
    await stage.post(mounted, "one")  # that node has the lease
    async with listening(stage, metrics, ONE) as (made, _):
        stage.clock.advance(20)
        await until(lambda: age(metrics, "one") == 20)
        lease = cursors.Lease(ENDPOINT, "one", 1)
        heard = stage.store.now() - 2_000
        await stage.store.write(lambda tx: cursors.renew(tx, lease, 30_000, heard, None))
        await until(lambda: age(metrics, "one") == 2)
        assert made.keepers[0].post is None


async def test_what_happened_before_the_start_is_no_alarm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listen, "LOOK_S", 0.005)
    post = await stage.post(stage.mounted(ONE), "one")
    heard = stage.store.now() - 10**7
    await stage.store.write(lambda tx: cursors.renew(tx, post.lease, 30_000, heard, None))
    metrics = Metrics()
    async with listening(stage, metrics, ONE):
        await until(lambda: age(metrics, "one") == 10**4)
    assert "silent" not in capsys.readouterr().out


async def test_each_source_has_its_listener(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.listen import imap, poll, socket_mode

    called: list[str] = []
    for module in (imap, poll, socket_mode):

        async def note(post: Any, source: Any, name: str = module.__name__.rpartition(".")[2]) -> None:
            called.append(name)

        monkeypatch.setattr(module, "listen", note)
    server, login = Server(host="h", port=1), Login(user="u", credential="c")
    post = await stage.post(stage.mounted(ONE), "one")
    for source in (
        ImapSource(name="a", server=server, login=login),
        SocketModeSource(name="b", open_url="https://x", auth=Auth("t")),
        ONE,
    ):
        await listen_to(source)(post)
    assert called == ["imap", "socket_mode", "poll"]
