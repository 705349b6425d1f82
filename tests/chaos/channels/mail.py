"""Mail: people who write, the mailbox that the gateway reads over IMAP, and the server that takes its mails by SMTP.

A mailbox keeps what arrived, so nothing of it may be lost, whether the gateway was there or not; it counts as taken, in
its order, when it lies there. What a person receives twice with the same Message-ID his mail program shows once; it is
recorded each time all the same, for it must not come again without a doubt.

Rule: a mail of ours meets trouble on its first way alone, so that none is given up.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from adapters._mail.simulator import Held
from adapters._mail.simulator_letters import Enclosed
from adapters.mail.simulator import MailServer, Stored
from gateway.sandbox.imap import Faults, ImapServer
from normalizer.envelope import Status
from tests import servers
from tests.chaos.channels.line import Heard, Place, Record, Said, Scene
from tests.chaos.channels.mail_smtp import Smtp

ENDPOINT, ADDRESS = "box", "support@shop.example"
PASSWORD, TOKEN_KEY = "the password of the mailbox", "a key that signs the names of threads"
AUTHSERV = "mx.shop.example"
PEOPLE = 40
LOOK_S = 0.01
ON_THE_WAY_S = 0.3
"""Longest time from writing a mail to its place in the mailbox; each takes its own."""
ANSWERING, WITH_FILE, WITH_HTML, TWICE, ABSENT, OF_STRANGERS = 0.5, 0.15, 0.25, 0.1, 0.1, 0.05
"""Shares of mails: answers to ours, and those that arrive a second time; with how many of them come a note that
somebody is absent, and a mail from an address that takes none."""
COPIED, BOUNCED = 0.6, 0.04
"""Shares of our mails: copied into the mailbox by a rule of the server's, and bounced although taken."""
FAULTS_EACH_S = 0.6
RENUMBERED_AFTER = 60
"""Mails, and then the mailbox is made anew."""
MESSAGE_ID = re.compile(rb"(?im)^message-id: <([^>]+)>")
READ_AS_FILE = "\n[document]"
"""How a file shows in what is read of a mail, by us and by the engine that repeats it."""


class Mail:
    name = "mail"
    sources = 1

    def __init__(self, place: Place) -> None:
        self.place, self.random, self.trouble = place, place.random, place.trouble
        self.record = Record()
        self.customers = tuple(f"c{number}" for number in range(1, PEOPLE + 1))
        self.server = MailServer(
            addresses=(ADDRESS,), passwords={ADDRESS: PASSWORD}, ids=(f"m{n}" for n in count(1)), authserv_id=AUTHSERV
        )
        self.world = self.server.world
        self.imap = ImapServer(self.server.logs_in, now)
        self.smtp = Smtp(self, servers.free_port())
        self._said: dict[str, Said] = {}
        self._about: dict[str, tuple[Heard, Status]] = {}
        """By their Message-IDs: mails that tell what became of one of ours."""
        self._strangers = 0
        self._handed = 0
        self._renumbered = False

    # --- Line ---------------------------------------------------------------------------------------------------------

    def endpoints(self) -> Mapping[str, Mapping[str, Any]]:
        settings = {
            "type": "mail", "addresses": [ADDRESS], "token_keys": [TOKEN_KEY], "authserv_ids": [AUTHSERV],
            "imap_host": "127.0.0.1", "imap_port": self.place.port, "imap_security": "none", "imap_user": ADDRESS,
            "imap_password": PASSWORD, "poll_s": 2, "silent_s": 10, "idle_renew_s": 10,
            "smtp_host": "127.0.0.1", "smtp_port": self.smtp.port, "smtp_security": "none",
            "automatic_per_hour": 1_000_000,
        }  # fmt: skip
        return {ENDPOINT: settings}

    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        return {
            "transport": {"mail_timeout_ms": 3_000, "mail_connections_per_host": 8},
            "listen": {"command_timeout_ms": 3_000, "connect_timeout_ms": 3_000},
        }

    def say(self, customer: str, text: str) -> Said:
        draw, held = self.random.random, self.last(customer)
        files = (Enclosed("notes.pdf", "application/pdf", b"%PDF-1.4 " + text.encode()),) if draw() < WITH_FILE else ()
        html = f"<div><b>{text}</b></div>" if draw() < WITH_HTML and not files else None
        said = Said(customer, text + READ_AS_FILE if files else text, time.monotonic(), kept=True)
        answered = held if held is not None and draw() < ANSWERING else None
        body = f"{text}\n\n{_quoted(answered)}" if answered is not None and html is None else text
        id = self.write(customer, body, answers=answered, html=html, files=files)
        self._said[id] = said
        self.record.said.append(said)
        if self.trouble and held is not None and draw() < ABSENT:
            self.notes(customer, "I am out of the office", held)
        if self.trouble and draw() < OF_STRANGERS:
            self._stranger()
        return said

    def _stranger(self) -> None:
        """Somebody whose address takes no mail wants an answer."""
        self._strangers += 1
        name = f"gone{self._strangers}"
        self.world.unknown.add(self.address(name))
        text = f"{name} says nothing more"
        id = self.write(name, text)
        self._said[id] = said = Said(name, text, time.monotonic(), kept=True)
        self.record.said.append(said)
        self.record.refused.add(text)

    @property
    def waiting(self) -> int:
        return len(self.world.arriving)

    def calm(self) -> None:
        self.trouble = False
        self.imap.faults = Faults()
        self._renumber()

    def scenes(self) -> Sequence[Scene]:
        from tests.chaos.channels.mail_scenes import scenes

        return scenes(self)

    # --- people -------------------------------------------------------------------------------------------------------

    def address(self, customer: str) -> str:
        return f"{customer}@{customer}.example"

    def write(self, customer: str, text: str, **facts: Any) -> str:
        """The Message-ID."""
        owner = self.world.person(self.address(customer), customer.upper())
        late = self.random.uniform(0, ON_THE_WAY_S) if self.trouble else 0.0
        id = self.world.write(owner, text, now() + timedelta(seconds=late), subject=None, **facts)
        if self.trouble and self.random.random() < TWICE:
            arriving = self.world.arriving[-1]
            again = timedelta(seconds=self.random.uniform(0, 4 * ON_THE_WAY_S))
            self.world.arrive(arriving.data, arriving.mail_from, arriving.recipient, arriving.at + again, proven=True)
            self.record.counts["mails that arrived twice"] += 1
        return id

    def notes(self, customer: str, text: str, held: Held | None) -> str:
        """His program answers for him."""
        id = self.write(customer, text, answers=held, headers={"Auto-Submitted": "auto-replied"})
        self.record.noted.add(id)
        self.record.counts["absence notes"] += 1
        return id

    def last(self, customer: str) -> Held | None:
        """What he got from us at last."""
        held = self.world.mailbox(self.world.person(self.address(customer)))
        return held[-1] if held else None

    # --- what we send -------------------------------------------------------------------------------------------------

    def taken(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """The server has taken a mail of ours."""
        held = self.world.held[-1]
        again = sum(one.id == held.message_id for one in self.record.heard)
        self.record.counts["mails that a person got again, shown once"] += again > 0
        customer = held.person.address.partition("@")[0]
        heard = self.record.hears(Heard(customer, held.text, time.monotonic(), held.message_id))
        if not self.trouble or again:
            return
        if self.random.random() < COPIED:
            self.copies(heard, message)
        if self.random.random() < BOUNCED:
            self.bounces(heard, sender, recipients[0], message)

    def copies(self, heard: Heard, message: bytes) -> None:
        """A rule of the server's puts a copy of what we send into our own mailbox."""
        assert heard.id is not None
        late = timedelta(seconds=self.random.uniform(0, 4 * ON_THE_WAY_S))
        self.world.arrive(message, ADDRESS, ADDRESS, now() + late, proven=True)
        self._about[heard.id] = heard, Status.SENT
        self.record.counts["copies of ours"] += 1

    def bounces(self, heard: Heard, sender: str, recipient: str, message: bytes) -> None:
        self.world.bounce(message, sender, recipient, now())
        self.tells(self.world.arriving[-1].data, heard, Status.FAILED)
        self.record.counts["bounces"] += 1

    def tells(self, data: bytes, heard: Heard, status: Status) -> None:
        """This mail will tell what became of one of ours."""
        self._about[id_of(data)] = heard, status

    # --- the servers --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.imap.mailbox(ADDRESS).uidvalidity = self.server.uidvalidity
        await self.imap.start("127.0.0.1", self.place.port)
        await self.smtp.start()
        tasks = [asyncio.create_task(self._deliver()), asyncio.create_task(self._misbehave())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self.smtp.close()
            await self.imap.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _deliver(self) -> None:
        while True:
            self._pump()
            await asyncio.sleep(LOOK_S)

    def _pump(self) -> None:
        """What has arrived lies in the mailbox."""
        for one in self.server.messages(now())[self._handed :]:
            self.imap.deliver(ADDRESS, one.data, at=one.at)
            self._handed += 1
            self._lies_there(one)
        if self.trouble and len(self._said) >= RENUMBERED_AFTER:
            self._renumber()

    def _lies_there(self, one: Stored) -> None:
        self.tells_now(id_of(one.data))

    def tells_now(self, id: str) -> None:
        """From here on what this mail says is known to the gateway, or must be."""
        at = time.monotonic()
        if (said := self._said.get(id)) and said.acked_at is None:
            said.acked_at = at
        if told := self._about.get(id):
            heard, status = told
            heard.told.setdefault(status, at)

    # --- trouble ------------------------------------------------------------------------------------------------------

    def _renumber(self) -> None:
        """Once: all is there under other numbers, and is read again."""
        if self._renumbered or not self._said:
            return
        self._renumbered = True
        self.imap.renumber(ADDRESS)
        self.record.counts["mailbox made anew"] += 1
        self.record.counts["mails read again because of that"] = len(self.imap.mailbox(ADDRESS).mails)

    async def _misbehave(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0, 2 * FAULTS_EACH_S))
            if self.trouble:
                await self._fault(
                    self.random.choice(("bye", "bye on idle", "dropped", "in fetch", "half open", "none"))
                )

    async def _fault(self, kind: str) -> None:
        faults = self.imap.faults
        match kind:
            case "bye":
                self.imap.bye()
            case "dropped":
                self.imap.drop()
            case "bye on idle":
                faults.bye_on_idle = 1
            case "in fetch":
                faults.in_fetch.append(self._hurry)
                return
            case "half open" if self.random.random() < 0.3:
                faults.silent = True
                await asyncio.sleep(self.random.uniform(0.5, 4.0))
                faults.silent = False
            case _:
                return
        self.record.counts[f"IMAP: {kind}"] += 1

    def _hurry(self) -> None:
        """What is on its way arrives in the middle of a FETCH."""
        if not self.world.arriving:
            self.notes(self.random.choice(self.customers), "I am on holiday", None)
        self.record.counts["IMAP: mails that came during a FETCH"] += len(self.world.arriving)
        for one in self.world.arriving:
            one.at = min(one.at, now())
        self._pump()


def _quoted(held: Held | None) -> str:
    """What mail programs put below an answer."""
    if held is None:
        return ""
    lines = "".join(f"> {line}\n" for line in held.text.splitlines())
    return f"On Mon, Jan 5, 2026 at 10:00 AM Support <{ADDRESS}> wrote:\n\n{lines}"


def id_of(data: bytes) -> str:
    found = MESSAGE_ID.search(data)
    return found[1].decode() if found else ""


def now() -> datetime:
    return datetime.now(UTC)
