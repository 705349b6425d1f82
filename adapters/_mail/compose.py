"""Envelopes to mails: one message is one mail, with its text, the same as HTML, and its files.

Rule: the same send gives the same Message-ID, however often it is tried: it is the echo key in a name of ours.
Rule: what the AI or the house writes carries the signs of a machine (RFC 3834, Microsoft's and the older ones), so that
      no machine answers it. What an agent wrote carries none of them.
Rule: the header section is ASCII, unless an address itself is not; names and words come encoded.
"""

import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

from msgspec import Struct

from adapters._mail.addresses import normal_address
from adapters._mail.content import Content, as_html
from adapters._mail.fold import field, mailbox, one_line, unstructured
from adapters._mail.tokens import anchor_for, message_id_for, thread_of, token_for
from adapters.base import Login, MailCall, Refused, SendContext, Server
from normalizer.address import Address, Scheme
from normalizer.envelope import Envelope, Message
from normalizer.ids import ExternalId

BODY = SMTP.clone(cte_type="7bit")
REFERENCES_MAX = 20
"""Ids between the beginning of a thread and what is answered; some servers cut longer fields."""
SUBJECT_OF_TEXT = 70
"""Characters of a first line that become the subject, where there is none."""

_REPLY = re.compile(
    r"(?:\s*(?:re|aw|antw|sv|vs|vá|odp|ynt|rif|ref|r|回复|回覆|答复|ответ)(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]\s*)+",
    re.IGNORECASE,
)
_THREAD = re.compile(r"[a-z2-7]{16}")
_MESSAGE_ID = re.compile(r"<?([\x21-\x3b\x3d\x3f-\x7e]{1,450}@[\x21-\x3b\x3d\x3f-\x7e]{1,450})>?")
_ADDRESS = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e]){1,62}"|[^\s@<>()\[\],;:"\\\x00-\x20\x7f]{1,64})'
    r'@(?:[^\s@<>()\[\],;:"\\\x00-\x20\x7f]{1,255}|\[[0-9A-Fa-f.:IPv]{3,60}\])'
)


class Sender(Struct, frozen=True, kw_only=True):
    """Who writes, and through which server."""

    server: Server
    login: Login | None
    address: str
    """Of From."""
    token_key: str
    name: str | None = None
    reply_to: str | None = None
    """Where answers go to. None: `address`."""
    return_path: str | None = None
    """Where bounces go to. None: `address`."""
    plus: bool = True
    """Answers go to a plus-address that names the thread."""
    empty_sender: bool = False
    """Automatic mails have no sender in the SMTP envelope, so they can not bounce either."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further fields, for the server; `{local}` is what stands before the `@` of the Message-ID."""


class Letter(Struct, frozen=True):
    call: MailCall
    message_id: ExternalId


def compose(message: Envelope, body: Message, content: Content, ctx: SendContext, sender: Sender) -> Letter:
    """Raises Refused for an address that can not be written to."""
    to = recipients(ctx.leg.address)
    ours = _checked(sender.address)
    answered = _answered(body, ctx)
    known = ctx.leg.native_thread or message.native_thread or answered or ctx.echo_key
    thread, root = _thread(known, sender.token_key, _domain(ours))
    message_id = message_id_for(ctx.echo_key, thread, sender.token_key, _domain(ours))
    automatic = message.author in ("ai", "system")
    head = [
        field("Date", [format_datetime(ctx.now)]),
        field("From", mailbox(ours, sender.name)),
        field("To", mailbox(to[0], message.party.name) if len(to) == 1 else [f"{one}," for one in to[:-1]] + [to[-1]]),
        field("Reply-To", mailbox(_reply_to(sender, ours, thread), sender.name)),
        field("Subject", unstructured(_subject(body, content, ctx))),
        field("Message-ID", [f"<{message_id}>"]),
        *_references(root, ctx.leg.before, answered),
        *(_automatic(answered is not None) if automatic else ()),
        *(field(name, [value.replace("{local}", message_id.partition("@")[0])]) for name, value in sender.headers),
    ]
    call = MailCall(
        server=sender.server,
        login=sender.login,
        sender="" if automatic and sender.empty_sender else _checked(sender.return_path or ours),
        recipients=to,
        message="".join(head).encode() + _body(content, message_id),
        attachments=tuple(content.files),
    )
    return Letter(call, ExternalId(message_id))


# --- addresses ----------------------------------------------------------------------------------------------------


def recipients(address: Address) -> tuple[str, ...]:
    """One, or those of a group, each once."""
    if address.scheme is not Scheme.MAILTO:
        raise Refused(f"an address of {address.scheme.value} is not reached by mail")
    return tuple(dict.fromkeys(_checked(one) for one in address.value.split(",")))


def _checked(address: str) -> str:
    """With its domain in ASCII. What could be more than one address is none."""
    normal = normal_address(address)
    if _ADDRESS.fullmatch(normal) is None or not _domain(normal).isascii():
        raise Refused("the address is none that a mail can go to")
    return normal


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _reply_to(sender: Sender, ours: str, thread: str) -> str:
    address = _checked(sender.reply_to) if sender.reply_to else ours
    local, _, domain = address.rpartition("@")
    return f"{local}+{token_for(thread, sender.token_key)}@{domain}" if sender.plus else address


# --- the thread ---------------------------------------------------------------------------------------------------


def _thread(known: str, key: str, domain: str) -> tuple[str, str]:
    """Its name, and what References begin with: the first message of it, or an anchor of ours in its place."""
    if _THREAD.fullmatch(known):
        return known, anchor_for(known, key, domain)
    thread = thread_of(_message_id(known) or known)
    return thread, _message_id(known) or anchor_for(thread, key, domain)


def _answered(body: Message, ctx: SendContext) -> str | None:
    own = body.reply_to.external_id if body.reply_to else None
    candidates = (_message_id(one) for one in (ctx.reply_to, own, ctx.leg.last_inbound) if one)
    return next(filter(None, candidates), None)


def _message_id(text: str) -> str | None:
    found = _MESSAGE_ID.fullmatch(text.strip())
    return found[1] if found else None


def _references(root: str, before: Sequence[str], answered: str | None) -> Sequence[str]:
    """Its beginning, what was said last, and at the end what is answered (RFC 5322 §3.6.4)."""
    chain = [id for one in before if (id := _message_id(one)) not in (None, root, answered)]
    beginning = root if root != answered else None
    ids = [f"<{id}>" for id in dict.fromkeys((beginning, *chain[-REFERENCES_MAX:], answered)) if id]
    first = [field("In-Reply-To", [f"<{answered}>"])] if answered else []
    return [*first, field("References", ids)]


def _automatic(replied: bool) -> Sequence[str]:
    return (
        f"Auto-Submitted: {'auto-replied' if replied else 'auto-generated'}\r\n",
        "X-Auto-Response-Suppress: All\r\n",
        "Precedence: auto_reply\r\n",
    )


def _subject(body: Message, content: Content, ctx: SendContext) -> str:
    """Our own words for it, else that of the thread with one `Re:`."""
    if own := one_line(body.subject or ""):
        return own
    if (theirs := one_line(ctx.leg.subject or "")) or ctx.leg.last_inbound:
        return f"Re: {_REPLY.sub('', theirs, count=1) if _REPLY.match(theirs) else theirs}".strip()
    first = one_line(next(filter(str.strip, "\n".join(content.blocks).splitlines()), "")) or content.files[0].filename
    start = first[:SUBJECT_OF_TEXT]
    return first if first == start else f"{start.rpartition(' ')[0] or start} ..."


# --- the body -----------------------------------------------------------------------------------------------------


def _body(content: Content, message_id: str) -> bytes:
    """Its own header fields, a blank line, and the text in both forms."""
    mail = EmailMessage(BODY)
    mail.set_content("\n\n".join(content.blocks) + "\n")
    mail.add_alternative(as_html(content.blocks), subtype="html")
    mail.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")  # `=_` is in no text that is encoded
    return mail.as_bytes()
