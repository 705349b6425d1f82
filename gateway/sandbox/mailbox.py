"""Mail programs of customers, and the mail server of the business: SMTP and IMAP as real servers on loopback.

Rule: what the gateway sends comes in over SMTP, what it reads goes out over IMAP; the simulator decides the rest.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.message import EmailMessage
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from adapters._mail.simulator import Held, Trouble
from adapters._mail.simulator import Person as Owner
from adapters._mail.simulator_letters import Enclosed
from adapters.mail.simulator import MailServer
from gateway.core import Core
from gateway.sandbox.imap import ImapServer
from gateway.sandbox.news import News
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import (
    MOST_FAULTS,
    Card,
    Choice,
    Id,
    Knob,
    Place,
    Stored,
    Upload,
    file_path,
    ids_of,
)
from gateway.sandbox.smtp import SmtpServer
from gateway.sandbox.work import at_work
from gateway.settings import Endpoint
from gateway.wake import Bell

IDLE_S = 60.0
Line = Annotated[str, Meta(max_length=500, pattern=r"^[^\r\n]*$")]
Text = Annotated[str, Meta(min_length=1, max_length=100_000)]
Fault = Literal["later", "slow_down", "refused", "hang", "unreached"]
TROUBLES: dict[Fault, Trouble] = {
    "later": Trouble(status=451, text="4.3.0 try again later"),
    "slow_down": Trouble(status=421, text="4.7.28 too many mails, slow down"),
    "refused": Trouble(status=550, text="5.7.1 not taken for policy reasons"),
    "hang": Trouble("hang"),
    "unreached": Trouble("unreached"),
}


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    duplicates: bool = False
    reorder: bool = False
    bounces: Literal["never", "at_once", "later"] = "never"
    full: bool = False
    silent: bool = False
    no_idle: bool = False
    faults: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()


class Write(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="mail"):
    text: Text
    subject: Line | None = None
    answers: Id | None = None
    """The Message-ID of one of ours. None: a new thread."""
    html: Text | None = None
    proven: bool = True
    """Our mail server finds that the sender's domain stands behind it."""


class Attached(Struct, frozen=True):
    name: str
    mime: str
    url: str


class Mail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    mine: bool
    at: datetime
    sender: str
    to: str
    subject: str
    text: str
    thread: str
    """The first mail of the thread."""
    proven: bool = True
    automatic: bool = False
    files: tuple[Attached, ...] = ()


class MailScreen(Struct, frozen=True, kw_only=True):
    version: int
    address: str
    legs: tuple[str, ...]
    mails: tuple[Mail, ...]


class KeptMail(Struct, frozen=True):
    """One of ours in a customer's mailbox."""

    sender: str
    recipient: str
    data: bytes
    at: datetime


class Memory(Struct, frozen=True):
    arrived: list[tuple[datetime, bytes]]
    """In the business's mailbox, in the order of their UIDs."""
    sent: list[Mail]
    held: list[KeptMail]
    files: dict[str, Stored]


class Mailboxes(Place):
    Action: ClassVar[Any] = Write
    Memory: ClassVar[Any] = Memory

    def __init__(self, core: Core, endpoint: Endpoint, news: News) -> None:
        super().__init__(core, endpoint, news)
        settings: Any = endpoint.settings
        self._settings, self._user = settings, settings.imap_user or settings.account
        self.simulator = MailServer(
            addresses=settings.addresses, passwords={self._user: settings.imap_password}, ids=ids_of(core),
            authserv_id=settings.authserv_ids[0], uidvalidity=int(core.clock.now().timestamp()),
        )  # fmt: skip
        self.imap = ImapServer(self.simulator.logs_in, core.clock.now)
        self.imap.mailbox(self._user).uidvalidity = self.simulator.uidvalidity
        self.smtp = SmtpServer(self.simulator.world, core.clock.now, news,
                               {settings.smtp_user: settings.smtp_password})  # fmt: skip
        self._sent: list[Mail] = []
        self._files: dict[str, Stored] = {}
        self._bounces: Literal["never", "at_once", "later"] = "never"
        self._bell: Bell = news.bell()
        self._handed = 0
        self._full = False

    @property
    def card(self) -> Card:
        return Card(id=self.id, face="mailbox", title="Mail", address=self.simulator.world.addresses[0],
                    channels=self.channels, hint="A mail program. It writes to our server; the gateway reads there.",
                    tries=("How long do I have to return something?", "Can I talk to a person?"),
                    can=("files",), faults=FAULTS, knobs=KNOBS)  # fmt: skip

    def meet(self, person: Person) -> None:
        self._owner(person)

    def _owner(self, person: Person) -> Owner:
        owner = self.simulator.world.person(person.email, person.name)
        self._treat(owner)
        return owner

    # --- what people do -------------------------------------------------------------------------------------------

    def act(self, person: Person, action: Write) -> str:
        return self._write(person, action, ())

    def upload(self, person: Person, file: Upload) -> str:
        """A new mail with a file."""
        enclosed = Enclosed(file.name or "file", file.mime.partition(";")[0].strip(), file.data)
        answers = file.room or None
        subject = None if answers else f"A file: {enclosed.filename}"
        return self._write(person, Write(text=file.text or "See the file.", subject=subject, answers=answers),
                           (enclosed,))  # fmt: skip

    def _write(self, person: Person, action: Write, files: tuple[Enclosed, ...]) -> str:
        owner, now, world = self._owner(person), self.core.clock.now(), self.simulator.world
        answered = self._held(owner, action.answers) if action.answers else None
        owner.proven = action.proven
        subject = action.subject or (None if answered else "A question")
        id = world.write(owner, action.text, now, subject=subject, html=action.html, files=files, answers=answered)
        told = subject or f"Re: {answered.subject.removeprefix('Re: ') if answered else ''}"
        thread = self._threads(owner)[answered.message_id] if answered else id
        attached = tuple(self._keep(f"{id}/{place}", one) for place, one in enumerate(files))
        self._sent.append(Mail(id=id, mine=True, at=now, sender=person.email, to=world.addresses[0], subject=told,
                               text=action.text, thread=thread, proven=action.proven, files=attached))  # fmt: skip
        self.news.changed()
        return id

    def _held(self, owner: Owner, id: str) -> Held:
        for held in self.simulator.world.mailbox(owner):
            if held.message_id == id:
                return held
        raise Refused(404, "unknown_message", "no such mail lies in this mailbox")

    # --- what they see --------------------------------------------------------------------------------------------

    def screen(self, person: Person) -> MailScreen:
        owner = self._owner(person)
        threads = self._threads(owner)
        sent = [mail for mail in self._sent if mail.sender == person.email]
        held = [self._shown(one, threads[one.message_id]) for one in self.simulator.world.mailbox(owner)]
        mails = tuple(sorted([*sent, *held], key=lambda mail: mail.at))
        return MailScreen(version=self.news.version, address=person.email, legs=(f"mailto:{person.email}",),
                          mails=mails)  # fmt: skip

    def _threads(self, owner: Owner) -> dict[str, str]:
        """By Message-ID: the first mail that it refers to and that is known here; else it begins one."""
        found = {mail.id: mail.thread for mail in self._sent}
        for held in self.simulator.world.mailbox(owner):
            told = f"{held.mail.get('References', '')} {held.mail.get('In-Reply-To', '')}"
            names = [name.strip("<>") for name in told.split()]
            found[held.message_id] = next((found[name] for name in names if name in found), held.message_id)
        return found

    def _shown(self, held: Held, thread: str) -> Mail:
        enclosed = enumerate(held.mail.iter_attachments())
        files = tuple(self._keep(f"{held.message_id}/{place}", _file(part)) for place, part in enclosed)
        return Mail(id=held.message_id, mine=False, at=held.at, sender=str(held.mail["From"]), to=held.person.address,
                    subject=held.subject, text=held.text, thread=thread, files=files,
                    automatic=str(held.mail.get("Auto-Submitted", "no")) != "no")  # fmt: skip

    def _keep(self, id: str, file: Enclosed) -> Attached:
        key = id.replace("/", "-")
        self._files[key] = Stored(file.mime, file.data)
        return Attached(file.filename, file.mime, file_path(self.id, key))

    def file(self, id: str) -> Stored | None:
        return self._files.get(id)

    # --- from one run to the next ---------------------------------------------------------------------------------

    def remember(self) -> Memory:
        box = self.imap.mailbox(self._user)
        held = [KeptMail(one.sender, one.person.address, one.data, one.at) for one in self.simulator.world.held]
        return Memory([(mail.at, mail.message) for mail in box.mails], self._sent, held, self._files)

    def recall(self, memory: Memory) -> None:
        """Under other UIDs: after a crash old ones could be given twice. The gateway knows what it has read."""
        for at, message in memory.arrived:
            self.imap.deliver(self._user, message, at=at)
        for one in memory.held:
            self.simulator.world.accept(one.sender, [one.recipient], one.data, one.at)
        self._sent, self._files = memory.sent, memory.files

    # --- the servers ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both are up before the gateway looks for them."""
        await self.imap.start(self._settings.imap_host, self._settings.imap_port)
        await self.smtp.start(self._settings.smtp_host, self._settings.smtp_port)
        try:
            async with at_work(self._deliver(), self.news):
                yield
        finally:
            await self.smtp.close()
            await self.imap.close()

    async def _deliver(self) -> None:
        """What arrives lies in the mailbox at once, and who has it open is told."""
        while not self.news.stopping.is_set():
            now = self.core.clock.now()
            for one in self.simulator.messages(now)[self._handed :]:
                self.imap.deliver(self._user, one.data, at=one.at)
                self._handed += 1
            at = self.simulator.world.next_arrival()
            await self._bell.wait(IDLE_S if at is None else max((at - now).total_seconds(), 0.0) + 0.002)

    # --- switches -------------------------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        faults, kinds = self.imap.faults, {trouble: kind for kind, trouble in TROUBLES.items()}
        world = self.simulator.world
        return Switches(duplicates=world.duplicates, reorder=self.simulator.reorder, bounces=self._bounces,
                        full=any(one.full for one in world.people.values()), silent=faults.silent,
                        no_idle=faults.no_idle,
                        faults=tuple(kinds[trouble] for trouble in world.troubles))  # fmt: skip

    def switch(self, wanted: Switches) -> None:
        world, faults = self.simulator.world, self.imap.faults
        world.duplicates, self.simulator.reorder, self._bounces = wanted.duplicates, wanted.reorder, wanted.bounces
        faults.silent, faults.no_idle = wanted.silent, wanted.no_idle
        world.troubles.clear()
        world.troubles.extend(TROUBLES[kind] for kind in wanted.faults)
        self._full = wanted.full
        for owner in world.people.values():
            self._treat(owner)
        self.news.changed()

    def _treat(self, owner: Owner) -> None:
        world, address = self.simulator.world, owner.address.lower()
        owner.full = self._full
        for names, when in ((world.unknown, "at_once"), (world.unknown_later, "later")):
            (names.add if self._bounces == when else names.discard)(address)


def _file(part: EmailMessage) -> Enclosed:
    data = part.get_payload(decode=True)
    return Enclosed(part.get_filename() or "file", part.get_content_type(), data if isinstance(data, bytes) else b"")


FAULTS = (
    Choice("later", "451 try later", "The server does not take the next mail now"),
    Choice("slow_down", "421 slow down", "Too many mails"),
    Choice("refused", "550 refused", "The server will never take it"),
    Choice("hang", "Lost answer", "It is taken, and the connection breaks"),
    Choice("unreached", "No connection", "Nobody answers at the server"),
)
KNOBS = (
    Knob(id="bounces", label="Mails to customers", options=(
        Choice("never", "Arrive"), Choice("at_once", "Are refused"), Choice("later", "Bounce later"))),
    Knob(id="full", label="Mailboxes are full", text="The server says so, for now (452)."),
    Knob(id="duplicates", label="Every mail twice", text="The same mail arrives under two numbers of the mailbox."),
    Knob(id="reorder", label="Newest first", text="What arrives together lies in the mailbox backwards."),
    Knob(id="silent", label="The mailbox is silent", text="IMAP is connected and says nothing any more."),
    Knob(id="no_idle", label="No IDLE", text="The server does not push: the gateway has to look."),
)  # fmt: skip
