"""What a provider tells became of a mail of ours, as the receipts that a report by mail would become.

Rule: only what leads to a Message-ID that is provably ours is a receipt. A provider's account may carry other mail.
Rule: the same fate told twice, by a webhook and by a report, is one event: both have the same name.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Raw, Struct

from adapters._mail.addresses import normal_address
from adapters._mail.meaning import COMPLAINT, HARD, SOFT
from adapters._mail.people import address_of
from adapters._mail.tokens import OwnId, read_own_id
from adapters.base import RawInbound
from normalizer.envelope import Envelope, Failure, Receipt, Status, inbound_id
from normalizer.ids import ExternalId

TEXT_MAX = 500
"""Characters of a provider's words."""


class Told(Struct, frozen=True, kw_only=True):
    """One recipient's."""

    message_id: str
    status: Status
    recipient: str | None = None
    failure: Failure | None = None
    at: datetime | None = None
    renamed: bool = False
    """The id is one that the provider put in the place of ours."""


def failed(hard: bool, code: str | None, text: str) -> Failure:
    return Failure(HARD if hard else SOFT, text[:TEXT_MAX], code)


def complained() -> Failure:
    return Failure(COMPLAINT, "its reader calls it unwanted")


def receipt(
    raw: RawInbound, told: Told, type_: str, account: str | None, keys: Sequence[str], slice_: Raw | None
) -> Envelope | None:
    """None: the mail is not ours. (Without keys nothing can be proven; whatever is named counts.)"""
    id = told.message_id.strip().strip("<>")
    own = read_own_id(id, keys)
    if not id or (own is None and keys and not told.renamed):
        return None
    recipient = address_of(normal_address(told.recipient)) if told.recipient and "@" in told.recipient else None
    key = f"{told.status}:{id}:{recipient or ''}"
    return Envelope(
        id=inbound_id(raw.endpoint_id, account, key),
        direction="in",
        channel_type=type_,
        endpoint_id=raw.endpoint_id,
        account=account,
        occurred_at=told.at or raw.received_at,
        received_at=raw.received_at,
        dedupe_keys=(key,),
        native_thread=own.thread if own else None,
        echo_key=_echo(own),
        body=Receipt(status=told.status, target=ExternalId(id), recipient=recipient, failure=told.failure),
        raw=slice_,
    )


def _echo(own: OwnId | None) -> str | None:
    return own.ref if own is not None and ":" in own.ref else None
