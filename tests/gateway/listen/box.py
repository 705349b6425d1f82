"""A mailbox on a server of its own, and the gateway's listener before it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.base import ImapSource, Login, Server
from gateway.directory import Mounted
from gateway.listen import imap
from gateway.listen.base import Trouble
from gateway.sandbox.imap import ImapServer
from tests.gateway.listen.kit import Stage, until

USER, PASSWORD = "box@shop.example", 'pass "word" \\ 1'
LONG = 1_000.0


def mail(text: str, size: int = 0) -> bytes:
    return f"From: a@b.example\r\nSubject: {text}\r\n\r\n{text}\r\n".encode() + b"x" * size


class Box:
    def __init__(self, stage: Stage, server: ImapServer, port: int) -> None:
        self.stage, self.server, self.port = stage, server, port
        self.source = ImapSource(
            name="inbox",
            server=Server(host="127.0.0.1", port=port, security="none"),
            login=Login(user=USER, credential="password"),
            idle_renew_s=LONG,
            poll_s=LONG,
            silent_s=3 * LONG,
        )

    def set(self, **changes: Any) -> None:
        self.source = replace(self.source, **changes)

    @property
    def mounted(self) -> Mounted:
        return self.stage.mounted(self.source, password=PASSWORD)

    def kept(self) -> Any:
        return self.stage.kept(self.mounted, self.source)

    async def trouble(self) -> Trouble:
        """What one session ends with."""
        post = await self.stage.post(self.mounted, "inbox")
        with pytest.raises(Trouble) as ended:
            async with asyncio.timeout(20):
                await imap.listen(post, self.source)
        return ended.value

    def deliver(self, *texts: str) -> list[int]:
        return [self.server.deliver(USER, mail(text)) for text in texts]

    async def heard(self, *texts: str) -> None:
        """Exactly these by now, in this order."""
        expected = [mail(text) for text in texts]
        await until(lambda: len(self.stage.room.raws) >= len(expected))
        assert self.stage.room.bodies == expected

    async def idling(self) -> None:
        await until(lambda: self.server.idling == 1)
