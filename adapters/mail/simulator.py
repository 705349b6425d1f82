"""A mailbox of ours on its server, and the people who write to it. Pure and stateful: real servers for SMTP and IMAP
stand in front of it (in the sandbox), or a test reads it as it is.

What arrives gets what a mail server writes above a mail: who handed it in, to which address, and whether the domain of
its From stands behind it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime

from msgspec import Struct

from adapters._mail.simulator import Arriving, World


class Stored(Struct, frozen=True):
    """A message of the mailbox; its UID only rises."""

    uid: int
    at: datetime
    data: bytes


class MailServer:
    """`world` has the people, and takes what we send (`World.answer`, `World.accept`)."""

    def __init__(self, *, addresses: Sequence[str], passwords: dict[str, str], ids: Iterator[str],
                 authserv_id: str = "mx.shop.example", uidvalidity: int = 1) -> None:  # fmt: skip
        self.world = World(addresses=addresses, ids=ids)
        self.authserv_id, self.uidvalidity = authserv_id, uidvalidity
        self.reorder = False
        """What arrives together gets its UIDs the wrong way round."""
        self._passwords = passwords
        self._messages: list[Stored] = []
        self._next_uid = 1

    def logs_in(self, user: str, secret: str) -> bool:
        return self._passwords.get(user) == secret

    def messages(self, now: datetime) -> Sequence[Stored]:
        """What lies in the mailbox by now, by UID."""
        for one in self.world.arrived(now, reorder=self.reorder):
            self._messages.append(Stored(self._next_uid, one.at, self._stamped(one)))
            self._next_uid += 1
        return tuple(self._messages)

    @property
    def uidnext(self) -> int:
        return self._next_uid

    def expunge(self, uid: int) -> None:
        """Somebody deletes it with another program."""
        self._messages = [one for one in self._messages if one.uid != uid]

    def renumber(self) -> None:
        """The mailbox is made anew: all UIDs are void."""
        self.uidvalidity += 1
        self._messages = [Stored(uid, one.at, one.data) for uid, one in enumerate(self._messages, 1)]
        self._next_uid = len(self._messages) + 1

    def _stamped(self, one: Arriving) -> bytes:
        domain = one.mail_from.rpartition("@")[2]
        verdict = "pass" if one.proven else "fail"
        lines = [
            f"Return-Path: <{one.mail_from}>",
            f"Delivered-To: {one.recipient}",
            f"Received: from {domain or 'mx.home.example'} by {self.authserv_id}; {format_datetime(one.at)}",
            *((f"Authentication-Results: {self.authserv_id}; dmarc={verdict} header.from={domain}",) if domain else ()),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode() + one.data
