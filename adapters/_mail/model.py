"""What was read of one mail, and what has to be known to make envelopes of it.

Rule: everything here was bounded by `MailLimits` on the way in; nothing here is an opinion about who wrote it.
Rule: ids of messages stand without their angle brackets, as they do in `external_id`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from normalizer.envelope import Instant
from normalizer.ids import EndpointId

Count = Annotated[int, Meta(ge=1)]


class MailLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a mail is looked at. What lies beyond is left out, named in `Mail.cut`, and never an error."""

    max_bytes: Annotated[Count, Meta(description="Bytes of one message that are read.")] = 35_000_000
    max_parts: Annotated[Count, Meta(description="MIME parts.")] = 500
    max_depth: Annotated[Count, Meta(description="Levels of multiparts within multiparts.")] = 16
    max_headers: Annotated[Count, Meta(description="Header fields of a part.")] = 1_000
    max_header_bytes: Annotated[Count, Meta(description="Bytes of the header section of a part.")] = 262_144
    max_value_chars: Annotated[Count, Meta(description="Characters of one header field.")] = 32_768
    max_text_chars: Annotated[Count, Meta(description="Characters of text that are kept.")] = 200_000
    max_html_chars: Annotated[Count, Meta(description="Characters of HTML that are kept.")] = 200_000
    max_files: Annotated[Count, Meta(description="Attachments that are fetched.")] = 100
    max_addresses: Annotated[Count, Meta(description="Addresses of one header field.")] = 200


class Mailbox(Struct, frozen=True, omit_defaults=True):
    """`address` has its domain in lower case, and in ASCII where IDNA knows it."""

    address: str
    name: str | None = None


class File(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An attachment; `ref` names it within the message (`part/<n>`)."""

    ref: str
    mime: str
    size: int
    filename: str | None = None
    content_id: str | None = None
    inline: bool = False
    """Shown inside of the text."""


class Fate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says of one recipient."""

    recipient: str | None
    action: Literal["failed", "delayed", "delivered"]
    hard: bool = True
    """`failed` for good (5.x.x); else it may work later."""
    status: str | None = None
    """RFC 3463, `5.1.1`."""
    text: str = ""


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Authentication-Results field (RFC 8601)."""

    authserv_id: str
    """Lower case; empty where the server does not name itself (Microsoft 365)."""
    above: bool = False
    """It stands above all `Received` fields, so it was written after the mail had reached us."""
    results: tuple[tuple[str, str, dict[str, str]], ...] = ()
    """(method, result, properties)."""


Kind = Literal["message", "automatic", "list", "bounce", "complaint", "read_receipt", "notice", "calendar"]
"""`notice`: a report on something that was sent which says nothing that we keep (delayed, relayed)."""


class Mail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message as it was read."""

    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str | None = None
    from_: tuple[Mailbox, ...] = ()
    sender: Mailbox | None = None
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    delivered_to: tuple[str, ...] = ()
    """Of Delivered-To, X-Original-To, Envelope-To and X-Forwarded-To."""
    rewritten_from: Mailbox | None = None
    """Of X-Original-From or X-Original-Sender: a list or forwarder put itself into From."""
    date: Instant | None = None
    language: str | None = None
    kind: Kind = "message"
    automatic: str | None = None
    """The header field (or other sign) that tells that a machine wrote it."""
    unattended: bool = False
    """Nobody reads what is sent to its From (`noreply@`)."""
    list_address: str | None = None
    """Where one writes to the list that it came over."""
    forwarded: bool = False
    text: str = ""
    """All of it, as a person reads it."""
    html: str | None = None
    """Sanitized; pictures from elsewhere are off."""
    visible: str = ""
    """What is new in it: without quoted text and signature."""
    quoted: str = ""
    signature: str = ""
    files: tuple[File, ...] = ()
    fates: tuple[Fate, ...] = ()
    """Of a report on something that was sent."""
    about: tuple[str, ...] = ()
    """Ids that a report may be about, the surest first."""
    calendar: str | None = None
    """The method of its calendar part (`REQUEST`, `REPLY` ...)."""
    sealed: Literal["smime", "pgp"] | None = None
    """Encrypted: nothing of it can be read here."""
    return_path: str | None = None
    """Of the header; empty: sent in a way that wants no answer."""
    signed: Literal["smime", "pgp"] | None = None
    verdicts: tuple[Verdict, ...] = ()
    """In the order of the header: who received it last stands first."""
    digest: str = ""
    """Of the body's bytes."""
    size: int = 0
    cut: tuple[str, ...] = ()
    """Limits that it went beyond."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those that a person may want to see, decoded."""


class MailContext(Struct, frozen=True, kw_only=True):
    """What the adapter knows besides the message."""

    endpoint_id: EndpointId
    channel_type: str
    account: str | None
    addresses: tuple[str, ...]
    """Our own, lower case."""
    token_keys: tuple[str, ...]
    """The first signs; all are accepted."""
    received_at: Instant
    row: str
    """`RawInbound.id`."""
    renames: bool = False
    """The server that takes our mails gives them ids of its own; see renamed.py."""
    authserv_ids: tuple[str, ...] = ()
    """Whose Authentication-Results we believe."""
    aligned: bool | None = None
    """The provider's own verdict on the sender, where it gives one in a signed request; None: look at the header."""
    arrived_at: Instant | None = None
    """When the mailbox got it."""
    arrival: str | None = None
    """A lasting name of this arrival (mailbox, UIDVALIDITY, UID), for a message without an id of its own."""
    full_size: int | None = None
    """In bytes; set: the message was larger than is fetched, and only its header was read."""
    mail_from: str | None = None
    """Of the SMTP envelope; empty: a report."""
    recipients: tuple[str, ...] = ()
    """Of the SMTP envelope."""
