"""Mail servers on loopback: aiosmtpd, told to refuse; and one that says line by line what a test wants.

async with MailServer(recipients={"b@shop.example": "550 5.1.1 unknown"}) as server: ...
async with Script("220 mx", ("EHLO", "250 mx"), ("MAIL", None)) as server: ...       None: it hangs up
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from adapters.base import Server
from tests.gateway.time import pass_time


class MailServer:
    """What it took is in `mails`; what it says to a command instead of yes can be set."""

    def __init__(
        self,
        *,
        sender: str | None = None,
        recipients: Mapping[str, str] | None = None,
        data: str = "250 2.0.0 taken",
        hold: bool = False,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        max_bytes: int = 33_554_432,
        utf8: bool = True,
    ) -> None:
        self.sender, self.recipients, self.data, self.hold, self.login = sender, recipients or {}, data, hold, login
        self.tls, self.starttls = tls, starttls
        self.options: dict[str, Any] = {"data_size_limit": max_bytes, "enable_SMTPUTF8": utf8, "hostname": "mx"}
        self.mails: list[Envelope] = []
        self.arrived = asyncio.Event()
        self.open = self.most_open = 0
        self.logins: list[str] = []

    # --- as aiosmtpd asks ------------------------------------------------------------------------------------------

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.sender or "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        refusal = self.recipients.get(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        self.arrived.set()
        if self.hold:
            await asyncio.Event().wait()
        return self.data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(mechanism)
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=good, handled=False)

    # --- on loopback -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "MailServer":
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._made, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._listening.close()

    def _made(self) -> SMTP:
        options = dict(self.options)
        if self.login is not None:
            options |= {"authenticator": self.authenticate, "auth_require_tls": False}
        return Watched(self, **options, tls_context=self.starttls)

    def at(self, security: Any = "none") -> Server:
        return Server(host="127.0.0.1", port=self.port, security=security)


class Watched(SMTP):
    def __init__(self, owner: MailServer, **options: Any) -> None:
        super().__init__(owner, **options)
        self.owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.owner.open += 1
        self.owner.most_open = max(self.owner.most_open, self.owner.open)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.owner.open -= 1
        super().connection_lost(error)


Step = str | tuple[str, str | None]


class Script:
    """Each step is what it says unasked, or a command and the answer to it. What it heard is in `heard`.

    A command `.` is the end of the message. The answer `...` never comes; `stop` does not even read on: then it is
    much later at once, and nobody has waited for it before.
    """

    def __init__(self, *steps: Step) -> None:
        self.steps: Sequence[Step] = steps
        self.heard: list[str] = []
        self._over = asyncio.Event()

    async def __aenter__(self) -> "Script":
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._over.set()
        self._listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for step in self.steps:
                answer = step if isinstance(step, str) else await self._answer(reader, *step)
                if answer in ("...", "stop"):
                    pass_time()
                    await (reader.read() if answer == "..." else self._over.wait())
                    return
                if answer is None:
                    return
                writer.write(answer.encode() + b"\r\n")
            await reader.read()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, command: str, answer: str | None) -> str | None:
        while True:
            line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            self.heard.append(line)
            if command == "." and line != ".":
                continue
            assert line.startswith(command), f"{command} expected, {line} heard"
            return answer

    def at(self, security: Any = "none") -> Server:
        return Server(host="127.0.0.1", port=self.port, security=security)
