"""Mail, as all adapters share it that get it as RFC 5322: from a mailbox, or from somebody's webhook.

    model.py      what was read of a mail (Mail), how much (MailLimits), and what else has to be known (MailContext)
    tokens.py     names of threads, and the proof that we gave them

In:  `read_mail(data, limits) -> Mail`                  never raises; `data` is the message, byte for byte
     `envelopes(mail, context) -> Sequence[Envelope]`   what it means to a conversation; never raises
     `carried(data, limits) -> Sequence[Carried]`       the files that `read_mail` named, by `File.ref`
"""

from adapters._mail.model import Fate, File, Mail, Mailbox, MailContext, MailLimits, Verdict
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
    "check_token",
    "message_id_for",
    "read_own_id",
    "thread_named_by",
    "thread_of",
    "token_for",
]
