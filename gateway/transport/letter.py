"""A mail as it goes over the line: the adapter's text with its stored files put in.

Rule: the header section stays as the adapter wrote it, byte for byte. Python's folding would encode a long Message-ID
      in References as if it were words, and break the thread.
Rule: the same mail gives the same bytes, boundaries included: a repeat can be recognised as one.
Rule: lines end with CRLF and nothing else, so no server can see an end where there is none.
"""

import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from hashlib import sha256
from typing import BinaryIO

from adapters.base import Attachment, Refused
from gateway.transport.wire import MIME, OCTETS

LINE_ENDS = re.compile(rb"\r\n|\r|\n")
FIRST_DOTS = re.compile(rb"(?m)^\.")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
COMPOSITE = ("multipart", "message")
"""Types that may not be encoded as base64 (RFC 2045 §6.4)."""
BASE64_GROWTH = 1.37
KEPT = SMTP.clone(refold_source="none")


def letter(message: bytes, files: Sequence[tuple[Attachment, BinaryIO]], max_bytes: int) -> bytes:
    """Whole and with CRLF. Reads the files: not for the event loop. Raises Refused when it is too large."""
    budget = max_bytes - len(message)
    contents = []
    for attachment, file in files:
        data = file.read(max(0, budget) + 1)
        budget -= int(len(data) * BASE64_GROWTH)
        if budget < 0:
            raise Refused("the mail is larger than max_mail_bytes")
        contents.append((attachment, data))
    whole = LINE_ENDS.sub(b"\r\n", _with_files(message, contents) if contents else message)
    if len(whole) > max_bytes:
        raise Refused("the mail is larger than max_mail_bytes")
    return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def stuffed(whole: bytes) -> bytes:
    """A line that begins with a dot gets another one: a dot alone is the end (RFC 5321 §4.5.2)."""
    return FIRST_DOTS.sub(b"..", whole)


def _with_files(message: bytes, contents: Sequence[tuple[Attachment, bytes]]) -> bytes:
    mail = BytesParser(EmailMessage, policy=KEPT).parsebytes(message)
    for attachment, data in contents:
        _add(mail, attachment, data)
    name = sha256(message).hexdigest()[:32]
    for number, part in enumerate(mail.walk()):
        if part.is_multipart() and part.get_boundary() is None:
            part.set_boundary(f"=_{name}-{number}")  # `=_` is in no text that is encoded for mail
    return mail.as_bytes(policy=KEPT)


def _add(mail: EmailMessage, attachment: Attachment, data: bytes) -> None:
    main, _, sub = _type_of(attachment.mime).partition("/")
    name = UNPRINTABLE.sub("_", attachment.filename).strip() or "file"
    html = mail.get_body(("html",)) if attachment.content_id else None
    if html is None:
        mail.add_attachment(data, maintype=main, subtype=sub, cte="base64", filename=name)
    else:
        cid = f"<{UNPRINTABLE.sub('_', attachment.content_id or '')}>"
        html.add_related(data, maintype=main, subtype=sub, cte="base64", disposition="inline", filename=name, cid=cid)


def _type_of(mime: str) -> str:
    plain = mime.partition(";")[0].strip()
    return plain if MIME.fullmatch(plain) and plain.partition("/")[0].lower() not in COMPOSITE else OCTETS
