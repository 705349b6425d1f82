"""Promise 6 with mail: how long a mail in doubt keeps its customer waiting, and what ends that sooner."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope, Session

from adapters import REGISTRY
from adapters.base import RawInbound
from adapters.mail.config import Config
from gateway.directory import Directory, Mounted
from gateway.store.schema import DONE, DOUBT, DUE
from normalizer.ids import EndpointId
from tests.gateway.transport.mailserver import MailServer
from tests.rooms.world import World

BOX = EndpointId("box")
HELD_S = 20
"""As long as a copy of our own mail may take from a server that makes one: nothing else can tell so soon."""


class Server(MailServer):
    """Takes every mail; the first one without a word."""

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        if len(self.mails) == 1:
            server.transport.abort()
        return "250 2.0.0 taken"

    @property
    def texts(self) -> list[str]:
        """The first lines of all mails."""
        return self._found(rb"(?m)^(re: .*?)\r?$")

    @property
    def names(self) -> list[str]:
        """Their Message-IDs."""
        return self._found(rb"(?m)^Message-ID:\s+(<\S+>)")

    @property
    def references(self) -> list[list[str]]:
        return [re.sub(r"\s+", " ", one).split() for one in self._found(rb"(?ms)^References:(.*?)\r\n(?=\S)")]

    def _found(self, pattern: bytes) -> list[str]:
        matches = [re.search(pattern, one.original_content or b"") for one in self.mails]
        return [match[1].decode() for match in matches if match is not None]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    async with running:
        yield running


@pytest.fixture
def house(world: World, server: Server) -> World:
    """The world with a mailbox."""
    config = Config(addresses=("support@shop.example",), token_keys=("a-key-that-signs-threads-for-tests-1",),
                    smtp_host="127.0.0.1", smtp_port=server.port, smtp_security="none")  # fmt: skip
    box = Mounted(id=BOX, type="mail", adapter=REGISTRY["mail"].build(BOX, config), channels=config.channels(BOX),
                  credentials=config.credentials())  # fmt: skip
    world.directory = Directory([box])
    world.boot()
    return world


async def arrives(world: World, data: bytes) -> None:
    raw: dict[str, Any] = {"method": "MAIL", "body": data, "origin": "dialled"}
    await world.receiver.receive(RawInbound(id=world.ids.uuid(), endpoint_id=BOX, received_at=world.clock.now(), **raw))
    await world.processor.drain()


async def joe_writes(world: World, number: int, thread: int = 1) -> None:
    """A question of his; `thread`: the number of the one that it belongs to."""
    head = f"From: joe@x.example\r\nTo: support@shop.example\r\nMessage-ID: <{number}@x.example>\r\n"
    head += f"References: <{thread}@x.example>\r\n" if thread != number else ""
    await arrives(world, f"{head}Subject: question {number}\r\n\r\nquestion {number}\r\n".encode())


async def two_answers(world: World) -> None:
    """The first one is in doubt, and the second one waits for it."""
    await joe_writes(world, 1)
    await world.run()
    await joe_writes(world, 2)
    await world.run()
    assert world.states() == [DOUBT, DUE]


async def test_a_mail_in_doubt_holds_the_next_one_no_longer_than_a_copy_of_it_may_take(
    house: World, server: Server
) -> None:
    await two_answers(house)
    house.clock.advance(HELD_S - 1)
    await house.run()
    assert server.texts == ["re: question 1"]
    house.clock.advance(1)
    await house.run()
    assert server.texts == ["re: question 1", "re: question 1", "re: question 2"]
    assert server.names[0] == server.names[1] != server.names[2]
    assert house.states() == [DONE, DONE]


async def test_a_mail_in_doubt_holds_no_other_thread(house: World, server: Server) -> None:
    await joe_writes(house, 1)
    await house.run()
    await joe_writes(house, 2, thread=2)
    await house.run()
    assert house.states() == [DOUBT, DONE]
    assert server.texts == ["re: question 1", "re: question 2"]


async def test_a_mail_names_what_was_said_in_its_thread_and_nothing_else(house: World, server: Server) -> None:
    for number, thread in ((1, 1), (2, 2), (3, 1), (4, 1)):
        await joe_writes(house, number, thread)
        await house.run()
        house.clock.advance(HELD_S)
        await house.run()
    own = dict(zip(server.texts, server.names, strict=True))
    assert server.references[-1][1:] == [  # after the name of the thread itself
        "<1@x.example>", own["re: question 1"], "<3@x.example>", own["re: question 3"], "<4@x.example>",
    ]  # fmt: skip


async def test_a_copy_of_it_in_the_mailbox_ends_the_doubt_at_once(house: World, server: Server) -> None:
    await two_answers(house)
    copy = server.mails[0].original_content
    assert isinstance(copy, bytes)
    await arrives(house, copy)
    await house.run()
    assert server.texts == ["re: question 1", "re: question 2"]
    assert house.states() == [DONE, DONE]


async def test_a_report_that_it_bounced_ends_the_doubt_at_once(house: World, server: Server) -> None:
    """It went out, or it could not have come back."""
    await two_answers(house)
    report = (
        "From: MAILER-DAEMON@mx.shop.example\r\nTo: support@shop.example\r\nSubject: Undelivered Mail\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.shop.example\r\n\r\n"
        "Final-Recipient: rfc822; joe@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {server.names[0]}\r\n--b--\r\n"
    )
    await arrives(house, report.encode())
    await house.run()
    assert server.texts == ["re: question 1", "re: question 2"]
    assert await house.statuses() == ["failed", "sent"]
