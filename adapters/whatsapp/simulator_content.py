"""What a customer's phone can send, as the content of an item of `messages[]`: for `Meta.send`."""

import json
from typing import Any

Content = dict[str, Any]


def text(body: str) -> Content:
    return {"type": "text", "text": {"body": body}}


def media(
    kind: str,
    media_id: str,
    mime: str,
    *,
    sha256: str | None = None,
    url: str | None = None,
    caption: str | None = None,
    filename: str | None = None,
) -> Content:
    """`kind`: image, video, audio, document or sticker."""
    given = {"id": media_id, "mime_type": mime, "sha256": sha256, "url": url, "caption": caption, "filename": filename}
    return {"type": kind, kind: {key: value for key, value in given.items() if value is not None}}


def voice(media_id: str) -> Content:
    return {"type": "audio", "audio": {"id": media_id, "mime_type": "audio/ogg; codecs=opus", "voice": True}}


def location(latitude: float, longitude: float, name: str | None = None, address: str | None = None) -> Content:
    place = {"latitude": latitude, "longitude": longitude, "name": name, "address": address}
    return {"type": "location", "location": {key: value for key, value in place.items() if value is not None}}


def button(id: str, title: str) -> Content:
    return {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": id, "title": title}}}


def row(id: str, title: str, description: str | None = None) -> Content:
    pick = {"id": id, "title": title} | ({"description": description} if description else {})
    return {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": pick}}


def form(answers: dict[str, Any]) -> Content:
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers)}
    return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def quick_reply(payload: str, title: str) -> Content:
    return {"type": "button", "button": {"payload": payload, "text": title}}


def reaction(message_id: str, emoji: str | None) -> Content:
    return {"type": "reaction", "reaction": {"message_id": message_id} | ({"emoji": emoji} if emoji else {})}


def order(catalog: str, *items: tuple[str, int, float, str], note: str = "") -> Content:
    """Items: product, quantity, price, currency."""
    keys = ("product_retailer_id", "quantity", "item_price", "currency")
    products = [dict(zip(keys, item, strict=True)) for item in items]
    return {"type": "order", "order": {"catalog_id": catalog, "text": note, "product_items": products}}


def card(name: str, phone: str, *, requested: bool = False) -> Content:
    origin = "contact_request" if requested else "other"
    person = {"name": {"formatted_name": name, "first_name": name}, "phones": [{"phone": phone}]}
    return {"type": "contacts", "origin": origin, "contacts": [person]}


def edit(original: str, content: Content) -> Content:
    return {"type": "edit", "edit": {"original_message_id": original, "message": {"context": {"id": "M0"}, **content}}}


def revoke(original: str) -> Content:
    return {"type": "revoke", "revoke": {"original_message_id": original}}


def unsupported(what: str) -> Content:
    error = {"code": 131051, "title": "Message type unknown", "message": "Message type unknown"}
    return {"type": "unsupported", "unsupported": {"type": what}, "errors": [error]}
