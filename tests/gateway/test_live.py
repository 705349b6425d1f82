"""Live sockets on the real rooms: what a visitor may rely on, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.house import config, running


async def test_a_message_is_acknowledged_shown_and_answered(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        ack = await tab.frame("ack", cid="c1")
        await tab.seen(2)
        assert tab.texts == ["hello", "hello"]
        assert [frame["from"]["kind"] for frame in await tab.seen(2)] == ["visitor", "bot"]
        assert (ack["seq"], ack["dup"]) == (1, False)
        assert tab.visitor.audit() == []
