"""A connection ends when its server is strange, and what servers say out of turn is heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from adapters.base import Server
from gateway.listen.base import ListenSettings, Trouble
from gateway.listen.imap_client import Client, LoginRefused, connected

SETTINGS = ListenSettings(connect_timeout_ms=5_000, command_timeout_ms=5_000)
Work = Callable[[Client], Awaitable[None]]
HELLO = b"* OK hello\r\n"
PLAIN = {"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK done\r\n"}


class Script:
    """Answers commands by their names; to what it does not know it says nothing."""

    def __init__(self, greeting: bytes = HELLO, **answers: bytes) -> None:
        self.greeting, self.answers = greeting, {**PLAIN, **answers}
        self.said: list[str] = []
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """The port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            writer.write(self.greeting)
            while line := (await reader.readline()).decode(errors="replace").strip():
                tag, _, rest = line.partition(" ")
                self.said.append(rest)
                writer.write(self.answers.get(rest.partition(" ")[0].upper(), b"").replace(b"{tag}", tag.encode()))
        except asyncio.CancelledError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def dialled(script: Script, settings: ListenSettings = SETTINGS, heard: Callable[[], None] = lambda: None,
                  silent_s: float = 60.0, security: Any = "none") -> AsyncIterator[Client]:  # fmt: skip
    async with script.running() as port:
        where = Server(host="127.0.0.1", port=port, security=security)
        async with connected(where, settings, heard, silent_s) as client:
            yield client


async def code_of(script: Script, work: Work | None = None, **options: Any) -> str:
    """What ends it: by itself, or while something is done."""
    with pytest.raises(Trouble) as ended:
        async with asyncio.timeout(20), dialled(script, **options) as client:
            await (asyncio.sleep(60) if work is None else work(client))
    return ended.value.code


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(b"* BYE not today\r\n"), "not_welcome"),
        (Script(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not_welcome"),
        (Script(CAPABILITY=b"{tag} OK done\r\n"), "not_welcome"),
        (Script(CAPABILITY=b"* CAPABILITY POP3\r\n{tag} OK done\r\n"), "not_welcome"),
        (Script(HELLO + b"* BYE so soon\r\n"), "not_welcome"),
    ],
)
async def test_a_greeting_that_is_none(script: Script, code: str) -> None:
    assert await code_of(script) == code


async def test_silence_ends_a_connection_and_signs_of_life_keep_it() -> None:
    assert await code_of(Script(), silent_s=0.02) == "no_answer"
    heard: list[int] = []
    async with dialled(Script(NOOP=b"{tag} OK done\r\n"), heard=lambda: heard.append(1), silent_s=5) as client:
        before = len(heard)
        await client.noop()
        assert len(heard) > before


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_nothing_is_said_on_a_line_that_is_gone(run: Callable[[Any], None]) -> None:
    """uvloop, which the gateway runs on, calls it a defect of ours."""

    async def too_late() -> None:
        async with dialled(Script()) as client:
            pass
        with pytest.raises(Trouble) as ended:
            await client.noop()
        assert ended.value.code == "hung_up"

    run(too_late())


async def test_a_command_without_an_answer() -> None:
    settings = ListenSettings(connect_timeout_ms=5_000, command_timeout_ms=20)
    assert await code_of(Script(), lambda client: client.noop(), settings=settings) == "no_answer"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"{tag} NO [AUTHENTICATIONFAILED] no\r\n", "login_refused"),
        (b"{tag} BAD what\r\n", "login_refused"),
        (b"{tag} NO Too many failed logins, try again\r\n", "login_refused"),
        (b"{tag} NO [UNAVAILABLE] later\r\n", "busy"),
        (b"{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", "busy"),
    ],
)
async def test_a_login_that_is_refused(answer: bytes, code: str) -> None:
    script = Script(LOGIN=answer)
    assert await code_of(script, lambda client: client.login("a b", 'x"y')) == code
    assert 'LOGIN "a b" "x\\"y"' in script.said


async def test_a_secret_is_in_no_line_of_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    script = Script(LOGIN=b"{tag} OK in\r\n", AUTHENTICATE=b"{tag} OK in\r\n")
    async with dialled(script) as client:
        await client.login("ann", "s3cret-password")
    async with dialled(script) as client:
        await client.xoauth2("ann", "s3cret-token")
    assert any("s3cret-password" in line for line in script.said)
    assert "s3cret" not in caplog.text
    assert script.said[-2].rpartition(" ")[2] not in caplog.text


async def test_who_is_known_already_need_not_log_in() -> None:
    async with dialled(Script(b"* PREAUTH hello\r\n")) as client:
        assert client.is_authenticated
    async with dialled(Script()) as client:
        assert not client.is_authenticated


async def test_thousands_of_lines_at_once_are_read() -> None:
    """aioimaplib calls itself for each of them."""
    burst = b"".join(b"* %d EXPUNGE\r\n" % n for n in range(5_000)) + b"* 3 EXISTS\r\n"
    async with dialled(Script(NOOP=burst + b"{tag} OK done\r\n")) as client:
        await client.noop()
        assert client.news.is_set()


async def test_growth_is_heard_in_the_middle_of_another_answer() -> None:
    script = Script(
        LOGIN=b"{tag} OK in\r\n",
        SELECT=b"* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n",
        UID=b'* 1 FETCH (UID 1 BODY[] {4}\r\nabcd)\r\n* 2 EXISTS\r\n{tag} OK done\r\n',
    )  # fmt: skip
    async with dialled(script) as client:
        await client.login("ann", "x")
        await client.select("INBOX")
        client.news.clear()
        assert await client.bodies([1]) == {1: b"abcd"}
        assert client.news.is_set()


async def test_what_stands_in_a_mail_is_no_word_of_the_server() -> None:
    body = b"* BYE now\r\n* 9 EXISTS\r\nA1 OK\r\n{4}\r\n(((\r\n"
    script = Script(
        LOGIN=b"{tag} OK in\r\n",
        SELECT=b"* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n",
        UID=b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n{tag} OK done\r\n" % (len(body), body),
    )
    async with dialled(script) as client:
        await client.login("ann", "x")
        await client.select("INBOX")
        client.news.clear()
        assert await client.bodies([1]) == {1: body}
        assert not client.news.is_set()


@pytest.mark.parametrize(
    ("select", "code"),
    [(b"{tag} NO none\r\n", "no_mailbox"), (b"* 1 EXISTS\r\n{tag} OK done\r\n", "no_uidvalidity")],
)
async def test_a_mailbox_that_can_not_be_read(select: bytes, code: str) -> None:
    script = Script(LOGIN=b"{tag} OK in\r\n", SELECT=select)

    async def work(client: Client) -> None:
        await client.login("ann", "x")
        await client.select("INBOX")

    assert await code_of(script, work) == code


async def test_idle_that_a_server_refuses_after_all() -> None:
    script = Script(
        LOGIN=b"{tag} OK in\r\n", SELECT=b"* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n", IDLE=b"{tag} NO not now\r\n"
    )
    async with dialled(script) as client:
        await client.login("ann", "x")
        await client.select("INBOX")
        assert not await client.idle(60)


async def test_encryption_that_a_server_does_not_offer_ends_it() -> None:
    script = Script(STARTTLS=b"{tag} BAD unknown\r\n")
    assert await code_of(script, security="starttls") == "starttls_refused"
    assert not any("LOGIN" in line for line in script.said)


async def test_words_before_the_encryption_are_not_believed() -> None:
    """Somebody between us and the server could have put them there."""
    script = Script(STARTTLS=b"{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN")
    assert await code_of(script, security="starttls") == "tls"


def test_a_refused_login_is_trouble() -> None:
    assert issubclass(LoginRefused, Trouble)
