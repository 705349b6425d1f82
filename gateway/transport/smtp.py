"""Mail: one connection, one transaction.

Rule: until the dot that ends the message is written, nothing can have gone out. From then on until the server's answer
      it may have: NoAnswer, not certain.
Rule: what a server says is a Reply, whatever it says. Only a refused login is an error of ours, and it tells the code
      alone: servers repeat what they were given.
Rule: without TLS only where the operator said `none`; a server that does not offer it is not spoken to.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, cast

import msgspec
from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException
from msgspec import Meta, Struct

from adapters.base import (
    CredentialsRefused,
    Login,
    MailCall,
    MailReply,
    NoAnswer,
    NotReached,
    Refused,
    Reply,
    SendError,
    Server,
    Unavailable,
    Unreachable,
)
from gateway.media import MediaStore
from gateway.transport.letter import letter, stuffed

CHUNK_BYTES = 65_536
QUIT = b"QUIT\r\n"
"""Nobody waits for the answer."""
TEXT_MAX = 1000
"""Characters of a server's text that are kept."""
PATH = re.compile(r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^\s<>"@\x00-\x20\x7f]+)@[^\s<>"@\x00-\x20\x7f]+|')
"""An address as it may stand in a command; also the empty one."""
MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([!-~]{1,100})>\r?$")
"""One that may be the envelope's id as well (RFC 3461 §5.4 allows 100 characters)."""
NO_XTEXT = re.compile(rb"[+=]")
ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
METHODS = ("plain", "login", "cram-md5")
"""One is tried, the first that the server offers: a second try of a wrong password locks accounts."""


class MailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mail_timeout_ms: Annotated[int, Meta(ge=1, description="Time limit of handing one mail to its server.")] = 20_000
    mail_connect_timeout_ms: Annotated[
        int, Meta(ge=1, description="Time limit until a mail server has greeted us; some let strangers wait.")
    ] = 10_000
    max_mail_bytes: Annotated[int, Meta(ge=1, description="A larger mail, attachments included, is not sent.")] = (
        26_214_400
    )
    mail_connections_per_host: Annotated[
        int, Meta(ge=1, description="Open connections to one mail server; providers refuse many.")
    ] = 4
    mail_hello: Annotated[
        str | None, Meta(description="The name that we greet mail servers with. Unset: the sender's domain.")
    ] = None


class Stage:
    """How far the transaction got."""

    connected = False
    handed_over = False
    """The final dot is written."""


class Mailer:
    def __init__(self, settings: MailSettings, media: MediaStore) -> None:
        self._settings = settings
        self._media = media
        self._turns: dict[Server, asyncio.Semaphore] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(self, call: MailCall, credentials: Mapping[str, str], left_s: float | None) -> Reply:
        """Raises SendError, MediaError."""
        _check(call)
        secret = None if call.login is None else _secret(call.login, credentials)
        limit = (call.timeout_ms or self._settings.mail_timeout_ms) / 1000
        limit = limit if left_s is None else min(limit, left_s)
        if limit <= 0:
            raise NotReached("no time left")
        stage = Stage()
        try:
            async with asyncio.timeout(limit), self._turn(call.server):
                return await self._send(call, secret, stage)
        except SMTPResponseException as error:
            if error.code < 0:
                raise _broken(stage, error) from None
            return _said(SMTPResponse(error.code, error.message))
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            raise _broken(stage, error) from None

    def _turn(self, server: Server) -> asyncio.Semaphore:
        return self._turns.setdefault(server, asyncio.Semaphore(self._settings.mail_connections_per_host))

    async def _send(self, call: MailCall, secret: str | None, stage: Stage) -> Reply:
        whole = await self._letter(call)
        async with self._connected(call, stage) as client:
            if call.login is not None and secret is not None:
                await _log_in(client, call.login, secret)
            accepted = await _enveloped(client, call, whole)
            if isinstance(accepted, Reply):
                return accepted
            return _said(await _hand_over(client, stuffed(whole), stage), accepted)

    async def _letter(self, call: MailCall) -> bytes:
        async with AsyncExitStack() as stack:
            files = [(one, stack.enter_context(await self._media.open(one.stored))) for one in call.attachments]
            return await asyncio.to_thread(letter, call.message, files, self._settings.max_mail_bytes)

    @asynccontextmanager
    async def _connected(self, call: MailCall, stage: Stage) -> AsyncIterator[SMTP]:
        """Greeted, encrypted and introduced. A time limit lies over the whole; only the first answer has its own."""
        security = call.server.security
        client = SMTP(
            hostname=call.server.host,
            port=call.server.port,
            local_hostname=self._settings.mail_hello or call.sender.rpartition("@")[2] or "[127.0.0.1]",
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=await self._context() if security != "none" else None,
            timeout=None,
        )
        try:
            await client.connect(timeout=self._settings.mail_connect_timeout_ms / 1000)
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            stage.connected = True
            yield client
            if client.protocol is not None and client.is_connected:
                client.protocol.write(QUIT)
        finally:
            client.close()

    async def _context(self) -> ssl.SSLContext:
        """Reading the certificates of the world takes its time: once, and not in the event loop."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


def _check(call: MailCall) -> None:
    for address in (call.sender, *call.recipients):
        if PATH.fullmatch(address) is None:
            raise Refused("an address that can not be sent")
    if not call.recipients or not all(call.recipients):
        raise Refused("a mail without a recipient")


def _secret(login: Login, credentials: Mapping[str, str]) -> str:
    secret = credentials.get(login.credential)
    if not secret:
        raise CredentialsRefused(f"no credential named {login.credential}")
    return secret


# --- the dialogue -------------------------------------------------------------------------------------------------


async def _log_in(client: SMTP, login: Login, secret: str) -> None:
    offered = client.server_auth_methods
    try:
        match login.scheme, next((method for method in METHODS if method in offered), None):
            case "xoauth2", _ if "xoauth2" in offered:
                await client.auth_xoauth2(login.user, secret)
            case "password", "plain":
                await client.auth_plain(login.user, secret)
            case "password", "login":
                await client.auth_login(login.user, secret)
            case "password", "cram-md5":
                await client.auth_crammd5(login.user, secret)
            case _:
                raise CredentialsRefused("the server offers no login of this kind")
    except SMTPResponseException as error:
        if error.code < 500:
            raise
        found = ENHANCED.search(error.message)
        code = f"{error.code} {found[0]}" if found else str(error.code)
        raise CredentialsRefused("the mail server refused the login", provider_code=code) from None


async def _enveloped(client: SMTP, call: MailCall, whole: bytes) -> Reply | dict[str, tuple[int, str]]:
    """Whom the server refused among those that it will deliver to; a Reply when it takes nothing."""
    options = _options(client, call, whole)
    if isinstance(options, Reply):
        return options
    answer = await client.execute_command(b"MAIL", f"FROM:<{call.sender}>".encode(), *options)
    if not _positive(answer):
        return _said(answer)
    refused: dict[str, tuple[int, str]] = {}
    for recipient in call.recipients:
        answer = await client.execute_command(b"RCPT", f"TO:<{recipient}>".encode())
        if not _positive(answer):
            refused[recipient] = (answer.code, answer.message[:TEXT_MAX])
    if len(refused) == len(set(call.recipients)):
        # Of several refusals the one that may be another one tomorrow.
        code, text = min(refused.values())
        return _said(SMTPResponse(code, text), refused)
    answer = await client.execute_command(b"DATA")
    return refused if answer.code == 354 else _said(answer, refused)


def _options(client: SMTP, call: MailCall, whole: bytes) -> list[bytes] | Reply:
    """Raises Unreachable."""
    options = []
    if client.supports_extension("size"):
        most = client.esmtp_extensions.get("size", "")
        if most.isdecimal() and 0 < int(most) < len(whole):
            return _said(SMTPResponse(552, f"5.3.4 larger than the server's limit of {int(most)} bytes"))
        options.append(b"SIZE=%d" % len(whole))
    head = whole.partition(b"\r\n\r\n")[0]
    if client.supports_extension("dsn") and (id := MESSAGE_ID.search(head)):
        # A report then names the mail, whatever else it leaves out.
        options += [b"RET=HDRS", b"ENVID=" + NO_XTEXT.sub(lambda found: b"+%02X" % found[0][0], id[1])]
    if not (head.isascii() and call.sender.isascii() and all(map(str.isascii, call.recipients))):
        if not client.supports_extension("smtputf8"):
            raise Unreachable("the mail server takes no addresses beyond ASCII (SMTPUTF8)")
        options += [b"BODY=8BITMIME", b"SMTPUTF8"]
    elif not whole.isascii() and client.supports_extension("8bitmime"):
        options.append(b"BODY=8BITMIME")
    return options


async def _hand_over(client: SMTP, data: bytes, stage: Stage) -> SMTPResponse:
    """The message, and the answer to its end. Piece by piece: what was not written surely did not go out."""
    protocol, transport = client.protocol, client.transport
    if protocol is None or transport is None:
        raise ConnectionError
    # By what it can do: uvloop's transports are no subclasses of asyncio's.
    writer = asyncio.StreamWriter(cast(asyncio.WriteTransport, transport), protocol, None, asyncio.get_running_loop())
    try:
        for start in range(0, len(data), CHUNK_BYTES):
            writer.write(data[start : start + CHUNK_BYTES])
            await writer.drain()
        protocol.write(b".\r\n")
        stage.handed_over = True
        answer = await protocol.read_response()
        writer.write(QUIT)
        return answer
    finally:
        writer.close()


def _positive(answer: SMTPResponse) -> bool:
    return 200 <= answer.code < 300


def _said(answer: SMTPResponse, refused: dict[str, tuple[int, str]] | None = None) -> Reply:
    code = 250 if _positive(answer) else answer.code
    reply = MailReply(text=_readable(answer.message), refused=refused or {})
    return Reply(code, {}, msgspec.json.encode(reply))


def _readable(text: str) -> str:
    return text[:TEXT_MAX].encode("utf-8", "replace").decode()


def _broken(stage: Stage, error: Exception) -> SendError:
    """The class of the exception is all that is told of it."""
    what = type(error).__name__
    if stage.handed_over:
        return NoAnswer(what)
    return Unavailable(f"{what} before the mail was handed over") if stage.connected else NotReached(what)
