"""The content of a message: what lies under the key that `type` names, as parts of ours.

Rule: None means that the type is known and its content can not be read; a type that is not in here is unknown.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adapters.whatsapp import wire
from normalizer.envelope import (
    Audio,
    ChoiceMade,
    ContactCard,
    Document,
    Image,
    Location,
    MediaRef,
    Order,
    OrderItem,
    Part,
    Sticker,
    Text,
    Video,
    Voice,
)

Parts = tuple[Part, ...]
_REPLIES = frozenset({"button_reply", "list_reply", "nfm_reply", "call_permission_reply"})
MAX_PLAIN_EXPONENT = 20
"""Digits before or behind the point of a price that is written out."""


def parts_of(message: wire.Message) -> Parts | None:
    """Raises KeyError, with its name, for a type that this program does not know."""
    return _CONTENT[message.type or ""](message)


def media_ref(media: wire.Media) -> MediaRef | None:
    if not media.id and not media.url:
        return None
    return MediaRef(
        external_id=str(media.id) if media.id else None,
        url=media.url or None,
        mime=media.mime_type or None,
        sha256=_hex(media.sha256),
        filename=media.filename or None,
    )


def _hex(digest: str | None) -> str | None:
    """A SHA-256 in base64, as documented, or in hex; None for anything else."""
    if not digest:
        return None
    try:
        data = bytes.fromhex(digest) if len(digest) == 64 else base64.b64decode(digest, validate=True)
    except (ValueError, binascii.Error):
        return None
    return data.hex() if len(data) == 32 else None


def _text(message: wire.Message) -> Parts | None:
    return (Text(message.text.body),) if message.text else None


def _media(media: wire.Media | None, make: Callable[[wire.Media, MediaRef], Part]) -> Parts | None:
    ref = media_ref(media) if media else None
    return (make(media, ref),) if media and ref else None


def _image(message: wire.Message) -> Parts | None:
    return _media(message.image, lambda media, ref: Image(ref, media.caption or None))


def _video(message: wire.Message) -> Parts | None:
    return _media(message.video, lambda media, ref: Video(ref, media.caption or None))


def _document(message: wire.Message) -> Parts | None:
    return _media(message.document, lambda media, ref: Document(ref, media.caption or None))


def _sticker(message: wire.Message) -> Parts | None:
    return _media(message.sticker, lambda media, ref: Sticker(ref, bool(media.animated)))


def _audio(message: wire.Message) -> Parts | None:
    return _media(message.audio, lambda media, ref: Voice(ref) if media.voice else Audio(ref))


def _voice(message: wire.Message) -> Parts | None:
    return _media(message.voice or message.audio, lambda _, ref: Voice(ref))


def _location(message: wire.Message) -> Parts | None:
    place = message.location
    if place is None:
        return None
    return (Location(place.latitude, place.longitude, place.name, place.address, place.url),)


def _contacts(message: wire.Message) -> Parts | None:
    requested = message.origin == "contact_request"
    return tuple(_card(card, requested) for card in message.contacts or ()) or None


def _card(card: wire.Card, requested: bool) -> ContactCard:
    name = card.name or wire.CardName()
    phones = tuple(found for phone in card.phones or () if (found := phone.phone or phone.wa_id))
    return ContactCard(
        name=name.formatted_name or " ".join(filter(None, (name.first_name, name.last_name))),
        phones=phones,
        emails=tuple(email.email for email in card.emails or () if email.email),
        organization=(card.org.company or None) if card.org else None,
        vcard=card.vcard or None,
        requested=requested,
    )


def _interactive(message: wire.Message) -> Parts | None:
    interactive = message.interactive
    if interactive is None:
        return None
    pick = interactive.button_reply or interactive.list_reply
    if pick and (pick.id or pick.title):
        title = pick.title or pick.id or ""
        return (ChoiceMade(pick.id or title, title, pick.description or None),)
    if flow := interactive.nfm_reply:
        name = flow.name or "flow"
        return (ChoiceMade(name, flow.body or name, form=_form(flow.response_json)),)
    if (permission := interactive.call_permission_reply) and permission.response:
        return (ChoiceMade(f"call_permission_reply:{permission.response}", permission.response),)
    if interactive.type and interactive.type not in _REPLIES:
        raise KeyError(f"interactive:{interactive.type}")
    return None


def _form(response: Any) -> str | None:
    """The answers of a form; dropped when they are no text of a JSON object, as the message itself still counts."""
    try:
        return response if isinstance(response, str) and isinstance(json.loads(response), dict) else None
    except (ValueError, RecursionError):
        return None


def _button(message: wire.Message) -> Parts | None:
    button = message.button
    if button is None or not (button.payload or button.text):
        return None
    title = button.text or button.payload or ""
    return (ChoiceMade(button.payload or title, title),)


def _order(message: wire.Message) -> Parts | None:
    order = message.order
    if order is None:
        return None
    items = tuple(
        OrderItem(str(item.product_retailer_id), item.quantity, _price(item.item_price), item.currency)
        for item in order.product_items
    )
    catalog = str(order.catalog_id) if order.catalog_id else None
    return (Order(items, catalog, order.text or None),)


def _price(price: Decimal) -> str:
    """Written out, unless its exponent would make that a page of zeros."""
    exponent = price.as_tuple().exponent
    plain = isinstance(exponent, int) and abs(exponent) <= MAX_PLAIN_EXPONENT
    return format(price, "f") if plain else str(price)


_CONTENT: Mapping[str, Callable[[wire.Message], Parts | None]] = {
    "text": _text,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "voice": _voice,
    "document": _document,
    "sticker": _sticker,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
}
