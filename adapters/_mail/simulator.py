"""The world of mail seen from the other side: people with mailboxes, the server that takes our mails, and what comes
back. Pure and stateful; each mail adapter's simulator stands on it.

It refuses what mail servers refuse: unknown recipients, full mailboxes, mails that are too large or are none, too many
at once. It can be told to fail, to bounce later, to deliver twice and in another order.

Rule: ids come from an iterator and times as arguments, so that a run can be replayed.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Literal

import msgspec
from msgspec import Struct

from adapters._mail.simulator_letters import Enclosed, Written, bounced, written
from adapters.base import MailCall, MailReply, NoAnswer, NotReached, Reply

SERVER = "mx.home.example"
NEEDED = ("From", "Date", "Message-ID")
LONGEST_LINE = 998


class Person(Struct, eq=False):
    address: str
    name: str = ""
    proven: bool = True
    """Our own server finds that the domain stands behind the From."""
    full: bool = False
    away: str | None = None
    """What the program answers for its owner."""
    polite: bool = True
    """It does not answer machines (RFC 3834)."""


class Held(Struct, eq=False):
    """A mail of ours in somebody's mailbox."""

    person: Person
    message_id: str
    subject: str
    text: str
    data: bytes
    mail: EmailMessage
    sender: str
    at: datetime


class Arriving(Struct):
    """A mail on its way to us."""

    at: datetime
    data: bytes
    mail_from: str
    recipient: str
    proven: bool = False


class Trouble(Struct, frozen=True):
    """What the server does with the next mail instead of taking it. `hang`: it takes it, and never says so."""

    kind: Literal["refuse", "hang", "unreached"] = "refuse"
    status: int = 451
    text: str = "4.3.0 try again later"


class World:
    def __init__(self, *, addresses: Sequence[str], ids: Iterator[str], max_bytes: int = 26_214_400,
                 per_minute: int | None = None, bounce_after: timedelta = timedelta(seconds=1)) -> None:  # fmt: skip
        """`addresses` are ours; `per_minute`: so many mails of ours the server takes."""
        self.addresses, self.max_bytes, self.per_minute = tuple(addresses), max_bytes, per_minute
        self.bounce_after = bounce_after
        self.people: dict[str, Person] = {}
        self.unknown: set[str] = set()
        """Nobody has such an address, and the server says so at once."""
        self.unknown_later: set[str] = set()
        """The same, but it finds out after it took the mail."""
        self.held: list[Held] = []
        self.arriving: list[Arriving] = []
        self.troubles: deque[Trouble] = deque()
        self.duplicates = False
        """Each mail to us arrives twice."""
        self._ids = ids
        self._taken: deque[datetime] = deque()

    def person(self, address: str, name: str = "", **facts: bool | str | None) -> Person:
        """The one with this address, made where there is none."""
        if (found := self.people.get(address.lower())) is None:
            found = self.people[address.lower()] = Person(address, name)
        for key, value in facts.items():
            setattr(found, key, value)
        found.name = name or found.name
        return found

    def mailbox(self, person: Person) -> list[Held]:
        return [held for held in self.held if held.person is person]

    # --- what we send ----------------------------------------------------------------------------------------------

    def answer(self, call: MailCall, now: datetime) -> Reply | NoAnswer | NotReached:
        """What the transport would bring back."""
        if not self.troubles:
            return self.accept(call.sender, call.recipients, call.message, now)
        trouble = self.troubles.popleft()
        match trouble.kind:
            case "unreached":
                return NotReached("no connection")
            case "refuse":
                return said(trouble.status, trouble.text)
            case "hang":
                self.accept(call.sender, call.recipients, call.message, now)
                return NoAnswer("no answer came in time")

    def accept(self, sender: str, recipients: Sequence[str], message: bytes, now: datetime) -> Reply:
        """What the mail server says to the whole transaction; what it takes is in the mailboxes."""
        if self._too_many(now):
            return said(421, "4.7.28 too many mails, slow down")
        if sender and sender not in self.addresses:
            return said(553, "5.7.1 not an address of yours")
        refused = {one: why for one in recipients if (why := self.refusal(one)) is not None}
        if len(refused) == len(set(recipients)):
            code, text = min(refused.values())
            return said(code, text, refused)
        if (wrong := self._wrong(message)) is not None:
            return said(*wrong, refused)
        self._taken.append(now)
        for recipient in recipients:
            if recipient not in refused:
                self._deliver(sender, recipient, message, now)
        return said(250, f"2.0.0 queued as {next(self._ids)}", refused)

    def _too_many(self, now: datetime) -> bool:
        while self._taken and now - self._taken[0] >= timedelta(minutes=1):
            self._taken.popleft()
        return self.per_minute is not None and len(self._taken) >= self.per_minute

    def refusal(self, recipient: str) -> tuple[int, str] | None:
        person = self.people.get(recipient.lower())
        if recipient.lower() in self.unknown:
            return 550, f"5.1.1 <{recipient}>: nobody has this address"
        if person is not None and person.full:
            return 452, f"4.2.2 <{recipient}>: the mailbox is full"
        return None

    def _wrong(self, message: bytes) -> tuple[int, str] | None:
        if len(message) > self.max_bytes:
            return 552, "5.3.4 too large"
        mail = _read(message)
        missing = [name for name in NEEDED if len(mail.get_all(name, [])) != 1]
        if missing or mail.defects:
            return 554, f"5.6.0 not a mail: {', '.join(missing) or 'it can not be read'}"
        if max(map(len, message.split(b"\r\n"))) > LONGEST_LINE:
            return 554, "5.6.0 a line is too long"
        return None

    def _deliver(self, sender: str, recipient: str, message: bytes, now: datetime) -> None:
        if recipient.lower() in self.unknown_later:
            self.bounce(message, sender, recipient, now)
            return
        person, mail = self.person(recipient), _read(message)
        body = mail.get_body(("plain",))
        held = Held(
            person=person,
            message_id=str(mail["Message-ID"]).strip("<>"),
            subject=str(mail["Subject"] or ""),
            text=str(body.get_content()).replace("\r\n", "\n").strip("\n") if body is not None else "",
            data=message,
            mail=mail,
            sender=sender,
            at=now,
        )
        self.held.append(held)
        if person.away is not None and not (person.polite and _automatic(mail)):
            self.write(person, person.away, now, answers=held, headers={"Auto-Submitted": "auto-replied"}
                       if person.polite else {})  # fmt: skip

    # --- what comes to us ------------------------------------------------------------------------------------------

    def write(self, person: Person, text: str, now: datetime, *, subject: str | None = None, html: str | None = None,
              files: Sequence[Enclosed] = (), answers: Held | None = None, to: str | None = None,
              headers: Mapping[str, str] = {}) -> str:  # fmt: skip
        """A new mail, or an answer to one of ours; its Message-ID."""
        id = f"{next(self._ids)}@{person.address.rpartition('@')[2]}"
        known = _ids(answers) if answers else []
        target = to or (_reply_address(answers) if answers else self.addresses[0])
        letter = Written(
            message_id=id,
            sender=person.address,
            name=person.name,
            to=(target,),
            subject=subject or (_answer_subject(answers.subject) if answers else "Hello"),
            text=text,
            html=html,
            files=files,
            at=now,
            answers=answers.message_id if answers else None,
            references=[*known, answers.message_id] if answers else (),
            headers=headers,
        )
        self.arrive(written(letter), person.address, target, now, proven=person.proven)
        return id

    def bounce(self, message: bytes, sender: str, recipient: str, now: datetime, *, status: str = "5.1.1",
               diagnostic: str = "550 5.1.1 nobody has this address", action: str = "failed") -> None:  # fmt: skip
        """A report on a mail of ours, to where its envelope says; to nobody when that is empty."""
        if not sender:
            return
        at = now + self.bounce_after
        data = bounced(message_id=f"{next(self._ids)}@{SERVER}", server=SERVER, recipient=recipient, status=status,
                       diagnostic=diagnostic, original=message, to=sender, at=at, action=action)  # fmt: skip
        self.arrive(data, "", sender, at, proven=False)

    def arrive(self, data: bytes, mail_from: str, recipient: str, at: datetime, *, proven: bool = False) -> None:
        """Any bytes at all."""
        for _ in range(2 if self.duplicates else 1):
            self.arriving.append(Arriving(at, data, mail_from, recipient, proven))

    def arrived(self, now: datetime, *, reorder: bool = False) -> list[Arriving]:
        """What is there by now; each once."""
        due = [one for one in self.arriving if one.at <= now]
        self.arriving = [one for one in self.arriving if one.at > now]
        return sorted(due, key=lambda one: one.at, reverse=reorder)

    def next_arrival(self) -> datetime | None:
        return min((one.at for one in self.arriving), default=None)


def said(status: int, text: str, refused: Mapping[str, tuple[int, str]] | None = None) -> Reply:
    return Reply(status, {}, msgspec.json.encode(MailReply(text=text, refused=dict(refused or {}))))


def _read(message: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=default).parsebytes(message)


def _automatic(mail: EmailMessage) -> bool:
    submitted = str(mail.get("Auto-Submitted", "no")).lower()
    return submitted != "no" or "Precedence" in mail or "X-Auto-Response-Suppress" in mail


def _ids(held: Held) -> list[str]:
    return [id.strip("<>") for id in str(held.mail.get("References", "")).split()]


def _reply_address(held: Held) -> str:
    field = held.mail["Reply-To"] or held.mail["From"]
    return str(field.addresses[0].addr_spec)


def _answer_subject(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"
