"""One IMAP connection over aioimaplib: the commands that the listener needs, each with an end.

Rule: every wait ends when the connection does, or when the server has said nothing for too long: aioimaplib by itself
      would wait on.
Rule: a server's EXISTS is never missed, also not in the middle of another answer, where aioimaplib drops it.
Rule: errors hold codes; a server's own words may quote a mail or a password.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aioimaplib import (  # type: ignore[import-untyped]
    AUTH,
    NONAUTH,
    AioImapException,
    Command,
    CommandTimeout,
    IMAP4ClientProtocol,
)

from adapters.base import Server
from gateway.listen import imap_words
from gateway.listen.base import ListenSettings, Trouble
from gateway.listen.imap_words import Listed, quoted, uid_set, utf7

SLICE_BYTES = 4_096
"""aioimaplib calls itself once for every line of what it is given: many lines at once would exhaust the stack."""
EXISTS = re.compile(rb"\* \d+ EXISTS\b", re.IGNORECASE)
BUSY = re.compile(
    rb"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN)\]|too many (simultaneous )?connections", re.IGNORECASE
)
"""Why a login was refused although nothing is wrong with its password (RFC 5530)."""


class Selected(NamedTuple):
    uidvalidity: int
    uidnext: int | None


class LoginRefused(Trouble):
    """The server knows us, and does not let us in with this secret."""


class _Protocol(IMAP4ClientProtocol):  # type: ignore[misc]
    def __init__(self, heard: Callable[[], None], lost: Callable[[str], None]) -> None:
        super().__init__(asyncio.get_running_loop())
        self._heard, self._lost = heard, lost
        self.news = asyncio.Event()
        """The mailbox has grown."""

    def data_received(self, d: bytes) -> None:
        self._heard()
        for start in range(0, len(d), SLICE_BYTES):
            super().data_received(d[start : start + SLICE_BYTES])

    def send(self, line: str, scrub: str | None = None) -> None:
        """Raises Trouble for a line that is gone. asyncio would say nothing about it, uvloop would call it a defect."""
        if self.transport.is_closing():
            raise Trouble("hung_up")
        super().send(line, scrub)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost("hung_up")

    async def welcome(self, command: bytes) -> None:
        try:
            await super().welcome(command)
        except Exception:  # noqa: BLE001  because it runs as a task that nobody waits for
            self._lost("not_welcome")

    def _untagged_response(self, line: bytes) -> Any:
        if EXISTS.match(line):
            self.news.set()
        elif line[:6].upper() == b"* BYE ":
            self._lost("bye")
        return super()._untagged_response(line)


class _XOAuth2(Command):  # type: ignore[misc]
    """Answers the challenge that tells why a token was refused: without the empty line there is no NO."""

    def __init__(self, protocol: _Protocol, initial: str) -> None:
        super().__init__("AUTHENTICATE", protocol.new_tag(), "XOAUTH2", initial)
        self._protocol = protocol

    def append_to_resp(self, line: bytes, result: str = "Pending") -> None:
        super().append_to_resp(line, result)
        if result == "Pending" and line.startswith(b"+"):
            self._protocol.transport.write(b"\r\n")


class _Life:
    """Ends the block of a connection: when it is lost, and when nothing was heard for too long."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self.why = "no_answer"
        self.silent_s: float | None = None
        """None: not greeted yet."""
        self.limit: asyncio.Timeout | None = None
        self._heard = heard

    def sign(self) -> None:
        self._heard()
        if self.limit is not None and self.silent_s is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.silent_s)

    def lose(self, code: str) -> None:
        limit, self.limit = self.limit, None
        if limit is not None:
            self.why = code
            limit.reschedule(asyncio.get_running_loop().time())


@asynccontextmanager
async def connected(
    server: Server, settings: ListenSettings, heard: Callable[[], None], silent_s: float
) -> AsyncIterator["Client"]:
    """Greeted and, where asked for, encrypted. Raises Trouble, also out of the block when the connection is lost."""
    life = _Life(heard)
    try:
        async with asyncio.timeout(settings.connect_timeout_ms / 1000) as limit:
            life.limit = limit
            try:
                async with _opened(_Protocol(life.sign, life.lose), server, settings) as client:
                    life.silent_s = silent_s
                    life.sign()
                    yield client
            finally:
                life.limit = None
    except TimeoutError:
        raise Trouble(life.why) from None
    except CommandTimeout:
        raise Trouble("no_answer") from None
    except AioImapException:
        raise Trouble("protocol") from None
    except ssl.SSLError:
        raise Trouble("tls") from None
    except OSError:
        raise Trouble("not_reached") from None


@asynccontextmanager
async def _opened(protocol: _Protocol, server: Server, settings: ListenSettings) -> AsyncIterator["Client"]:
    loop = asyncio.get_running_loop()
    tls = None if server.security == "none" else ssl.create_default_context()
    if tls is not None and settings.ca_file is not None:
        tls.load_verify_locations(settings.ca_file)
    at_once = tls if server.security == "tls" else None
    await loop.create_connection(lambda: protocol, server.host, server.port, ssl=at_once)
    client = Client(protocol, settings.command_timeout_ms / 1000)
    try:
        await protocol.wait("AUTH|NONAUTH")
        if server.security == "starttls" and tls is not None:
            await client.start_tls(tls, server.host)
        yield client
    finally:
        client.close()


class Client:
    """Every command raises Trouble when the server refuses it, TimeoutError or AioImapException when it is silent."""

    def __init__(self, protocol: _Protocol, timeout_s: float) -> None:
        self._protocol, self._timeout_s = protocol, timeout_s
        self.news = protocol.news

    @property
    def can_idle(self) -> bool:
        return "IDLE" in self._protocol.capabilities

    @property
    def is_authenticated(self) -> bool:
        """Some servers know us by our connection."""
        return bool(self._protocol.state == AUTH)

    async def start_tls(self, tls: ssl.SSLContext, host: str) -> None:
        """RFC 9051 §6.2.1. What was said before it counts for nothing."""
        protocol = self._protocol
        await self._done("starttls", Command("STARTTLS", protocol.new_tag()))
        if protocol.incomplete_line:
            raise Trouble("tls")  # somebody put words in before the encryption began
        loop = asyncio.get_running_loop()
        protocol.transport = await loop.start_tls(protocol.transport, protocol, tls, server_hostname=host)
        await self._ask_capabilities()

    async def login(self, user: str, password: str) -> None:
        """Raises LoginRefused."""
        try:
            command = Command("LOGIN", self._protocol.new_tag(), quoted(user), quoted(password))
        except ValueError:
            raise LoginRefused("login_unsendable") from None
        await self._authenticate(command, quoted(password))

    async def xoauth2(self, user: str, token: str) -> None:
        """Raises LoginRefused."""
        initial = b64encode(f"user={user}\x01auth=Bearer {token}\x01\x01".encode()).decode("ascii")
        await self._authenticate(_XOAuth2(self._protocol, initial), initial)

    async def _authenticate(self, command: Any, secret: str) -> None:
        response = await self._in_time(self._protocol.execute(command, scrub=secret))
        if response.result != "OK":
            busy = any(BUSY.search(line) for line in response.lines if isinstance(line, bytes))
            raise Trouble("busy") if busy else LoginRefused("login_refused")
        self._protocol.state = AUTH
        await self._ask_capabilities()

    async def _ask_capabilities(self) -> None:
        """They change with the login and with encryption."""
        try:
            await self._in_time(self._protocol.capability())
        except IndexError:
            raise Trouble("protocol") from None

    async def select(self, mailbox: str) -> Selected:
        response = await self._in_time(self._protocol.select(quoted(utf7(mailbox))))
        if response.result != "OK":
            raise Trouble("no_mailbox")
        found = imap_words.codes(response.lines)
        if b"UIDVALIDITY" not in found:
            raise Trouble("no_uidvalidity")
        return Selected(found[b"UIDVALIDITY"], found.get(b"UIDNEXT"))

    async def noop(self) -> None:
        """Lets the server show what has come; only then it answers to it."""
        await self._in_time(self._protocol.simple_command("NOOP"))

    async def search(self, *criteria: str) -> list[int]:
        """The UIDs, ascending."""
        response = await self._in_time(self._protocol.search(*criteria, charset=None, by_uid=True))
        if response.result != "OK":
            raise Trouble("search_refused")
        return imap_words.numbers(response.lines[:-1])

    async def listed(self, uids: Sequence[int]) -> list[Listed]:
        """Those of them that are there, ascending."""
        done, lines = await self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE)")
        if not done:
            raise Trouble("fetch_refused")
        return [one for one in imap_words.listed(lines) if one.uid in set(uids)]

    async def bodies(self, uids: Sequence[int], section: str = "") -> dict[int, bytes] | None:
        """Whole messages, or a section of them, without marking them as seen. None: the server refuses to."""
        done, lines = await self._fetch(uids, f"(UID BODY.PEEK[{section}])")
        return imap_words.bodies(lines) if done else None

    async def _fetch(self, uids: Sequence[int], what: str) -> tuple[bool, list[bytes | bytearray]]:
        """Its time limit begins anew with everything that comes."""
        response = await self._protocol.fetch(uid_set(uids), what, by_uid=True, timeout=self._timeout_s)
        return response.result == "OK", response.lines[:-1]

    async def idle(self, most_s: float) -> bool:
        """Until the mailbox grows, but no longer than this. False: the server does not want it."""
        protocol = self._protocol
        idling = asyncio.ensure_future(protocol.idle())
        try:
            async with asyncio.timeout(self._timeout_s):
                await _either(idling, protocol.wait_for_idle_response())
            if not idling.done():
                await _either(idling, self._news(most_s))
            if not idling.done():
                protocol.idle_done()
            response = await self._in_time(idling)
        finally:
            idling.cancel()
            _emptied(protocol.idle_queue)
        return bool(response.result == "OK")

    async def _news(self, most_s: float) -> None:
        try:
            async with asyncio.timeout(most_s):
                await self.news.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        protocol = self._protocol
        for task in protocol.tasks:
            task.cancel()
        if protocol.transport is not None:
            if protocol.state != NONAUTH:
                protocol.send(f"{protocol.new_tag()} LOGOUT")
            protocol.transport.close()

    async def _done(self, code: str, command: Any) -> None:
        response = await self._in_time(self._protocol.execute(command))
        if response.result != "OK":
            raise Trouble(f"{code}_refused")

    async def _in_time(self, work: Any) -> Any:
        async with asyncio.timeout(self._timeout_s):
            return await work


async def _either(one: "asyncio.Future[Any]", other: Any) -> None:
    """Until one of both is done; the other one is given up if it is the second."""
    second = asyncio.ensure_future(other)
    try:
        await asyncio.wait({one, second}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        second.cancel()


def _emptied(queue: "asyncio.Queue[Any]") -> None:
    while not queue.empty():
        queue.get_nowait()
