"""The server that takes the gateway's mails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count

import aiosmtplib
import pytest
import pytest_asyncio

from adapters._mail.simulator import Trouble, World
from gateway.clock import FROZEN_START
from gateway.sandbox.news import News
from gateway.sandbox.smtp import SmtpServer
from tests import servers

US, ANA = "help@shop.example", "ana@home.example"
MAIL = (
    f"From: {US}\r\nTo: {ANA}\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n\r\nHello\r\n"
)


class Served:
    def __init__(self) -> None:
        numbers = count(1)
        self.world = World(addresses=[US], ids=(f"id{next(numbers)}" for _ in numbers))
        self.server = SmtpServer(self.world, lambda: FROZEN_START, News(), {US: "secret"})
        self.port = servers.free_port()

    async def send(self, password: str | None = "secret") -> int:
        """The code of the answer."""
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False, timeout=20)
        try:
            async with client:
                if password is not None:
                    await client.login(US, password)
                await client.sendmail(US, [ANA], MAIL)
        except aiosmtplib.SMTPResponseException as error:
            return error.code
        except aiosmtplib.SMTPRecipientsRefused as error:
            return error.recipients[0].code
        return 250


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.server.start("127.0.0.1", served.port)
    yield served
    await served.server.close()


async def test_what_is_taken_lies_in_the_mailbox(served: Served) -> None:
    assert await served.send() == 250
    (held,) = served.world.mailbox(served.world.person(ANA))
    assert (held.message_id, held.text) == ("1@shop.example", "Hello")


async def test_only_who_logs_in_may_send(served: Served) -> None:
    assert (await served.send("wrong"), await served.send(None)) == (535, 530)
    assert served.world.held == []


async def test_recipients_are_refused_one_by_one(served: Served) -> None:
    served.world.unknown.add(ANA)
    assert await served.send() == 550


@pytest.mark.parametrize(("trouble", "code"), [(Trouble(), 451), (Trouble(status=550, text="5.7.1 no"), 550)])
async def test_trouble_happens_once(served: Served, trouble: Trouble, code: int) -> None:
    served.world.troubles.append(trouble)
    assert await served.send() == code
    assert await served.send() == 250


async def test_a_mail_may_be_taken_without_a_word(served: Served) -> None:
    served.world.troubles.append(Trouble("hang"))
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await served.send()
    assert len(served.world.held) == 1


async def test_nobody_may_be_there(served: Served) -> None:
    served.world.troubles.append(Trouble("unreached"))
    with pytest.raises(aiosmtplib.SMTPException):
        await served.send()
    assert served.world.held == []
    assert await served.send() == 250
