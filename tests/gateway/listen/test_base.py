"""What every listener stands on: pauses, contexts, and what counts as silent."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from adapters.base import Auth, ChannelSpec, ImapSource, Login, PullSource, Server, SocketModeSource, Source
from gateway.listen.base import ListenSettings, silent_after_s, sources_of
from normalizer.ids import ChannelId
from tests.gateway.listen.kit import ENDPOINT, Stage
from tests.rooms.desk import Desk

IMAP = ImapSource(name="inbox", server=Server(host="h", port=1), login=Login(user="u", credential="c"), silent_s=7)
SOCKET = SocketModeSource(name="socket", open_url="https://x", auth=Auth("t"))
PULL = PullSource(name="missed", every_s=30)


@pytest.mark.parametrize(("failures", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (8, 120.0), (10_000, 120.0)])
async def test_pauses_double_up_to_a_limit_and_half_of_them_is_drawn(
    stage: Stage, failures: int, longest: float
) -> None:
    stage.settings = ListenSettings()
    post = await stage.post(stage.mounted(PULL), "missed")
    assert post.pause_s(failures) == longest * 0.75
    stage.ids.fraction = lambda: 0.0  # type: ignore[method-assign]
    assert post.pause_s(failures) == longest * 0.5
    stage.ids.fraction = lambda: 0.999  # type: ignore[method-assign]
    assert longest * 0.99 < post.pause_s(failures) < longest


@pytest.mark.parametrize(("source", "silent_s"), [(IMAP, 7), (SOCKET, 300), (PULL, 360)])
def test_when_silence_is_an_alarm(source: Source, silent_s: float) -> None:
    assert silent_after_s(source, ListenSettings()) == silent_s


async def test_only_an_endpoint_of_one_channel_speaks_for_its_account(stage: Stage) -> None:
    mounted = stage.mounted(PULL)
    assert (await stage.post(mounted, "missed")).context().account == "box@shop.example"
    two = (*mounted.channels, ChannelSpec(ChannelId("other"), "other@shop.example"))
    context = (await stage.post(replace(mounted, channels=two), "missed")).context()
    assert (context.account, context.hook_url) == (None, "https://gateway.example/hooks/box")
    assert context.now == stage.clock.now()


def test_an_endpoint_that_is_called_has_no_sources(stage: Stage) -> None:
    assert sources_of(stage.mounted(PULL, IMAP)) == (PULL, IMAP)
    assert sources_of(replace(stage.mounted(), adapter=Desk())) == ()


async def test_a_raw_of_ours_says_whose_it_is(stage: Stage) -> None:
    post = await stage.post(stage.mounted(PULL), "missed")
    raw = post.raw("pulled", b"x", headers={"X-Thing": "1"})
    assert (raw.endpoint_id, raw.origin, raw.headers, raw.received_at) == (
        ENDPOINT, "pulled", {"x-thing": "1"}, stage.clock.now(),
    )  # fmt: skip
    assert raw.id != post.raw("pulled", b"x", headers={}).id


async def test_trouble_of_ours_is_over_when_it_is_over_and_other_trouble_is_not(stage: Stage) -> None:
    post = await stage.post(stage.mounted(PULL), "missed")
    stage.room.fail = 1
    await post.deliver([], "c1")
    assert post.trouble is None
    post.trouble = "login_refused"
    stage.room.fail = 0
    await post.deliver([], "c2")
    assert (post.trouble, post.cursor) == ("login_refused", "c2")
