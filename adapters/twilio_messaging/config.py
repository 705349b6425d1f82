"""Settings, and addresses with a channel's prefix: ours, which is the account of a channel, and theirs.

Rule: what stands before the first `:` is the channel; a number without one is reached by SMS, unless it wrote to a
WhatsApp sender: Twilio leaves the prefix out now and then.
Rule: SMS, MMS and RCS reach a phone number. WhatsApp reaches a number or a business-scoped user id (`US.1349...`).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, field

from adapters._http import url_problem
from adapters._twilio import Form
from adapters._twilio_account import Account
from adapters.base import ChannelSpec, Refused
from normalizer.address import Address, Scheme, digits_of
from normalizer.envelope import AddressClaim, Evidence, Party
from normalizer.ids import ChannelId, EndpointId

WHATSAPP, RCS = "whatsapp:", "rcs:"
MAX_ID_LENGTH = 256
"""Characters of a sender of a kind that we do not know; more is none."""
_SERVICE = re.compile(r"MG[0-9A-Za-z]{10,}")
_OURS = re.compile(rf"(whatsapp:)?\+[0-9]{{4,15}}|rcs:\S+|[0-9]{{3,8}}|[A-Za-z0-9 ]{{1,11}}|{_SERVICE.pattern}")
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_NUMBER = re.compile(r"\+?[0-9]{3,20}")


class Config(Account, frozen=True, kw_only=True, forbid_unknown_fields=True):
    from_: Annotated[str | None, Meta(description="Our address: `+E164`, `whatsapp:+E164`, `rcs:...`.")] = field(
        default=None, name="from"
    )
    messaging_service_sid: Annotated[str | None, Meta(description="Or the service of our numbers, `MG...`.")] = None
    senders: Annotated[dict[str, str], Meta(description="Several: names of channels, each with its address.")] = field(
        default_factory=dict
    )
    templates: Annotated[
        dict[str, str], Meta(description="Our names of templates, `name` or `name/language`, to their ids `HX...`.")
    ] = field(default_factory=dict)
    indicators: Annotated[bool, Meta(description="On WhatsApp: mark as read, show writing (one call for both).")] = True
    pull_every_s: Annotated[float, Meta(description="Between two looks for messages that were missed.", ge=10)] = 300.0
    content_url: Annotated[str, Meta(description="Address of the Content API.")] = "https://content.twilio.com"
    messaging_url: Annotated[str, Meta(description="Address of the indicators' API.")] = "https://messaging.twilio.com"

    def accounts(self, endpoint_id: str = "-") -> Mapping[str, str]:
        """By the channel's name."""
        return self.senders or {endpoint_id: self.from_ or self.messaging_service_sid or ""}

    def channels(self, endpoint_id: EndpointId) -> tuple[ChannelSpec, ...]:
        return tuple(ChannelSpec(ChannelId(name), account) for name, account in self.accounts(endpoint_id).items())

    def problems(self) -> Sequence[str]:
        found = [*Account.problems(self), *url_problem("content_url", self.content_url)]
        found += url_problem("messaging_url", self.messaging_url)
        ways = sum(map(bool, (self.from_, self.messaging_service_sid, self.senders)))
        if ways == 0:
            found.append("messaging_service_sid is missing (or from, or senders)")
        if ways > 1:
            found.append("senders, from and messaging_service_sid are ways to say the same: keep one")
        given = [one for one in (self.from_, *self.senders.values()) if one is not None]
        found += [f"from: {one!r} is no address of ours" for one in given if not _OURS.fullmatch(one)]
        return found + (["senders names an address twice"] if len(set(given)) < len(given) else [])


def account_of(accounts: Collection[str], ours: str, service: str) -> str | None:
    """Of what came in: the address that was written to, else the service that it belongs to."""
    return next((known for known in (ours, WHATSAPP + ours, service) if known in accounts), ours or service or None)


def address_of(text: str, account: str | None = None) -> Address | None:
    """None: empty, or a channel that has no scheme here."""
    prefix, found, value = text.partition(":")
    if not found:
        prefix, value = ("whatsapp" if (account or "").startswith(WHATSAPP) else "", text)
    if not value or len(value) > MAX_ID_LENGTH or not value.isprintable() or prefix not in ("whatsapp", "rcs", ""):
        return None
    if prefix == "whatsapp":
        return Address(Scheme.WHATSAPP, digits_of(value) if _NUMBER.fullmatch(value) else value)
    return Address(Scheme.TEL, value)


def party_of(form: Form, account: str | None, theirs: str) -> Party:
    """The outside person, whose address is in the field `theirs`; on WhatsApp with all that names him."""
    own = [address_of(form.text(theirs), account)]
    if own[0] and own[0].scheme is Scheme.WHATSAPP:
        more = [address_of(form.text(name), WHATSAPP) for name in ("ExternalUserId", "WaId")]
        own += [one for one in more if one and (_USER_ID.fullmatch(one.value) or one.value.isdecimal())]
    claims = tuple(AddressClaim(address, Evidence.CHANNEL) for address in dict.fromkeys(own) if address)
    return Party(claims=claims, name=form.text("ProfileName") or None)


def on_whatsapp(account: str, theirs: Address) -> bool:
    return theirs.scheme is Scheme.WHATSAPP or account.startswith(WHATSAPP)


def between(account: str, theirs: Address) -> dict[str, str]:
    """Sender and recipient as Twilio wants them. Raises Refused."""
    to, whatsapp = theirs.value, on_whatsapp(account, theirs)
    if whatsapp and _USER_ID.fullmatch(to):
        to = WHATSAPP + to
    elif theirs.scheme in (Scheme.TEL, Scheme.WHATSAPP) and _NUMBER.fullmatch(to):
        to = f"{WHATSAPP}+{digits_of(to)}" if whatsapp else to
    else:
        raise Refused("the address is neither a number nor a user id")
    return {"To": to, "MessagingServiceSid" if _SERVICE.fullmatch(account) else "From": account}
