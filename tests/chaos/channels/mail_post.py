"""Mail that a provider posts: the same people and the same SMTP server, and a webhook in place of a mailbox.

What the provider could not deliver it repeats until it is taken; its minutes are parts of seconds here. Which provider
it is: mail_providers.py.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from types import ModuleType
from typing import Any
from unittest import mock

from adapters._mail.simulator_letters import Enclosed
from adapters._mail.simulator_posts import Posts
from adapters.base import Reply, Request
from normalizer.envelope import Document, Evidence, Status
from tests.chaos.channels.host import Repeating
from tests.chaos.channels.line import Heard, Place, Scene
from tests.chaos.channels.mail import ADDRESS, ENDPOINT, TOKEN_KEY, Mail, id_of
from tests.chaos.channels.mail_scenes import kept, machine, message, receipt

REPEATS_S = (0.1, 0.2, 0.5, 1.0, 2.0, *[4.0] * 60)


class PostedMail(Mail):
    """Base of such a line. It says how its provider posts, and what it tells besides."""

    sources = 0
    simulator: ModuleType
    evidence = Evidence.CHANNEL
    """Of people whom the provider vouches for."""
    opened: str
    """The provider's word for a mail that was opened."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        with mock.patch.object(self.simulator, "REPEATS_S", REPEATS_S):
            self.posts = self.provider(f"{place.gateway_url}/hooks/{ENDPOINT}", (f"p{n}" for n in count(1)))
        self.world = self.posts.world
        self._posting = _Posting(self)

    # --- to be filled -------------------------------------------------------------------------------------------------

    @abstractmethod
    def provider(self, url: str, ids: Iterator[str]) -> Posts: ...

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Those that only its adapter has."""

    @abstractmethod
    def mail_in(self, request: Request) -> bytes:
        """What it posts; empty where it is no mail."""

    @abstractmethod
    def tells_delivered(self, id: str, recipient: str) -> None:
        """Of a mail of ours."""

    @abstractmethod
    def tells_opened(self) -> None:
        """That somebody opened a mail, which is nothing to us."""

    # --- Line ---------------------------------------------------------------------------------------------------------

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        settings = {
            "type": self.name, "addresses": [ADDRESS], "token_keys": [TOKEN_KEY], "smtp_host": "127.0.0.1",
            "smtp_port": self.smtp.port, "smtp_security": "none", "automatic_per_hour": 1_000_000,
        }  # fmt: skip
        return {ENDPOINT: {**settings, **self.settings()}}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {"transport": {"mail_timeout_ms": 3_000, "mail_connections_per_host": 8}}

    @property
    def waiting(self) -> int:
        return self.posts.undelivered + self._posting.on_the_way

    def calm(self) -> None:
        self.trouble = False
        self._posting.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.smtp.start()
        try:
            async with self._posting.running():
                yield
        finally:
            await self.smtp.close()

    # --- every type ---------------------------------------------------------------------------------------------------

    def scenes(self) -> Sequence[Scene]:
        files = [Enclosed("a.pdf", "application/pdf", b"%PDF")]
        says = self.evidence
        return [
            Scene("a mail", lambda: self._writes("ann one"), message("ann one", evidence=says)),
            Scene("with HTML", lambda: self._writes("ann two", html="<b>ann two</b>"),
                  message("ann two", evidence=says)),
            Scene("with a file", lambda: self._writes("ann three", files=files),
                  message("ann three", Document, evidence=says)),
            Scene("an absence note", self._absent, machine("I am away")),
            Scene("a copy of ours", lambda: self.copies(*self._first()), receipt(Status.SENT)),
            Scene("a report that it bounced", self._bounced, receipt(Status.FAILED, "hard_bounce")),
            Scene("told by the provider that it was delivered", self._delivered, receipt(Status.DELIVERED)),
            Scene("told of what is nothing to us", self.tells_opened, kept(f"event:{self.opened}")),
        ]  # fmt: skip

    def _writes(self, text: str, **facts: Any) -> None:
        self.write("ann", text, **facts)

    def _absent(self) -> None:
        self.notes("ann", "I am away", self.last("ann"))

    def _first(self) -> tuple[Heard, bytes]:
        return self.record.heard[0], self.world.held[0].data

    def _bounced(self) -> None:
        self.bounces(self.record.heard[1], ADDRESS, "ann@ann.example", self.world.held[1].data)

    def _delivered(self) -> None:
        heard = self.record.heard[2]
        self.tells_delivered(heard.id or "", "ann@ann.example")
        heard.told[Status.DELIVERED] = time.monotonic()


class _Posting(Repeating):
    patience_s = 5.0

    def __init__(self, line: PostedMail) -> None:
        super().__init__(line.place)
        self._line, self.record = line, line.record

    def answer(self, request: Request, now: datetime) -> Reply:
        return Reply(404)

    def due(self, now: datetime) -> Sequence[Request]:
        self._line.posts.reorder = self.trouble
        return self._line.posts.due(now)

    def delivered(self, request: Request, status: int, now: datetime) -> None:
        self._line.posts.delivered(request, status)
        if 200 <= status < 300:
            self._line.tells_now(id_of(self._line.mail_in(request)))
