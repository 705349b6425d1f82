"""From a message of a mailbox to envelopes.

Rule: the mailbox's own name for a message (folder, UIDVALIDITY, UID) names one that has no Message-ID; it is nothing
else, because the same mail may lie in several folders.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from adapters._mail import MailContext, MailLimits, carried, envelopes, read_mail
from adapters._mail.renamed import renames
from adapters.base import Carried, Malformed, RawInbound
from adapters.mail.config import Config
from normalizer.envelope import Envelope

TYPE = "mail"
METHOD = "MAIL"
_PLACE = re.compile(r"/(\d{1,20})/(\d{1,20})")


def parse(raw: RawInbound, config: Config) -> Sequence[Envelope]:
    """Raises Malformed for what is no mail at all."""
    if raw.method != METHOD:
        raise Malformed("a mail comes by the method MAIL")
    full = config.completed()
    return envelopes(read_mail(raw.body, full.limits), context_of(raw, full))


def files(raw: RawInbound, limits: MailLimits) -> Sequence[Carried]:
    return carried(raw.body, limits)


def context_of(raw: RawInbound, config: Config) -> MailContext:
    return MailContext(
        endpoint_id=raw.endpoint_id,
        channel_type=TYPE,
        account=config.account,
        addresses=tuple(address.lower() for address in config.addresses),
        token_keys=config.token_keys,
        renames=renames(config.smtp_host),
        authserv_ids=config.authserv_ids,
        received_at=raw.received_at,
        row=raw.id,
        arrived_at=_internal_date(raw.headers.get("x-internal-date", "")),
        arrival=f"{config.mailbox}{raw.path}" if _PLACE.fullmatch(raw.path) else None,
        full_size=_count(raw.headers.get("x-full-size", "")),
    )


def _internal_date(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
