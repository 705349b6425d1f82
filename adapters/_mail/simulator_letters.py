"""Mails as other people's programs write them. Nothing of `compose.py` is used here, nor of what reads mails.

Rule: ids and times come as arguments, boundaries from the id: the same mail has the same bytes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from msgspec import Struct

ASCII_BODY = SMTP.clone(cte_type="7bit")


class Enclosed(Struct, frozen=True):
    """A file in a mail."""

    filename: str
    mime: str
    data: bytes
    content_id: str | None = None


class Written(Struct, frozen=True, kw_only=True):
    """What a person's program puts into a mail."""

    message_id: str
    sender: str
    to: Sequence[str]
    subject: str
    text: str
    at: datetime
    name: str = ""
    html: str | None = None
    files: Sequence[Enclosed] = ()
    answers: str | None = None
    references: Sequence[str] = ()
    headers: Mapping[str, str] = {}


def written(one: Written) -> bytes:
    mail = EmailMessage(ASCII_BODY)
    mail["Date"] = format_datetime(one.at)
    mail["From"] = formataddr((one.name, one.sender)) if one.name else one.sender
    mail["To"] = ", ".join(one.to)
    mail["Subject"] = one.subject
    mail["Message-ID"] = f"<{one.message_id}>"
    for name, value in one.headers.items():
        mail[name] = value
    mail.set_content(one.text + "\n")
    if one.html is not None:
        mail.add_alternative(one.html, subtype="html")
    for file in one.files:
        _enclose(mail, file)
    _name_boundaries(mail, one.message_id)
    return _threaded(one) + mail.as_bytes()


def _threaded(one: Written) -> bytes:
    """By hand: Python would encode ids that are longer than a line."""
    lines = [f"In-Reply-To: <{one.answers}>\r\n"] if one.answers else []
    if one.references:
        lines.append("References: " + "\r\n ".join(f"<{id}>" for id in one.references) + "\r\n")
    return "".join(lines).encode()


def _enclose(mail: EmailMessage, file: Enclosed) -> None:
    main, _, sub = file.mime.partition("/")
    html = mail.get_body(("html",)) if file.content_id else None
    if html is None:
        mail.add_attachment(file.data, maintype=main, subtype=sub, filename=file.filename)
    else:
        html.add_related(file.data, maintype=main, subtype=sub, filename=file.filename, cid=f"<{file.content_id}>")


def _name_boundaries(mail: EmailMessage, id: str) -> None:
    for number, part in enumerate(mail.walk()):
        if part.is_multipart():
            part.set_boundary(f"=={number}=={id.partition('@')[0]}")


def bounced(
    *, message_id: str, server: str, recipient: str, status: str, diagnostic: str, original: bytes, to: str,
    at: datetime, action: str = "failed",
) -> bytes:  # fmt: skip
    """A report (RFC 3464) with the header of what it is about."""
    boundary = f"report-{message_id.partition('@')[0]}"
    head = original.partition(b"\r\n\r\n")[0]
    lines = [
        "Return-Path: <>", f"From: Mail Delivery System <MAILER-DAEMON@{server}>", f"To: {to}",
        "Subject: Undelivered Mail Returned to Sender", f"Date: {format_datetime(at)}", f"Message-ID: <{message_id}>",
        "Auto-Submitted: auto-replied", "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"', "",
        f"--{boundary}", "Content-Type: text/plain", "",
        f"Your message to {recipient} could not be delivered: {diagnostic}", "",
        f"--{boundary}", "Content-Type: message/delivery-status", "",
        f"Reporting-MTA: dns; {server}", "",
        f"Final-Recipient: rfc822; {recipient}", f"Action: {action}", f"Status: {status}",
        f"Diagnostic-Code: smtp; {diagnostic}", "",
        f"--{boundary}", "Content-Type: text/rfc822-headers", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + head + f"\r\n\r\n--{boundary}--\r\n".encode()
