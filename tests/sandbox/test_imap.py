"""The small IMAP server as an independent client sees it: Python's own imaplib."""

from __future__ import annotations

import asyncio
import imaplib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from gateway.clock import FrozenClock
from gateway.sandbox.imap import ImapServer

T = TypeVar("T")
USER, PASSWORD = "box@shop.example", 'pass "word" \\ 1'
MAIL = b"From: a@b.example\r\nSubject: hello\r\n\r\nHello (there)\r\n* 5 EXISTS\r\n"


class Running:
    def __init__(self, server: ImapServer, port: int) -> None:
        self.server, self.port = server, port

    async def use(self, work: Callable[[imaplib.IMAP4], T], *, login: bool = True) -> T:
        def call() -> T:
            client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
            try:
                if login:
                    client.login(USER, PASSWORD)
                return work(client)
            finally:
                client.shutdown()

        return await asyncio.to_thread(call)

    async def selected(self, work: Callable[[imaplib.IMAP4], T]) -> T:
        def call(client: imaplib.IMAP4) -> T:
            client.select()
            return work(client)

        return await self.use(call)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    server = ImapServer(lambda user, secret: user == USER and secret == PASSWORD, FrozenClock().now)
    yield Running(server, await server.start())
    await server.close()


async def test_who_has_the_password_comes_in(running: Running) -> None:
    assert await running.use(lambda client: client.state) == "AUTH"
    with pytest.raises(imaplib.IMAP4.error):
        await running.use(lambda client: client.login(USER, "wrong"), login=False)


@pytest.mark.parametrize("good", [True, False])
async def test_a_token_comes_in_the_same_way_and_a_bad_one_is_explained_first(running: Running, good: bool) -> None:
    challenges: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return b""

    token = PASSWORD if good else "old"
    initial = b64encode(f"user={USER}\x01auth=Bearer {token}\x01\x01".encode()).decode()

    def work(client: imaplib.IMAP4) -> str:
        raw: Any = client  # its own `authenticate` knows no initial answer
        raw.literal = imaplib._Authenticator(answer).process
        return str(raw._simple_command("AUTHENTICATE", "XOAUTH2", initial)[0])

    assert await running.use(work, login=False) == ("OK" if good else "NO")
    assert challenges == ([] if good else [b'{"status":"400"}'])


async def test_mails_are_found_and_fetched(running: Running) -> None:
    running.server.deliver(USER, MAIL, at=datetime(2026, 1, 1, 23, 59, tzinfo=UTC))
    running.server.deliver(USER, b"x", at=datetime(2026, 1, 2, tzinfo=UTC))

    def work(client: imaplib.IMAP4) -> list[Any]:
        return [
            client.response("UIDVALIDITY")[1],
            client.response("UIDNEXT")[1],
            client.uid("SEARCH", "ALL")[1],
            client.uid("SEARCH", "SINCE", "2-Jan-2026")[1],
            client.uid("SEARCH", "UID", "2:*")[1],
            client.uid("SEARCH", "UID", "9:*")[1],
            client.uid("FETCH", "1", "(UID RFC822.SIZE INTERNALDATE FLAGS)")[1],
            client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER])")[1][0],
            client.uid("FETCH", "1", "(BODY.PEEK[])")[1][0][1],
            client.uid("FETCH", "7", "(BODY.PEEK[])")[1],
        ]

    size = len(MAIL)
    assert await running.selected(work) == [
        [b"1"], [b"3"], [b"1 2"], [b"2"], [b"2"], [b"2"],
        [f'1 (UID 1 RFC822.SIZE {size} INTERNALDATE " 1-Jan-2026 23:59:00 +0000" FLAGS ())'.encode()],
        (b"1 (UID 1 BODY[HEADER] {37}", b"From: a@b.example\r\nSubject: hello\r\n\r\n"),
        MAIL, [None],
    ]  # fmt: skip


async def test_reading_without_peek_marks_a_mail_as_seen(running: Running) -> None:
    running.server.deliver(USER, MAIL)
    await running.selected(lambda client: client.uid("FETCH", "1", "(BODY.PEEK[])"))
    assert not running.server.mailbox(USER).mails[0].seen
    await running.selected(lambda client: client.uid("FETCH", "1", "(BODY[])"))
    assert running.server.mailbox(USER).mails[0].seen


async def test_what_has_come_is_shown_at_the_end_of_a_command(running: Running) -> None:
    """A search finds what was there when the command before it ended."""
    loop = asyncio.get_running_loop()

    def work(client: imaplib.IMAP4) -> list[Any]:
        asyncio.run_coroutine_threadsafe(deliver(), loop).result(20)
        return [client.uid("SEARCH", "ALL")[1], client.uid("SEARCH", "ALL")[1]]

    async def deliver() -> None:
        running.server.deliver(USER, MAIL)

    assert await running.selected(work) == [[b""], [b"1"]]


async def test_idle_is_told_at_once(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)

    async def until(start: bytes) -> None:
        async with asyncio.timeout(20):
            while not (await reader.readline()).startswith(start):
                pass

    login = f'a LOGIN {USER} "{PASSWORD.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"\r\n'
    writer.write(login.encode())
    await until(b"a OK")
    writer.write(b"b SELECT INBOX\r\n")
    await until(b"b OK")
    writer.write(b"c IDLE\r\n")
    await until(b"+ ")
    assert running.server.idling == 1
    running.server.deliver(USER, MAIL)
    await until(b"* 1 EXISTS")
    writer.write(b"DONE\r\n")
    await until(b"c OK")
    assert running.server.idling == 0
    writer.write(b"d LOGOUT\r\n")
    await until(b"d OK")
    writer.close()


async def test_a_mailbox_made_anew_has_other_numbers(running: Running) -> None:
    for text in (b"1", b"2", b"3"):
        running.server.deliver(USER, text)
    running.server.expunge(USER, 1)
    running.server.renumber(USER)
    found = await running.selected(lambda client: (client.response("UIDVALIDITY")[1], client.uid("SEARCH", "ALL")[1]))
    assert found == ([b"2"], [b"1 2"])


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"a SELECT INBOX", b"a BAD log in first"),
        (b"a UID FETCH 1 (BODY[])", b"a BAD log in first"),
        (b"a AUTHENTICATE XOAUTH2 ???", b"a BAD not XOAUTH2"),
        (b"a NONSENSE", b"a BAD log in first"),
        (b"", b""),
    ],
)
async def test_what_it_does_not_know_is_said(running: Running, line: bytes, answer: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    await reader.readline()
    writer.write(line + b"\r\na LOGOUT\r\n")
    async with asyncio.timeout(20):
        said = await reader.read()
    assert answer in said
    writer.close()
