"""One item of a change (a message, an echo, a status, a call, an error) to its envelope.

Rule: an event is named by the provider's id. Without one its name is the intake row, never a digest of its content.
Rule: nobody answers echoes, `standby`, or group talk that is not addressed to us: these are `observed`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Raw

from adapters.base import RawInbound
from adapters.whatsapp import wire
from adapters.whatsapp.codes import failure
from adapters.whatsapp.parts import parts_of
from adapters.whatsapp.people import Contacts, address_change, claims, group
from normalizer.address import Address, canonical_digits, digits_of
from normalizer.envelope import (
    AddressChange,
    Body,
    CallEvent,
    ChoiceMade,
    Edit,
    Envelope,
    Failure,
    MediaRef,
    Message,
    Party,
    Reaction,
    Receipt,
    Referral,
    ReplyTo,
    Revoke,
    Status,
    Unsupported,
    inbound_id,
)
from normalizer.ids import ExternalId

CHANNEL_TYPE = "whatsapp"
_MILLISECONDS = 1e12
_LATEST = 4_102_444_800.0
"""Seconds of the year 2100; what lies beyond, or before 1970, is no time of a message."""
_NOBODY = Party()
_STATUSES = {status.value: status for status in Status}
_WISHES = {"stop": "opt_out", "resume": "opt_in"}
_CALL_EVENTS = {"terminate": "ended", "ringing": "ringing", "accepted": "accepted", "rejected": "rejected"}
_CALL_DIRECTIONS: dict[str, Literal["in", "out"]] = {"USER_INITIATED": "in", "BUSINESS_INITIATED": "out"}


class Items:
    """What the items of one change share, and the envelope that each of them becomes."""

    def __init__(
        self, raw: RawInbound, places: Iterator[int], value: wire.Value | None = None, field: str = ""
    ) -> None:
        value = value or wire.Value()
        metadata = value.metadata or wire.Metadata()
        self.field = field
        self._raw = raw
        self._places = places
        self._account = str(metadata.phone_number_id) if metadata.phone_number_id else None
        self._our_number = digits_of(metadata.display_phone_number or "")
        self._observed = field.startswith("standby")
        self._contacts = Contacts(value.contacts)
        self._failures = _failures([error for error, _ in map(wire.read_error, value.errors or ()) if error])

    def inside(self, value: wire.Value) -> "Items":
        """The same number of ours, with the lists of a value inside the value."""
        items = Items(self._raw, self._places, value, f"{self.field}.{self.field}")
        items._account, items._our_number = self._account, self._our_number
        return items

    # --- messages -------------------------------------------------------------------------------------------------

    def message(self, slice_: Raw) -> Envelope:
        message, lost = wire.read_message(slice_)
        if message is None:
            return self.unsupported("malformed:message", slice_)
        party = self._contacts.party(message.from_, message.from_user_id, message.from_parent_user_id)
        in_group = group(message.group_id)
        body = self._body(message, lost, party)
        return self._envelope(
            body,
            slice_,
            key=_key(message.type, message.id, message.timestamp),
            at=message.timestamp,
            external_id=ExternalId(message.id) if message.id else None,
            party=party if party.claims else _changed(body),
            group=in_group,
            observed=self._observed or (in_group is not None and not self._addressed(message)),
        )

    def echo(self, slice_: Raw) -> Envelope:
        """Written by the business, in a phone app or by another holder of the conversation."""
        echo, lost = wire.read_message(slice_)
        if echo is None:
            return self.unsupported("malformed:message_echo", slice_, observed=True)
        content = echo.message or echo
        ids = (
            echo.to or content.to,
            echo.to_user_id or content.to_user_id,
            echo.to_parent_user_id or content.to_parent_user_id,
        )
        party = self._contacts.party(*ids)
        external_id, at = echo.id or content.id, echo.timestamp or content.timestamp
        return self._envelope(
            self._body(content, lost, party),
            slice_,
            key=_key(content.type, external_id, at),
            at=at,
            external_id=ExternalId(external_id) if external_id else None,
            party=party,
            group=group(echo.group_id or content.group_id),
            observed=True,
            direction="out",
            author="business",
        )

    def _addressed(self, message: wire.Message) -> bool:
        """In a group: an answer to something that our number wrote."""
        return message.context is not None and self._is_ours(message.context.from_)

    def _is_ours(self, number: str | None) -> bool:
        """Whether it is our own number, in either of its spellings."""
        ours = self._our_number
        return bool(number and ours and canonical_digits(digits_of(number)) == canonical_digits(ours))

    def _body(self, message: wire.Message, lost: Sequence[str], party: Party) -> Body:
        failures = _failures(message.errors or ())
        kind = message.type or "message"
        body = self._known(message, kind, party, failures)
        if body is not None:
            return body
        failures = failures or self._failures
        unreadable = kind in lost or "type" in lost or not failures
        return Unsupported(what=f"malformed:{kind}" if unreadable else kind, failures=failures)

    def _known(self, message: wire.Message, kind: str, party: Party, failures: tuple[Failure, ...]) -> Body | None:
        """None: a known type whose content can not be read."""
        match kind:
            case "message":
                return None
            case "reaction":
                told = message.reaction
                return Reaction(ExternalId(told.message_id), told.emoji or None) if told else None
            case "edit":
                return _edit(message)
            case "revoke":
                return Revoke(ExternalId(message.revoke.original_message_id)) if message.revoke else None
            case "system":
                what = (message.system and message.system.type) or "unknown"
                return address_change(message, party) or Unsupported(what=f"system:{what}", visible=False)
            case "request_welcome":
                return Unsupported(what=kind, visible=False)
            case "unsupported" | "unknown":
                inner = message.unsupported and message.unsupported.type
                return Unsupported(what=inner or kind, failures=failures or self._failures)
            case _:
                return _content(message, kind, failures)

    # --- statuses, calls, trouble ---------------------------------------------------------------------------------

    def status(self, slice_: Raw) -> Envelope:
        status, _ = wire.read_status(slice_)
        if status is None or not status.status:
            return self.unsupported("malformed:status", slice_, visible=False)
        in_group, party = self._recipient(status)
        recipient = party.address
        name = status.status.lower()
        event = f"{status.id}:{name}:{recipient or ''}" if status.id else None
        if status.type == "call" or self.field == "calls":
            return self._call_status(status, name, party, slice_)
        body: Body = Unsupported(what=f"status:{name}", failures=_failures(status.errors or ()), visible=False)
        if known := _STATUSES.get(name):
            body = _receipt(status, known, recipient)
        return self._envelope(
            body,
            slice_,
            key=event and f"status:{event}",
            at=status.timestamp,
            party=party,
            group=in_group,
            observed=self._observed,
            echo_key=status.biz_opaque_callback_data or None,
        )

    def _recipient(self, status: wire.Status) -> tuple[Address | None, Party]:
        if status.recipient_type == "group":
            ids = (status.recipient_participant_id, status.recipient_participant_user_id, None)
            return group(status.recipient_id), self._contacts.party(*ids)
        parent = status.recipient_parent_user_id or status.parent_recipient_user_id
        return None, self._contacts.party(status.recipient_id, status.recipient_user_id, parent)

    def _call_status(self, status: wire.Status, name: str, party: Party, slice_: Raw) -> Envelope:
        if not status.id:
            return self.unsupported("malformed:call", slice_, visible=False)
        event = _CALL_EVENTS.get(name, name)
        body = CallEvent(call=ExternalId(status.id), event=event, direction="out")
        key = f"call:{status.id}:status:{name}"
        return self._envelope(body, slice_, key=key, at=status.timestamp, party=party, observed=self._observed)

    def call(self, slice_: Raw) -> Envelope:
        call, _ = wire.read_call(slice_)
        if call is None or not call.id or not call.event:
            return self.unsupported("malformed:call", slice_, visible=False)
        direction = "out" if self._is_ours(call.from_) else _CALL_DIRECTIONS.get(call.direction or "")
        name = call.event.lower()
        event = _CALL_EVENTS.get(name, name)
        if name == "connect":
            event = "connected" if direction == "out" else "ringing"
        theirs = (call.from_, call.from_user_id, call.from_parent_user_id)
        if direction == "out":
            theirs = (call.to, call.to_user_id, call.to_parent_user_id)
        detail = call.status.lower() if call.status else None
        body = CallEvent(
            call=ExternalId(call.id), event=event, direction=direction, duration_s=call.duration, detail=detail
        )
        return self._envelope(
            body,
            slice_,
            key=f"call:{call.id}:{name}",
            at=call.timestamp,
            party=self._contacts.party(*theirs),
            observed=self._observed,
        )

    def preference(self, slice_: Raw) -> Envelope:
        """Whether a customer wants marketing. He set it in his app, where Meta has made it good: nobody answers."""
        told, _ = wire.read_preference(slice_)
        if told is None or not told.value:
            return self.unsupported("malformed:user_preferences", slice_, visible=False)
        party = self._contacts.party(told.wa_id, told.user_id, told.parent_user_id)
        body: Body = Unsupported(what=f"user_preferences:{told.value}", visible=False)
        if (wish := _WISHES.get(told.value.lower())) and party.claims:
            body = Message(parts=(ChoiceMade(wish, told.detail or told.value, told.category),))
        key = None
        if party.address and told.timestamp:
            key = f"preference:{party.address.value}:{told.category}:{told.value}:{told.timestamp}"
        return self._envelope(body, slice_, key=key, at=told.timestamp, party=party, observed=True)

    def account_error(self, slice_: Raw) -> Envelope:
        error, _ = wire.read_error(slice_)
        failures = (failure(error),) if error else ()
        what = "error" if error else "malformed:error"
        return self._envelope(Unsupported(what=what, failures=failures, visible=False), slice_)

    # --- what has no word -----------------------------------------------------------------------------------------

    def notice(self, what: str, slice_: Raw) -> Envelope:
        """About the account, not from a customer."""
        return self.unsupported(what, slice_, visible=False)

    def unsupported(self, what: str, slice_: Raw, *, visible: bool = True, observed: bool = False) -> Envelope:
        body = Unsupported(what=what, visible=visible)
        return self._envelope(body, slice_, observed=observed or self._observed)

    def _envelope(
        self, body: Body, slice_: Raw, *, key: str | None = None, at: str | float | None = None, **facts: Any
    ) -> Envelope:
        place = next(self._places)
        facts.setdefault("direction", "in")
        if facts.get("party") == _NOBODY:
            del facts["party"]
        return Envelope(
            id=inbound_id(self._raw.endpoint_id, self._account, key or f"{self._raw.id}#{place}"),
            channel_type=CHANNEL_TYPE,
            endpoint_id=self._raw.endpoint_id,
            account=self._account,
            occurred_at=_when(at, self._raw.received_at),
            received_at=self._raw.received_at,
            dedupe_keys=(key,) if key else (),
            body=body,
            raw=slice_,
            **facts,
        )


# --- the pieces of a message --------------------------------------------------------------------------------------


def _content(message: wire.Message, kind: str, failures: tuple[Failure, ...]) -> Body | None:
    try:
        parts = parts_of(message)
    except KeyError as unknown:
        return Unsupported(what=unknown.args[0] or kind, failures=failures)
    if parts is None:
        return None
    return Message(
        parts=parts,
        reply_to=_reply_to(message.context),
        forwarded=_forwarded(message.context),
        referral=_referral(message.referral),
        failures=failures,
    )


def _key(kind: str | None, external_id: str | None, at: str | float | None) -> str | None:
    """An edit or a revocation may bear the id of the message that it changes."""
    if external_id and kind in ("edit", "revoke"):
        return f"{kind}:{external_id}:{at}"
    return external_id or None


def _changed(body: Body) -> Party:
    """The sender of a system message that names him in its content only."""
    if not isinstance(body, AddressChange):
        return Party()
    return Party(claims=claims(*body.old, *(claim.address for claim in body.new)))


def _edit(message: wire.Message) -> Edit | None:
    if message.edit is None or message.edit.message is None:
        return None
    try:
        parts = parts_of(message.edit.message)
    except KeyError:
        return None
    return Edit(ExternalId(message.edit.original_message_id), parts) if parts else None


def _reply_to(context: wire.Context | None) -> ReplyTo | None:
    if context is None:
        return None
    product = context.referred_product and context.referred_product.product_retailer_id
    if not context.id and not product:
        return None
    return ReplyTo(ExternalId(context.id) if context.id else None, None, str(product) if product else None)


def _forwarded(context: wire.Context | None) -> bool:
    return context is not None and bool(context.forwarded or context.frequently_forwarded)


def _referral(referral: wire.AdReferral | None) -> Referral | None:
    if referral is None:
        return None
    shown = referral.image_url or referral.video_url or referral.thumbnail_url
    return Referral(
        source=referral.source_type,
        source_id=referral.source_id,
        url=referral.source_url,
        headline=referral.headline,
        text=referral.body,
        click_id=referral.ctwa_clid,
        media=MediaRef(url=shown) if shown else None,
    )


def _receipt(status: wire.Status, known: Status, recipient: Address | None) -> Receipt:
    failures = _failures(status.errors or ())
    if not failures and known is Status.FAILED:
        failures = (Failure("refused", "the provider gives no reason"),)
    category = status.pricing and status.pricing.category
    return Receipt(
        status=known,
        target=ExternalId(status.id) if status.id else None,
        recipient=recipient,
        failure=failures[0] if failures else None,
        billing=category.replace("-", "_") if category else None,
    )


def _failures(errors: Sequence[wire.Error]) -> tuple[Failure, ...]:
    return tuple(map(failure, errors))


def _when(given: str | float | None, fallback: datetime) -> datetime:
    """Seconds since 1970 as text or number, sometimes milliseconds; anything else is the time of arrival."""
    try:
        seconds = float(given) if given is not None else 0.0
    except (ValueError, OverflowError):
        return fallback
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else fallback
