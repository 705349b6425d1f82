"""Mail that a provider posts to us: what its adapters share besides reading and writing mails.

Rule: a mail that comes by webhook means what it means in a mailbox. The adapters only prove who posted it and find the
      message in the post.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from adapters._mail import MailContext, MailLimits, carried, envelopes, read_mail
from adapters._mail.addresses import normal_address
from adapters._mail.compose import REFERENCES_MAX
from adapters._mail.content import SENDS
from adapters._mail.fate import Told, receipt
from adapters._mail.renamed import renames
from adapters._mail.sending import SmtpConfig, looks_like_address, send, sender_of
from adapters.base import Capabilities, Carried, ChannelSpec, Flow, RawInbound, Refused, Secret, SendContext, Sent
from normalizer.envelope import Envelope, Unsupported, inbound_id
from normalizer.ids import ChannelId, EndpointId, ExternalId

LIMITS = MailLimits()
KEY_MIN_CHARS = 32


class HookConfig(SmtpConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    addresses: Annotated[
        tuple[str, ...], Meta(description="Our own addresses. The first one is the account, and who writes.")
    ] = ()
    token_keys: Annotated[
        tuple[Secret, ...],
        Meta(
            description="Sign the names of threads, 32 characters or more each; several while one is being replaced,"
            " the newest first."
        ),
    ] = ()
    authserv_ids: Annotated[
        tuple[str, ...],
        Meta(description="Names of servers whose `Authentication-Results` are believed."),
    ] = ()
    automatic_per_hour: Annotated[
        int, Meta(ge=1, description="Automatic answers to one address in an hour; then people take over.")
    ] = 5

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return (ChannelSpec(ChannelId(endpoint_id), self.account),)

    def credentials(self) -> dict[str, str]:
        return {"smtp_password": self.smtp_password} if self.smtp_password else {}

    @property
    def account(self) -> str | None:
        return self.addresses[0].lower() if self.addresses else None

    def mail_problems(self) -> list[str]:
        """For `problems`."""
        found = [f"{key} is missing" for key in ("addresses", "token_keys") if not getattr(self, key)]
        found += [f"addresses: {one!r} is not an address" for one in self.addresses if not looks_like_address(one)]
        found += [
            f"token_keys[{place}]: {KEY_MIN_CHARS} characters or more are needed"
            for place, key in enumerate(self.token_keys)
            if len(key) < KEY_MIN_CHARS
        ]
        return found + ([] if self.smtp_host else ["smtp_host is missing"]) + self.smtp_problems()

    def able(
        self, content_types: frozenset[str], max_body_bytes: int | None = None, *, echo_wait_ms: int = 20_000
    ) -> Capabilities:
        """`echo_wait_ms`: after which the provider has told that it took a mail, if it took it."""
        return Capabilities(
            echo=True,
            text_limit=100_000,
            sends=SENDS,
            echo_wait_ms=echo_wait_ms,
            content_types=content_types,
            max_body_bytes=max_body_bytes,
            heavy=True,
            recalls=REFERENCES_MAX,
            automatic_per_hour=self.automatic_per_hour,
        )


class Posted(Struct, frozen=True, kw_only=True):
    """A message, and what its provider says about its arrival."""

    data: bytes
    """RFC 5322."""
    mail_from: str | None = None
    recipients: tuple[str, ...] = ()
    aligned: bool | None = None
    signed_by: tuple[str, ...] = ()
    """Domains whose DKIM signature the provider found to be good."""
    arrival: str | None = None
    """The provider's own name for it."""
    arrived_at: datetime | None = None


class Postbox:
    """One endpoint's mail, in and out."""

    def __init__(
        self, endpoint_id: EndpointId, type_: str, config: HookConfig, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`headers` of what goes out, for its provider; see `Sender`."""
        self._endpoint_id, self._type, self._config, self._headers = endpoint_id, type_, config, tuple(headers)

    def read(self, raw: RawInbound, posted: Posted) -> Sequence[Envelope]:
        mail = read_mail(posted.data, LIMITS)
        aligned = posted.aligned
        if aligned is None and posted.signed_by and len(mail.from_) == 1:
            aligned = _stands_behind(posted.signed_by, mail.from_[0].address) or None
        context = MailContext(
            endpoint_id=self._endpoint_id,
            channel_type=self._type,
            account=self._config.account,
            addresses=tuple(address.lower() for address in self._config.addresses),
            token_keys=self._config.token_keys,
            renames=renames(self._config.smtp_host),
            received_at=raw.received_at,
            row=raw.id,
            authserv_ids=self._config.authserv_ids,
            aligned=aligned,
            arrived_at=posted.arrived_at,
            arrival=posted.arrival,
            mail_from=posted.mail_from,
            recipients=posted.recipients,
        )
        return envelopes(mail, context)

    def files(self, posted: Posted) -> Sequence[Carried]:
        return carried(posted.data, LIMITS)

    @property
    def domain(self) -> str:
        """Of our Message-IDs."""
        return normal_address(self._config.account or "").rpartition("@")[2]

    def fates(self, raw: RawInbound, told: Sequence[Told], slice_: Raw | None) -> list[Envelope]:
        """Receipts of what is ours; of the rest nothing."""
        made = (receipt(raw, one, self._type, self._config.account, self._config.token_keys, slice_) for one in told)
        return [envelope for envelope in made if envelope is not None]

    def notice(
        self, raw: RawInbound, what: str, key: str | None, slice_: Raw | None = None, *, place: int = 0, **facts: Any
    ) -> Envelope:
        """Something the provider tells that is no mail; `key` names the event, if it has a name."""
        return Envelope(
            id=inbound_id(self._endpoint_id, self._config.account, key or f"{raw.id}#{place}"),
            direction="in",
            channel_type=self._type,
            endpoint_id=self._endpoint_id,
            account=self._config.account,
            author="system",
            occurred_at=raw.received_at,
            received_at=raw.received_at,
            external_id=None if key is None else ExternalId(key),
            dedupe_keys=() if key is None else (key,),
            body=Unsupported(what=what, visible=False, **facts),
            raw=slice_,
        )

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        config = self._config
        if config.account is None or not config.token_keys:
            raise Refused("addresses and token_keys are needed to send")
        sender = sender_of(config, config.account, config.token_keys[0], headers=self._headers)
        return (yield from send(message, ctx, sender))


def _stands_behind(signers: Sequence[str], address: str) -> bool:
    domain = address.rpartition("@")[2].lower()
    signed = (signer.lower() for signer in signers)
    return any(signer == domain or ("." in signer and domain.endswith("." + signer)) for signer in signed)
