"""Mail, as all adapters share it that get it as RFC 5322: from a mailbox, or from somebody's webhook.

    model.py      what was read of a mail (Mail), how much (MailLimits), and what else has to be known (MailContext)
    read.py       from bytes to Mail; over mime.py, headers.py, addresses.py, charset.py, text.py, html.py, reply.py
    reports.py automatic.py trust.py   what its header says about it
    people.py meaning.py               from Mail to envelopes
    tokens.py     names of threads, and the proof that we gave them

In:  `read_mail(data, limits) -> Mail`                  never raises; `data` is the message, byte for byte
     `envelopes(mail, context) -> Sequence[Envelope]`   what it means to a conversation; never raises
     `carried(data, limits) -> Sequence[Carried]`       the files that `read_mail` named, by `File.ref`
"""

from adapters._mail.meaning import envelopes
from adapters._mail.model import Fate, File, Mail, Mailbox, MailContext, MailLimits, Verdict
from adapters._mail.read import carried, read_mail
from adapters._mail.tokens import (
    OwnId,
    anchor_for,
    check_token,
    message_id_for,
    read_own_id,
    thread_named_by,
    thread_of,
    token_for,
)

__all__ = [
    "Fate",
    "File",
    "Mail",
    "MailContext",
    "MailLimits",
    "Mailbox",
    "OwnId",
    "Verdict",
    "anchor_for",
    "carried",
    "check_token",
    "envelopes",
    "message_id_for",
    "read_mail",
    "read_own_id",
    "thread_named_by",
    "thread_of",
    "token_for",
]
