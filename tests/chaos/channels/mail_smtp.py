"""The server that takes the gateway's mails: aiosmtpd, and what goes wrong with a mail the first time that it comes.

    later     451 at the end, and 450 for its recipient (greylisting)
    hang      taken, and nothing is said about it until the client gives up
    nothing   not taken, and nothing is said about it either
    drop      taken, and the connection breaks

Rule: what is said to be taken lies in a mailbox before it is said.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.base import MailReply

if TYPE_CHECKING:
    from tests.chaos.channels.mail import Mail

HOLD_S = 0.06
"""Longest time from taking a mail to saying so: many a kill finds it in between."""
HANG_S = 8.0
FAULTY = 0.07
"""Share of mails."""
FAULTS = ("later", "greylisted", "hang", "nothing", "drop")
QUICK = ("nothing", "drop")
"""After the others the gateway waits for a minute before it tries again."""
MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^>]+)>")


class Smtp:
    """aiosmtpd calls the `handle_` methods."""

    def __init__(self, line: Mail, port: int) -> None:
        self.port = port
        self._line = line
        self._met: set[str] = set()
        """Message-IDs and recipients that had their trouble, or had none."""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _connection(self) -> asyncio.Protocol:
        server: asyncio.Protocol = SMTP(self, hostname="mx.home.example", ident="simulated", enable_SMTPUTF8=True,
                                        loop=asyncio.get_running_loop())  # fmt: skip
        return server

    # --- the dialogue -------------------------------------------------------------------------------------------------

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._line.world.refusal(address)
        if refused is not None:
            self._line.record.counts[f"SMTP: {refused[0]} for a recipient"] += 1
            return "{} {}".format(*refused)
        if self._trouble(address.lower()) == "greylisted":
            return "450 4.7.1 greylisted, come back"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        found = MESSAGE_ID.search(content)
        match self._trouble(found[1].decode() if found else ""):
            case "later":
                return "451 4.3.0 try again later"
            case "nothing":
                await asyncio.sleep(HANG_S)
                return "451 4.3.0 too late"
            case "hang":
                self._accept(envelope, content)
                await asyncio.sleep(HANG_S)
            case "drop":
                self._accept(envelope, content)
                server.transport.abort()
            case _:
                pass
        return await self._taken(envelope, content)

    async def _taken(self, envelope: Envelope, content: bytes) -> str:
        said = self._accept(envelope, content)
        if self._line.trouble:
            await asyncio.sleep(self._line.random.uniform(0, HOLD_S))
        return said

    def _accept(self, envelope: Envelope, content: bytes) -> str:
        """Once for each transaction, whatever becomes of its connection."""
        if getattr(envelope, "said", None) is None:
            reply = self._line.world.accept(envelope.mail_from or "", envelope.rcpt_tos, content, _now())
            text = msgspec.json.decode(reply.body, type=MailReply).text
            envelope.said = f"{reply.status} {text}"  # type: ignore[attr-defined]
            if reply.status == 250:
                self._line.taken(envelope.mail_from or "", envelope.rcpt_tos, content)
            else:
                self._line.record.wrong.append(f"a mail of ours that no server takes: {text}")
        return str(envelope.said)  # type: ignore[attr-defined]

    def _trouble(self, key: str) -> str | None:
        """What happens to it, the first time alone. Of recipients only some are ever greylisted."""
        if not self._line.trouble or key in self._met:
            return None
        self._met.add(key)
        if self._line.random.random() >= FAULTY:
            return None
        recipient = "<" not in key and not key.endswith("@shop.example")
        if recipient and not self._line.place.patient:
            return None
        faults = [one for one in FAULTS if one != "greylisted" and (self._line.place.patient or one in QUICK)]
        kind = "greylisted" if recipient else self._line.random.choice(faults)
        self._line.record.counts[f"SMTP: {kind}"] += 1
        return kind


def _now() -> Any:
    from tests.chaos.channels.mail import now

    return now()
