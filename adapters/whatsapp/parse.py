"""From one POST, with up to 1,000 updates for several numbers of ours, to envelopes.

Rule: nothing is dropped. What has no word here is `Unsupported`, what can not be read is `Unsupported` with
`malformed:<what>`, and both keep their slice of the JSON.
"""

from collections.abc import Iterator
from itertools import count

from msgspec import Raw

from adapters._json import body_of
from adapters.base import RawInbound
from adapters.whatsapp import wire
from adapters.whatsapp.items import Items
from normalizer.envelope import Envelope

OBJECT = "whatsapp_business_account"
_FIELDS = frozenset({"messages", "standby", "smb_message_echoes", "calls", "user_preferences"})
"""Those that carry lists of items; any other is a notice, kept whole."""
_LISTS = frozenset({"messages", "message_echoes", "statuses", "calls", "errors", "user_preferences", "standby"})


def parse(raw: RawInbound) -> list[Envelope]:
    """Raises Malformed when the body as a whole is no delivery."""
    delivery = body_of(raw, wire.Delivery)
    places = count()
    envelopes: list[Envelope] = []
    for slice_ in delivery.entry:
        entry, _ = wire.read_entry(slice_)
        if entry is None or entry.changes is None:
            envelopes.append(Items(raw, places).unsupported("malformed:entry", slice_))
            continue
        for change in entry.changes:
            envelopes.extend(_change(raw, places, delivery.object, change))
    return envelopes


def _change(raw: RawInbound, places: Iterator[int], object_: str | None, slice_: Raw) -> list[Envelope]:
    change, lost = wire.read_change(slice_)
    if change is None or lost or not change.field:
        return [Items(raw, places).unsupported("malformed:change", slice_)]
    value, lost = wire.read_value(change.value)
    if value is None:
        return [Items(raw, places).unsupported(f"malformed:{change.field}", slice_)]
    items = Items(raw, places, value, change.field)
    if object_ != OBJECT:
        return [items.notice(f"object:{object_ or ''}", slice_)]
    if change.field not in _FIELDS:
        return [items.notice(change.field, slice_)]
    return _listed(items, value, lost, slice_) or [items.notice(change.field, slice_)]


def _listed(items: Items, value: wire.Value, lost: tuple[str, ...], slice_: Raw) -> list[Envelope]:
    envelopes = [items.unsupported(f"malformed:{key}", slice_) for key in lost if key in _LISTS]
    envelopes.extend(map(items.message, value.messages or ()))
    envelopes.extend(map(items.echo, value.message_echoes or ()))
    envelopes.extend(map(items.status, value.statuses or ()))
    envelopes.extend(map(items.call, value.calls or ()))
    envelopes.extend(map(items.preference, value.user_preferences or ()))
    envelopes.extend(map(items.account_error, value.errors or ()))
    if items.field == "standby" and bytes(value.standby):
        envelopes.extend(_nested(items, value.standby))
    return envelopes


def _nested(items: Items, slice_: Raw) -> list[Envelope]:
    """`standby` usually holds its lists one level deeper than the other fields."""
    value, lost = wire.read_value(slice_)
    if value is None:
        return [items.unsupported("malformed:standby", slice_)]
    return _listed(items.inside(value), value, lost, slice_)
