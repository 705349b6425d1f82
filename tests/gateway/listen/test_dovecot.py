"""The same listener before a mail server that others wrote: Debian's Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from adapters.base import ImapSource, Login, Server
from gateway.clock import FrozenClock
from gateway.listen import imap
from gateway.listen.base import Trouble
from tests.gateway.listen.kit import Stage, until
from tests.servers import Dovecot

T = TypeVar("T")
LONG = 1_000.0


def mail(text: str, size: int = 0) -> bytes:
    return f"From: a@b.example\r\nSubject: {text}\r\n\r\n{text}\r\n".encode() + b"x" * size


class Box:
    """A mailbox that nobody else uses, with somebody of ours who may change it."""

    def __init__(self, stage: Stage, dovecot: Dovecot, name: str) -> None:
        self.stage, self.dovecot = stage, dovecot
        self.source = ImapSource(
            name="inbox",
            server=Server(host=dovecot.host, port=dovecot.port, security="none"),
            login=Login(user=dovecot.user, credential="password"),
            mailbox=name,
            idle_renew_s=LONG,
            poll_s=LONG,
            silent_s=3 * LONG,
        )

    def kept(self) -> Any:
        return self.stage.kept(self.stage.mounted(self.source, password=self.dovecot.password), self.source)

    async def as_person(self, work: Callable[[imaplib.IMAP4], T]) -> T:
        def call() -> T:
            with imaplib.IMAP4(self.dovecot.host, self.dovecot.port, timeout=20) as client:
                client.login(self.dovecot.user, self.dovecot.password)
                return work(client)

        return await asyncio.to_thread(call)

    async def deliver(self, *messages: bytes, at: datetime | None = None) -> None:
        when = imaplib.Time2Internaldate(at or self.stage.clock.now())

        def append(client: imaplib.IMAP4) -> None:
            for message in messages:
                done, _ = client.append(f'"{self.source.mailbox}"', "", when, message)
                assert done == "OK"

        await self.as_person(append)

    async def heard(self, *messages: bytes) -> None:
        await until(lambda: len(self.stage.room.raws) >= len(messages))
        assert self.stage.room.bodies == list(messages)

    async def make_anew(self) -> None:
        def anew(client: imaplib.IMAP4) -> None:
            client.delete(f'"{self.source.mailbox}"')
            client.create(f'"{self.source.mailbox}"')

        await self.as_person(anew)


NAMES = iter(f"Box {n}" for n in range(1_000))


@pytest.fixture
async def box(stage: Stage, dovecot_server: Dovecot) -> Box:
    made = Box(stage, dovecot_server, next(NAMES))
    await made.as_person(lambda client: client.create(f'"{made.source.mailbox}"'))
    return made


async def test_mails_are_read_as_they_are_and_pushed_when_they_come(box: Box) -> None:
    strange = b"a: b\r\n\r\n* 5 EXISTS\r\n)\r\nA1 OK\r\n\xff\xfe\r\n"
    await box.deliver(mail("one"), strange, mail("large", size=3_000_000))
    async with box.kept():
        await box.heard(mail("one"), strange, mail("large", size=3_000_000))
        await box.deliver(mail("two"))
        await until(lambda: len(box.stage.room.raws) == 4)
    assert [raw.path.rpartition("/")[2] for raw in box.stage.room.raws] == ["1", "2", "3", "4"]
    assert box.stage.room.raws[0].headers["x-internal-date"] == "2026-01-02T03:04:05Z"
    flags = await box.as_person(lambda client: (client.select(f'"{box.source.mailbox}"'), client.search(None, "SEEN")))
    assert flags[1][1] == [b""]


async def test_many_mails_that_come_while_we_read_are_all_read(box: Box) -> None:
    """Nothing is pushed of what came in the middle of an answer."""
    texts = [mail(f"{n}") for n in range(120)]
    async with box.kept():
        for start in range(0, 120, 10):
            await box.deliver(*texts[start : start + 10])
        await box.heard(*texts)


async def test_a_restart_and_a_server_that_ends_the_session(box: Box) -> None:
    await box.deliver(mail("one"))
    async with box.kept():
        await box.heard(mail("one"))
    await box.deliver(mail("two"))
    async with box.kept():
        await box.heard(mail("one"), mail("two"))


async def test_only_the_last_days_and_a_mailbox_made_anew(box: Box, clock: FrozenClock) -> None:
    await box.deliver(mail("old"), at=clock.now() - timedelta(days=30))
    await box.deliver(mail("one"))
    async with box.kept():
        await box.heard(mail("one"))
    first = box.stage.room.raws[0].path
    await box.make_anew()
    await box.deliver(mail("after"))
    async with box.kept():
        await box.heard(mail("one"), mail("after"))
    assert box.stage.room.raws[1].path.split("/")[1] != first.split("/")[1]


async def test_too_large(box: Box) -> None:
    box.source = replace(box.source, max_message_bytes=1_000)
    await box.deliver(mail("large", size=5_000), mail("small"))
    async with box.kept():
        await until(lambda: len(box.stage.room.raws) == 2)
    large, small = box.stage.room.raws
    assert (large.body, small.body) == (b"From: a@b.example\r\nSubject: large\r\n\r\n", mail("small"))
    assert large.headers["x-full-size"] == str(len(mail("large", size=5_000)))


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encrypted(box: Box, dovecot_certificate: Path, security: Any) -> None:
    box.stage.set(ca_file=str(dovecot_certificate))
    port = box.dovecot.tls_port if security == "tls" else box.dovecot.port
    box.source = replace(box.source, server=Server(host="127.0.0.1", port=port, security=security))
    await box.deliver(mail("one"))
    async with box.kept():
        await box.heard(mail("one"))
        await box.deliver(mail("two"))
        await box.heard(mail("one"), mail("two"))


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_of_nobody_ends_it(box: Box, security: Any) -> None:
    port = box.dovecot.tls_port if security == "tls" else box.dovecot.port
    box.source = replace(box.source, server=Server(host="127.0.0.1", port=port, security=security))
    assert await trouble(box) == "tls"


async def test_a_wrong_password_and_a_mailbox_that_is_not_there(box: Box) -> None:
    good, name = box.dovecot.password, box.source.mailbox
    box.source = replace(box.source, mailbox="nowhere")
    assert await trouble(box, good) == "no_mailbox"
    box.source = replace(box.source, mailbox=name)
    assert await trouble(box, "wrong") == "login_refused"


async def trouble(box: Box, password: str | None = None) -> str:
    mounted = box.stage.mounted(box.source, password=password or box.dovecot.password)
    post = await box.stage.post(mounted, "inbox")
    with pytest.raises(Trouble) as ended:
        async with asyncio.timeout(20):
            await imap.listen(post, box.source)
    return ended.value.code
