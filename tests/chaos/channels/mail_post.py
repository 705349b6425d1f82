"""Mail that a provider posts: the same people and the same SMTP server, and Postmark's webhook in place of a mailbox.

What Postmark could not deliver it repeats until it is taken; its minutes are parts of seconds here.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from typing import Any
from unittest import mock

from adapters._mail.simulator_letters import Enclosed
from adapters.base import Reply, Request
from adapters.mail_postmark import simulator
from normalizer.envelope import Document, Evidence, Status
from tests.chaos.channels.host import Repeating
from tests.chaos.channels.line import Heard, Place, Scene
from tests.chaos.channels.mail import ADDRESS, ENDPOINT, TOKEN_KEY, Mail, id_of, now
from tests.chaos.channels.mail_scenes import kept, machine, message, receipt

USER, PASSWORD = "postmark", "the password of the webhook"
REPEATS_S = (0.1, 0.2, 0.5, 1.0, 2.0, *[4.0] * 60)


class PostedMail(Mail):
    name = "mail_postmark"
    sources = 0

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        with mock.patch.object(simulator, "REPEATS_S", REPEATS_S):
            self.postmark = simulator.Postmark(
                addresses=(ADDRESS,), user=USER, password=PASSWORD, ids=(f"p{n}" for n in count(1)),
                webhook_url=f"{place.gateway_url}/hooks/{ENDPOINT}",
            )  # fmt: skip
        self.world = self.postmark.world
        self._posts = _Posts(self)

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        settings = {
            "type": "mail_postmark", "addresses": [ADDRESS], "token_keys": [TOKEN_KEY], "hook_user": USER,
            "hook_passwords": [PASSWORD], "smtp_host": "127.0.0.1", "smtp_port": self.smtp.port,
            "smtp_security": "none", "automatic_per_hour": 1_000_000,
        }  # fmt: skip
        return {ENDPOINT: settings}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {"transport": {"mail_timeout_ms": 3_000, "mail_connections_per_host": 8}}

    @property
    def waiting(self) -> int:
        return self.postmark.posts.undelivered + self._posts.on_the_way

    def calm(self) -> None:
        self.trouble = False
        self._posts.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.smtp.start()
        try:
            async with self._posts.running():
                yield
        finally:
            await self.smtp.close()

    def taken_in(self, data: bytes) -> None:
        """The gateway has taken this mail."""
        self.tells_now(id_of(data))

    # --- every type ---------------------------------------------------------------------------------------------------

    def scenes(self) -> Sequence[Scene]:
        files = [Enclosed("a.pdf", "application/pdf", b"%PDF")]
        claimed = Evidence.CLAIMED
        return [
            Scene("a mail", lambda: self._writes("ann one"), message("ann one", evidence=claimed)),
            Scene("with HTML", lambda: self._writes("ann two", html="<b>ann two</b>"),
                  message("ann two", evidence=claimed)),
            Scene("with a file", lambda: self._writes("ann three", files=files),
                  message("ann three", Document, evidence=claimed)),
            Scene("an absence note", self._absent, machine("I am away")),
            Scene("a copy of ours", lambda: self.copies(*self._first()), receipt(Status.SENT)),
            Scene("a report that it bounced", self._bounced, receipt(Status.FAILED, "hard_bounce")),
            Scene("told by the provider that it was delivered", self._delivered, receipt(Status.DELIVERED)),
            Scene("told of what is nothing to us", lambda: self.postmark.event("Open", "ann@ann.example", now()),
                  kept("event:Open")),
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
        ours = (heard.id or "").partition("@")[0]
        self.postmark.event("Delivery", "ann@ann.example", now(), Metadata={"our-id": ours},
                            DeliveredAt="2026-01-05T10:00:00Z")  # fmt: skip
        heard.told[Status.DELIVERED] = time.monotonic()


class _Posts(Repeating):
    patience_s = 5.0

    def __init__(self, line: PostedMail) -> None:
        super().__init__(line.place)
        self._line, self.record = line, line.record

    def answer(self, request: Request, now: datetime) -> Reply:
        return Reply(404)

    def due(self, now: datetime) -> Sequence[Request]:
        self._line.postmark.posts.reorder = self.trouble
        return self._line.postmark.posts.due(now)

    def delivered(self, request: Request, status: int, now: datetime) -> None:
        self._line.postmark.posts.delivered(request, status)
        if 200 <= status < 300:
            self._line.taken_in(json.loads(request.body).get("RawEmail", "").encode())
