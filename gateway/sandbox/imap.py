"""A small IMAP server (RFC 9051, RFC 2177) with mailboxes in memory: enough for the gateway's own listener.

It shows a session what has come only when the session says something, as large servers do: a SEARCH finds what was
there at the end of the command before. And it can be told to misbehave in the ways that real ones do.

Rule: it knows LOGIN, AUTHENTICATE XOAUTH2, CAPABILITY, SELECT, NOOP, UID SEARCH, UID FETCH, IDLE, LOGOUT; nothing else.
Rule: whatever is fetched without PEEK is marked as seen, so that a listener that forgets it is found out.
"""

import asyncio
import re
import ssl
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TOKENS = re.compile(r'"((?:[^"\\]|\\.)*)"|\(([^()]*)\)|([^\s()"]+)')
MAX_LINE_BYTES = 65_536
REMEMBERED = 1_000
REFUSED_TOKEN = "eyJzdGF0dXMiOiI0MDAifQ=="
"""The challenge that tells of a bad token: `{"status":"400"}`."""

Check = Callable[[str, str], bool]
"""Whether this user may come in with this password or access token."""


@dataclass
class Mail:
    uid: int
    message: bytes
    at: datetime
    seen: bool = False


@dataclass
class Mailbox:
    uidvalidity: int = 1
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)


@dataclass
class Faults:
    """What goes wrong. Numbers are so many times; all of it may be changed while the server runs."""

    silent: bool = False
    """It reads and says nothing: a connection that is only half open."""
    no_idle: bool = False
    no_uidnext: bool = False
    bye_on_idle: int = 0
    refused_logins: int = 0
    busy_logins: int = 0
    refused_uids: set[int] = field(default_factory=set)
    """Their bodies are answered with NO."""
    header_of: set[int] = field(default_factory=set)
    """Of those, whose header is given all the same."""
    broken_uids: set[int] = field(default_factory=set)
    """Whoever asks for their bodies loses the connection."""
    size_of: dict[int, int] = field(default_factory=dict)
    """What RFC822.SIZE claims, by UID."""
    in_fetch: deque[Callable[[], object]] = field(default_factory=deque)
    """Each happens once, in the middle of the answer to a FETCH of bodies."""
    in_listing: deque[Callable[[], object]] = field(default_factory=deque)
    """The same for a FETCH of anything else."""


class ImapServer:
    def __init__(self, check: Check, now: Callable[[], datetime]) -> None:
        self.faults = Faults()
        self.commands: deque[str] = deque(maxlen=REMEMBERED)
        """What sessions said, logins without their secrets."""
        self._check, self._now = check, now
        self._mailboxes: dict[str, Mailbox] = {}
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """The port that it listens on."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_LINE_BYTES, ssl=tls)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        for session in list(self._sessions):
            await session.ended.wait()

    # --- what happens in a mailbox ------------------------------------------------------------------------------------

    def mailbox(self, user: str) -> Mailbox:
        return self._mailboxes.setdefault(user.lower(), Mailbox())

    def deliver(self, user: str, message: bytes, *, at: datetime | None = None, uid: int | None = None) -> int:
        """The UID that it got. `uid`: a number from before, that is only now to be seen."""
        box = self.mailbox(user)
        number = box.uidnext if uid is None else uid
        box.uidnext = max(box.uidnext, number + 1)
        box.mails.append(Mail(number, message, at or self._now()))
        self._tell(box)
        return number

    def skip(self, user: str, count: int = 1) -> int:
        """Numbers that are given out and not to be seen yet; the first of them."""
        box = self.mailbox(user)
        box.uidnext += count
        return box.uidnext - count

    def expunge(self, user: str, uid: int) -> None:
        """A person deleted it. Sessions learn of it when they select the mailbox again."""
        box = self.mailbox(user)
        box.mails = [mail for mail in box.mails if mail.uid != uid]

    def renumber(self, user: str) -> None:
        """The mailbox was made anew, with all that is in it; who had it open is thrown out."""
        box = self.mailbox(user)
        box.uidvalidity += 1
        for number, mail in enumerate(box.mails, start=1):
            mail.uid = number
        box.uidnext = len(box.mails) + 1
        self.bye()

    def bye(self) -> None:
        """Says so, and closes every connection."""
        for session in list(self._sessions):
            session.say("* BYE session expired")
            session.close()

    def drop(self) -> None:
        """Closes every connection without a word."""
        for session in list(self._sessions):
            session.close()

    @property
    def idling(self) -> int:
        return sum(session.idle_tag is not None for session in self._sessions)

    def _tell(self, box: Mailbox) -> None:
        for session in self._sessions:
            if session.box is box and session.idle_tag is not None:
                session.synchronize()

    def may_enter(self, user: str, secret: str) -> bool:
        if self.faults.refused_logins > 0:
            self.faults.refused_logins -= 1
            return False
        return self._check(user, secret)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        self._sessions.add(session)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                await session.run()
        finally:
            self._sessions.discard(session)
            session.close()
            session.ended.set()


class _Session:
    def __init__(self, server: ImapServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._user: str | None = None
        self.box: Mailbox | None = None
        self._shown: list[Mail] = []
        """What the session has been told of."""
        self.idle_tag: str | None = None
        self.ended = asyncio.Event()

    def say(self, line: str) -> None:
        if not self._server.faults.silent:
            self._writer.write(line.encode() + b"\r\n")

    def close(self) -> None:
        self._writer.close()

    async def run(self) -> None:
        self.say(f"* OK [CAPABILITY {self._capabilities()}] sandbox ready")
        while line := await self._reader.readline():
            if not line.endswith(b"\n"):
                return
            if not await self._line(line.decode("utf-8", "replace").rstrip("\r\n")):
                return
            await self._writer.drain()

    async def _line(self, line: str) -> bool:
        """False: the session is over."""
        if self.idle_tag is not None:
            if line.upper() == "DONE":
                tag, self.idle_tag = self.idle_tag, None
                self.say(f"{tag} OK idle done")
            return True
        tag, _, rest = line.partition(" ")
        name, _, arguments = rest.partition(" ")
        if name.upper() == "UID":
            kind, _, arguments = arguments.partition(" ")
            name = f"UID {kind}"
        name = name.upper()
        self._server.commands.append(name if name in ("LOGIN", "AUTHENTICATE") else f"{name} {arguments}".strip())
        return await self._command(tag, name, arguments)

    async def _command(self, tag: str, name: str, arguments: str) -> bool:
        match name:
            case "CAPABILITY":
                self.say(f"* CAPABILITY {self._capabilities()}")
                self.say(f"{tag} OK done")
            case "NOOP":
                self.synchronize()
                self.say(f"{tag} OK done")
            case "LOGIN":
                user, password = [*_tokens(arguments), "", ""][:2]
                self._enter(tag, user, password)
            case "AUTHENTICATE":
                await self._xoauth2(tag, _tokens(arguments))
            case "LOGOUT":
                self.say("* BYE see you")
                self.say(f"{tag} OK done")
                return False
            case _ if self._user is None:
                self.say(f"{tag} BAD log in first")
            case "SELECT":
                self._select(tag)
            case _ if self.box is None:
                self.say(f"{tag} BAD select a mailbox first")
            case "UID SEARCH":
                self._search(tag, _tokens(arguments))
            case "UID FETCH":
                return await self._fetch(tag, arguments)
            case "IDLE":
                return self._idle(tag)
            case _:
                self.say(f"{tag} BAD unknown command")
        return True

    def _capabilities(self) -> str:
        return "IMAP4rev1 SASL-IR AUTH=XOAUTH2" + ("" if self._server.faults.no_idle else " IDLE")

    # --- coming in ----------------------------------------------------------------------------------------------------

    def _enter(self, tag: str, user: str, secret: str) -> None:
        faults = self._server.faults
        if faults.busy_logins > 0:
            faults.busy_logins -= 1
            self.say(f"{tag} NO [UNAVAILABLE] too many of you")
        elif self._server.may_enter(user, secret):
            self._user = user
            self.say(f"{tag} OK welcome")
        else:
            self.say(f"{tag} NO [AUTHENTICATIONFAILED] invalid credentials")

    async def _xoauth2(self, tag: str, arguments: list[str]) -> None:
        """A refused token is answered with a challenge first, and only the client's empty line brings the NO."""
        try:
            fields = b64decode(arguments[1], validate=True).decode().split("\x01")
            user, token = fields[0].removeprefix("user="), fields[1].removeprefix("auth=Bearer ")
        except (ValueError, IndexError):
            self.say(f"{tag} BAD not XOAUTH2")
            return
        if self._server.may_enter(user, token):
            self._user = user
            self.say(f"{tag} OK welcome")
            return
        self.say(f"+ {REFUSED_TOKEN}")
        await self._writer.drain()
        await self._reader.readline()
        self.say(f"{tag} NO [AUTHENTICATIONFAILED] invalid token")

    # --- a mailbox ----------------------------------------------------------------------------------------------------

    def _select(self, tag: str) -> None:
        assert self._user is not None
        box = self.box = self._server.mailbox(self._user)
        self._shown = list(box.mails)
        self.say(r"* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)")
        self.say(f"* {len(self._shown)} EXISTS")
        self.say(f"* OK [UIDVALIDITY {box.uidvalidity}] UIDs valid")
        if not self._server.faults.no_uidnext:
            self.say(f"* OK [UIDNEXT {box.uidnext}] predicted")
        self.say(f"{tag} OK [READ-WRITE] selected")

    def synchronize(self) -> None:
        """Shows the session what has come since."""
        if self.box is not None and len(self.box.mails) != len(self._shown):
            self._shown = list(self.box.mails)
            self.say(f"* {len(self._shown)} EXISTS")

    def _search(self, tag: str, keys: list[str]) -> None:
        found = list(self._shown)
        words = iter(keys)
        for key in words:
            match key.upper():
                case "ALL":
                    pass
                case "UID":
                    chosen = set(self._chosen(next(words, "")))
                    found = [mail for mail in found if mail.uid in chosen]
                case "SINCE":
                    day = _day(next(words, ""))
                    found = [mail for mail in found if day is None or mail.at.astimezone(UTC).date() >= day]
                case _:
                    self.say(f"{tag} BAD unknown key")
                    return
        self.say(" ".join(["* SEARCH", *(str(mail.uid) for mail in sorted(found, key=lambda mail: mail.uid))]))
        self.synchronize()
        self.say(f"{tag} OK done")

    def _chosen(self, numbers: str) -> Iterator[int]:
        """`*` is the last mail; a range names what lies between its ends, whichever of them is the larger."""
        last = max((mail.uid for mail in self._shown), default=0)
        for part in numbers.split(","):
            ends = [last if end == "*" else int(end) if end.isdecimal() else 0 for end in part.split(":")]
            yield from (mail.uid for mail in self._shown if min(ends) <= mail.uid <= max(ends))

    async def _fetch(self, tag: str, arguments: str) -> bool:
        numbers, _, items = arguments.partition(" ")
        chosen, items = set(self._chosen(numbers)), items.upper()
        faults, wants_body = self._server.faults, "BODY" in items
        if wants_body and chosen & faults.broken_uids:
            return False
        if wants_body and chosen & self._refused("[HEADER]" in items):
            self.say(f"{tag} NO this can not be fetched")
            return True
        for place, mail in enumerate(self._shown, start=1):
            if mail.uid in chosen:
                self._send(place, mail, items)
                happens = faults.in_fetch if wants_body else faults.in_listing
                if happens:
                    happens.popleft()()
                    self.synchronize()
                await self._writer.drain()
        self.synchronize()
        self.say(f"{tag} OK done")
        return True

    def _refused(self, header: bool) -> set[int]:
        faults = self._server.faults
        return faults.refused_uids - faults.header_of if header else faults.refused_uids

    def _send(self, place: int, mail: Mail, items: str) -> None:
        mail.seen = mail.seen or "BODY[" in items
        said = [f"UID {mail.uid}"]
        if "RFC822.SIZE" in items:
            said.append(f"RFC822.SIZE {self._server.faults.size_of.get(mail.uid, len(mail.message))}")
        if "INTERNALDATE" in items:
            said.append(f'INTERNALDATE "{_internal(mail.at)}"')
        if "FLAGS" in items:
            said.append(f"FLAGS ({chr(92) + 'Seen' if mail.seen else ''})")
        if "BODY" not in items:
            self.say(f"* {place} FETCH ({' '.join(said)})")
            return
        head = "[HEADER]" in items
        body = mail.message.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head else mail.message
        said.append(f"BODY[{'HEADER' if head else ''}] {{{len(body)}}}")
        self.say(f"* {place} FETCH ({' '.join(said)}")
        if not self._server.faults.silent:
            self._writer.write(body)
        self.say(")")

    def _idle(self, tag: str) -> bool:
        faults = self._server.faults
        if faults.no_idle:
            self.say(f"{tag} BAD unknown command")
            return True
        self.say("+ idling")
        if faults.bye_on_idle > 0:
            faults.bye_on_idle -= 1
            self.say("* BYE session expired")
            return False
        self.idle_tag = tag
        self.synchronize()
        return True


def _tokens(arguments: str) -> list[str]:
    """Words, and texts between quotes without them."""
    found: Iterable[tuple[str, str, str]] = TOKENS.findall(arguments)
    return [re.sub(r"\\(.)", r"\1", quoted) if quoted else group or word for quoted, group, word in found]


def _day(text: str) -> date | None:
    day, _, rest = text.partition("-")
    month, _, year = rest.partition("-")
    try:
        return date(int(year), MONTHS.index(month.capitalize()) + 1, int(day))
    except ValueError:
        return None


def _internal(at: datetime) -> str:
    own = at.astimezone(UTC)
    return f"{own.day:>2}-{MONTHS[own.month - 1]}-{own.year} {own:%H:%M:%S} +0000"
