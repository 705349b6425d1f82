"""What a mail means to a conversation: a message, receipts of what we sent, or something that is only kept.

The order of questions is: did we write it ourselves, is it a report on something that we sent, else it is a message,
which a machine may have written.

Rule: never raises and drops nothing: each envelope carries what was read of the mail as its raw.
Rule: the same Message-ID with the same body is the same mail; with another body it is another one.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw

from adapters._mail.model import Fate, File, Mail, Mailbox, MailContext
from adapters._mail.people import (
    Writer,
    address_of,
    answered,
    evidence_for,
    is_of_our_domain,
    is_ours,
    thread,
    writer,
    wrote_ourselves,
)
from adapters._mail.renamed import is_renamed
from adapters._mail.tokens import OwnId, read_own_id
from normalizer import codec
from normalizer.envelope import (
    AddressClaim,
    Audio,
    Body,
    Document,
    Envelope,
    Failure,
    Image,
    MediaRef,
    Message,
    Part,
    Party,
    Receipt,
    ReplyTo,
    Status,
    Text,
    Unsupported,
    Video,
    inbound_id,
)
from normalizer.ids import ExternalId

HARD, SOFT, COMPLAINT = "hard_bounce", "soft_bounce", "complaint"
"""Codes of failures: it will never arrive, it did not arrive, its reader calls it unwanted."""
SEALED, TOO_LARGE = "encrypted", "too_large"
AHEAD = timedelta(minutes=5)
"""A clock may be ahead by so much; a mail that is later was not written then."""


def envelopes(mail: Mail, context: MailContext) -> Sequence[Envelope]:
    """At least one."""
    made = _Envelopes(mail, context)
    if wrote_ourselves(mail, context):
        return [made.own_copy()]
    match mail.kind:
        case "bounce" | "complaint" | "read_receipt":
            return list(made.receipts()) or [made.unsupported(f"mail:{mail.kind}")]
        case "notice":
            return [made.unsupported("mail:notice")]
        case "message" | "automatic" | "list" | "calendar":
            return [made.message()] if answered(mail, context) is not None else [made.nobodys()]


class _Envelopes:
    def __init__(self, mail: Mail, context: MailContext) -> None:
        self._mail, self._context = mail, context

    # --- messages -------------------------------------------------------------------------------------------------

    def message(self) -> Envelope:
        who = writer(self._mail, self._context)
        body = Message(
            parts=tuple(self._parts()),
            subject=self._mail.subject,
            reply_to=self._reply_to(),
            forwarded=self._mail.forwarded,
            failures=tuple(self._failures()),
        )
        return self._envelope(body, who, automated=is_automated(self._mail, self._context))

    def nobodys(self) -> Envelope:
        """Nobody can be answered: it is not put aside in silence."""
        return self._envelope(Unsupported(what="mail:no_sender"), Writer(Party()))

    def _parts(self) -> Iterator[Part]:
        text = self._mail.visible or ("" if self._mail.files else self._mail.subject or "")
        if text:
            yield Text(text)
        yield from map(_media, self._mail.files)

    def _failures(self) -> Iterator[Failure]:
        if self._mail.sealed is not None:
            how = "sealed by its signature" if self._mail.signed else "encrypted"
            yield Failure(SEALED, f"{how} ({self._mail.sealed}): its text can not be read here")
        if self._context.full_size is not None:
            yield Failure(TOO_LARGE, f"{self._context.full_size} bytes: only its header was read")
        if self._mail.cut:
            yield Failure(TOO_LARGE, f"read up to {', '.join(self._mail.cut)}")

    def _reply_to(self) -> ReplyTo | None:
        """The message of ours that it answers; one that only looks like ours is none."""
        for id in (*self._mail.in_reply_to, *reversed(self._mail.references)):
            if read_own_id(id, self._context.token_keys):
                return ReplyTo(external_id=ExternalId(id))
        first = next(iter(self._mail.in_reply_to), None)
        if first is None or (self._context.token_keys and is_of_our_domain(first, self._context)):
            return None
        return ReplyTo(external_id=ExternalId(first))

    # --- what we sent ---------------------------------------------------------------------------------------------

    def own_copy(self) -> Envelope:
        """A copy of what went out through us proves that it did; else a colleague wrote it with another program."""
        id = self._mail.message_id or ""
        own = read_own_id(id, self._context.token_keys)
        if own is not None:
            body = Receipt(status=Status.SENT, target=ExternalId(id))
            return self._receipt(body, own)
        boxes = (*self._mail.to, *self._mail.cc)
        to = next((box for box in boxes if not is_ours(box.address, self._context)), None)
        if to is None:
            return self.unsupported("mail:own")
        sender = self._mail.from_[0].address
        claim = AddressClaim(address_of(to.address), evidence_for(self._mail, sender, self._context))
        message = msgspec.structs.replace(self.message(), direction="out", author="business", observed=True)
        return msgspec.structs.replace(message, party=Party(claims=(claim,), name=to.name), group=None)

    def receipts(self) -> Iterator[Envelope]:
        """None for what is not provably ours: others forge our address, and we get the bounces."""
        target, own = self._reported()
        if target is None:
            return
        for fate in self._mail.fates:
            body = _fate_receipt(self._mail, fate, ExternalId(target))
            if body is not None:
                yield self._receipt(body, own)

    def _reported(self) -> tuple[str | None, OwnId | None]:
        """The id that a report is about. Without keys nothing can be proven: the surest counts."""
        keys, about = self._context.token_keys, self._mail.about
        found = ((id, read_own_id(id, keys)) for id in about)
        named = about[0] if about and not keys else None
        return next(((id, own) for id, own in found if own or self._is_renamed(id)), (named, None))

    def _is_renamed(self, id: str) -> bool:
        return self._context.renames and is_renamed(id)

    def _receipt(self, body: Receipt, own: OwnId | None) -> Envelope:
        key = f"{body.status}:{body.target}:{body.recipient or ''}"
        if own is None:
            return self._envelope(body, Writer(Party()), key=key)
        echo = own.ref if ":" in own.ref else None
        return self._envelope(body, Writer(Party()), key=key, echo_key=echo, thread=own.thread)

    def unsupported(self, what: str) -> Envelope:
        return self._envelope(Unsupported(what=what, visible=False), Writer(Party()))

    # --- the envelope itself --------------------------------------------------------------------------------------

    def _envelope(self, body: Body, who: Writer, *, key: str | None = None, echo_key: str | None = None,
                  thread: str | None = None, automated: bool = False) -> Envelope:  # fmt: skip
        mail, context = self._mail, self._context
        keys = (key,) if key else _event_keys(mail, context)
        id = None if isinstance(body, Receipt) else mail.message_id or context.arrival or context.row
        return Envelope(
            id=inbound_id(context.endpoint_id, context.account, keys[0] if keys else context.row),
            direction="in",
            channel_type=context.channel_type,
            endpoint_id=context.endpoint_id,
            account=context.account,
            party=who.party,
            group=who.group,
            occurred_at=occurred_at(mail, context),
            received_at=context.received_at,
            external_id=ExternalId(id) if id else None,
            dedupe_keys=keys,
            native_thread=thread or self._thread(),
            echo_key=echo_key,
            observed=who.observed,
            automated=automated,
            locale=mail.language,
            body=body,
            raw=raw_of(mail),
        )

    def _thread(self) -> str:
        return thread(self._mail, self._context)


def _event_keys(mail: Mail, context: MailContext) -> tuple[str, ...]:
    if mail.message_id:
        return (f"{mail.message_id}/{mail.digest}",)
    return (f"arrival/{context.arrival}",) if context.arrival else ()


def occurred_at(mail: Mail, context: MailContext) -> datetime:
    """When the mailbox got it; else what its Date says, unless that is later than now."""
    if context.arrived_at is not None:
        return context.arrived_at
    if mail.date is not None and mail.date <= context.received_at + AHEAD:
        return mail.date
    return context.received_at


def is_automated(mail: Mail, context: MailContext) -> bool:
    """Whether a machine wrote it, so that no machine of ours answers."""
    if mail.kind == "calendar" or context.mail_from == "":
        return True
    if mail.kind == "list" and mail.list_address and is_ours(mail.list_address, context):
        # Our own address is a list: customers write to it, and it passes on to the mailbox.
        return False
    if mail.automatic is not None:
        return True
    to = answered(mail, context)
    return mail.unattended and to is not None and to.address == mail.from_[0].address


def _fate_receipt(mail: Mail, fate: Fate, target: ExternalId) -> Receipt | None:
    recipient = address_of(fate.recipient) if fate.recipient else None
    match mail.kind, fate.action:
        case "complaint", _:
            failure = Failure(COMPLAINT, "its reader calls it unwanted", fate.text or None)
            return Receipt(status=Status.DELIVERED, target=target, recipient=recipient, failure=failure)
        case "read_receipt", _:
            return Receipt(status=Status.READ, target=target, recipient=recipient)
        case _, "failed":
            failure = Failure(HARD if fate.hard else SOFT, fate.text, fate.status)
            return Receipt(status=Status.FAILED, target=target, recipient=recipient, failure=failure)
        case _, "delivered":
            return Receipt(status=Status.DELIVERED, target=target, recipient=recipient)
        case _:
            return None


def _media(file: File) -> Part:
    media = MediaRef(external_id=file.ref, mime=file.mime, size=file.size, filename=file.filename)
    match file.mime.partition("/")[0]:
        case "image" if file.mime != "image/svg+xml":
            return Image(media)
        case "audio":
            return Audio(media)
        case "video":
            return Video(media)
        case _:
            return Document(media)


# --- raw ----------------------------------------------------------------------------------------------------------


def raw_of(mail: Mail) -> Raw:
    """What was read of it, as JSON: the whole text, too, of which the message shows what is new."""
    shown: dict[str, Any] = {
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "subject": mail.subject,
        "from": _boxes(mail.from_),
        "to": _boxes(mail.to),
        "cc": _boxes(mail.cc),
        "reply_to": _boxes(mail.reply_to),
        "date": mail.date,
        "kind": mail.kind,
        "automatic": mail.automatic,
        "text": mail.text,
        "html": mail.html,
        "quoted": mail.quoted,
        "signature": mail.signature,
        "files": mail.files,
        "report": mail.fates,
        "calendar": mail.calendar,
        "sealed": mail.sealed,
        "signed": mail.signed,
        "authentication": mail.verdicts,
        "cut": mail.cut,
        "size": mail.size,
        "headers": mail.headers,
    }
    kept = {key: value for key, value in shown.items() if value not in (None, "", (), [])}
    return Raw(msgspec.json.encode(codec.clean(msgspec.to_builtins(kept))))


def _boxes(boxes: Sequence[Mailbox]) -> list[str]:
    return [f"{box.name} <{box.address}>" if box.name else box.address for box in boxes]
