"""What the places remember."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.sandbox import keeping as module
from gateway.sandbox.keeping import bring_back, keep
from gateway.sandbox.stage import Stage
from tests.sandbox.demo import ANA, Demo, demo

QUESTION = "Do you ship to France?"
SHARED = "C0LARKRIDGE"


def messages(screen: Any) -> list[Any]:
    return [one for room in screen["rooms"] for one in room["messages"]]


async def everything(running: Demo) -> dict[str, Any]:
    shown = {}
    for place in ("sms", "slack", "mail"):
        shown[place] = await running.get(f"/sandbox/api/places/{place}/people/{ANA}")
        del shown[place]["version"]
    return shown


async def test_a_restart_shows_the_same_and_goes_on_in_the_same_conversations(tmp_path: Path) -> None:
    async with demo(tmp_path) as first:
        await first.act("sms", type="text", text=QUESTION)
        await first.see("sms", lambda screen: len(messages(screen)) == 2)
        asked = await first.act("slack", type="text", text=f"@throughline {QUESTION}", room=SHARED)
        await first.see("slack", lambda screen: len(messages(screen)) == 2)
        await first.act("mail", type="mail", subject="Shipping", text=QUESTION)
        (_, answer) = (await first.see("mail", lambda screen: len(screen["mails"]) == 2))["mails"]
        before, count = await everything(first), len((await first.v1("/conversations"))["items"])
    async with demo(tmp_path) as second:
        assert await everything(second) == before
        await second.act("slack", type="text", text=f"@throughline {QUESTION}", room=SHARED, thread=asked)
        await second.act("mail", type="mail", text=QUESTION, answers=answer["id"])
        await second.act("sms", type="text", text=QUESTION)
        await second.see("slack", lambda screen: len(messages(screen)) == 4)
        await second.see("sms", lambda screen: len(messages(screen)) == 4)
        mails = (await second.see("mail", lambda screen: len(screen["mails"]) == 4))["mails"]
        assert len({mail["thread"] for mail in mails}) == 1
        assert len((await second.v1("/conversations"))["items"]) == count


async def test_what_cannot_be_read_is_as_if_it_had_never_been(running: Demo, tmp_path: Path) -> None:
    for data in (b"", b"\xc1", msgspec.msgpack.encode({"rows": 1})):
        for place in ("sms", "slack", "mail"):
            (tmp_path / f"sandbox.{place}.memory").write_bytes(data)
        stage = Stage(running.house.core)
        bring_back(stage.places.values(), tmp_path)


async def test_too_much_is_not_kept(running: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(running.house.core)
    keep(stage.places.values(), tmp_path)
    kept = sorted(path.name for path in tmp_path.glob("*.memory"))
    assert kept == ["sandbox.mail.memory", "sandbox.slack.memory", "sandbox.sms.memory"]
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    keep(stage.places.values(), tmp_path)
    assert sorted(tmp_path.glob("*.memory")) == []
