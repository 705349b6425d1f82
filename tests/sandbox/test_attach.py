"""What a demo leaves for the next one."""

from __future__ import annotations

from pathlib import Path

from gateway.sandbox.attach import read_note
from tests.sandbox.demo import ANA, demo, said, texts


async def test_a_restart_keeps_the_conversations_the_phones_and_the_key(tmp_path: Path) -> None:
    async with demo(tmp_path) as first:
        await first.say({"type": "text", "text": "Do you ship to France?"})
        await first.until(texts)
        before = await first.envelopes(lambda found: found[-1]["status"] == "delivered")
        await first.ask("POST", "/sandbox/api/phones", {"name": "Bo", "phone": "447700900123"})
    async with demo(tmp_path) as second:
        assert await second.envelopes(lambda found: True) == before
        assert second.token == first.token
        screen = await second.get(f"/sandbox/api/phones/{ANA}")
        assert texts(screen, mine=True) == ["Do you ship to France?"]
        assert len(texts(screen)) == 1
        assert [one["name"] for one in (await second.get("/sandbox/api"))["phones"]] == ["Ana Ribeiro", "Bo"]
        await second.say({"type": "text", "text": "Can I talk to a person?"})
        after = await second.envelopes(lambda found: len(said(found)) == 4)
        assert [one["seq"] for one in after] == [1, 2, 3, 4, 5]


async def test_the_note_is_for_its_owner_and_leads_to_the_demo(tmp_path: Path) -> None:
    assert read_note(tmp_path) is None
    async with demo(tmp_path) as running:
        note = read_note(tmp_path)
        assert note is not None
        assert (note.url, note.token) == (running.url, (await running.get("/sandbox/api"))["token"])
    assert (tmp_path / "sandbox.json").stat().st_mode & 0o777 == 0o600


async def test_a_note_that_is_not_ours_is_replaced(tmp_path: Path) -> None:
    for text in ("", '{"url": "http://x", "token": "tl_a_b"}', '{"url": "http://x", "token": "nonsense"}'):
        (tmp_path / "sandbox.json").write_text(text)
        async with demo(tmp_path) as running:
            assert (await running.v1("/conversations"))["items"] == []
