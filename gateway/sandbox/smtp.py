"""The server that takes the gateway's mails: aiosmtpd in front of the simulated world of mail.

Rule: the world decides about sender, recipients and message; here its answers become those of the dialogue.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from adapters._mail.simulator import World, said
from adapters.base import MailReply, Reply
from gateway.sandbox.news import News

HOST_NAME = "mx.shop.example"


class SmtpServer:
    def __init__(self, world: World, now: Callable[[], datetime], news: News, passwords: Mapping[str, str]) -> None:
        self._world, self._now, self._news, self._passwords = world, now, news, passwords
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        # It tells at each login that a field of its own is out of date.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _connection(self) -> asyncio.Protocol:
        unreached = self._world.troubles and self._world.troubles[0].kind == "unreached"
        if unreached:
            self._world.troubles.popleft()
            self._news.seen()
            return _Closed()
        server: asyncio.Protocol = SMTP(
            self, hostname=HOST_NAME, ident="sandbox", enable_SMTPUTF8=True, data_size_limit=self._world.max_bytes,
            auth_require_tls=False, authenticator=self._may_enter,
            loop=asyncio.get_running_loop(),
        )  # fmt: skip
        return server

    def _may_enter(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        user, password = (part.decode("utf-8", "replace") for part in (data.login, data.password))
        return AuthResult(success=self._passwords.get(user) == password, handled=False)

    # --- the dialogue, called by aiosmtpd ---------------------------------------------------------------------------

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 log in first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._world.refusal(address)
        if refused is not None:
            return "{} {}".format(*refused)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        trouble = self._world.troubles.popleft() if self._world.troubles else None
        if trouble is not None and trouble.kind == "refuse":
            reply = said(trouble.status, trouble.text)
        else:
            reply = self._world.accept(envelope.mail_from or "", envelope.rcpt_tos, content, self._now())
        self._news.changed()
        if trouble is not None and trouble.kind == "hang" and server.transport is not None:
            server.transport.abort()
        return _line(reply)


class _Closed(asyncio.Protocol):
    """Nobody is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def _line(reply: Reply) -> str:
    return f"{reply.status} {msgspec.json.decode(reply.body, type=MailReply).text}"
