"""What the simulated API refuses, and what becomes of a message that it took: the documented errors, by number."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.twilio_messaging.simulator_world import WINDOW, Refusal, Row, Told, World

_TO = re.compile(r"(?:whatsapp:)?\+[1-9][0-9]{3,14}|whatsapp:[A-Z]{2}\.[A-Za-z0-9.]+|[0-9]{3,8}")
STEP = timedelta(milliseconds=200)
"""From one status to the next."""


def need(holds: object, code: int, text: str, status: int = 400) -> None:
    if not holds:
        raise Refusal(status, code, text)


def check(world: World, fields: Mapping[str, list[str]]) -> tuple[str, str]:
    """Of a message: its sender and recipient. Raises Refusal."""
    first = {name: values[0] for name, values in fields.items()}
    to, service = first.get("To", ""), first.get("MessagingServiceSid", "")
    need(to, 21604, "A 'To' phone number is required.")
    need(_TO.fullmatch(to), 21211, f"The 'To' number {to} is not a valid phone number.")
    need(first.get("From") or service, 21603, "A 'From' phone number is required.")
    need(not service or service in world.services, 21703, "The Messaging Service does not contain a phone number")
    sender = first.get("From") or _chosen(world.services[service], to)
    known = sender in world.senders or any(sender in numbers for numbers in world.services.values())
    need(known or not sender.startswith("whatsapp:"), 63007, "Could not find a Channel with the specified From address")
    need(known, 21606, f"The 'From' number {sender} is not a valid, message-capable Twilio phone number")
    need(to.startswith("whatsapp:") == sender.startswith("whatsapp:"), 21910, "Invalid From and To pair")
    customer = world.customer_at(to)
    need(not (customer and sender in customer.opted_out), 21610, "Attempt to send to unsubscribed recipient")
    _body(world, first, fields.get("MediaUrl", []))
    return sender, to


def _chosen(numbers: list[str], to: str) -> str:
    fitting = [number for number in numbers if number.startswith("whatsapp:") == to.startswith("whatsapp:")]
    need(fitting, 21703, "The Messaging Service does not contain a fitting sender")
    return fitting[0]


def _body(world: World, fields: Mapping[str, str], media: list[str]) -> None:
    body, content = fields.get("Body", ""), fields.get("ContentSid", "")
    need(body.strip() or media or content, 21619, "A text message body or media urls must be specified.")
    need(len(body) <= 1600, 21617, "The concatenated message body exceeds the 1600 character limit.")
    need(len(media) <= 10, 21623, "Number of media files exceeds allowed limit.")
    need(all(url.startswith(("https://", "http://")) for url in media), 21620, "Invalid media URL(s)")
    callback = fields.get("StatusCallback", "https://")
    need(callback.startswith(("https://", "http://")), 21609, "The 'StatusCallback' URL is not a valid URL.")
    if content:
        need(content in world.content, 21655, "The ContentSid is Invalid")
        need(_are_variables(fields.get("ContentVariables", "{}")), 21656, "The ContentVariables Parameter is invalid")


def _are_variables(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())


def check_content(document: Any) -> dict[str, Any]:
    """Of the Content API: the types. Raises Refusal."""
    need(isinstance(document, dict), 20001, "Invalid parameter")
    need(document.get("friendly_name") and document.get("language"), 20001, "friendly_name and language are required")
    types = document.get("types")
    need(isinstance(types, dict) and types, 20001, "types are required")
    for name, content in dict(types).items():
        need(0 < len(content.get("body", "")) <= 1024, 20001, "body is too long or missing")
        match name:
            case "twilio/text":
                pass
            case "twilio/quick-reply":
                _each(content["actions"], 3, "title", 20)
            case "twilio/list-picker":
                need(0 < len(content.get("button", "")) <= 20, 20001, "button is too long or missing")
                _each(content["items"], 10, "item", 24)
            case "twilio/call-to-action":
                _each([{"id": "-", **action} for action in content["actions"]], 2, "title", 20)
            case _:
                raise Refusal(400, 20001, f"unknown type {name}")
    return dict(types)


def _each(items: list[dict[str, str]], most: int, title: str, longest: int) -> None:
    need(0 < len(items) <= most, 20001, "too many or no items")
    fit = all(0 < len(i.get(title, "")) <= longest and 0 < len(i.get("id", "")) <= 200 for i in items)
    need(fit and all(len(i.get("description", "")) <= 72 for i in items), 20001, "an item is too long")
    need(items[0]["id"] == "-" or len({i["id"] for i in items}) == len(items), 20001, "two items have the same id")


def becomes(world: World, row: Row, now: datetime) -> list[Told]:
    """What becomes of an accepted message."""
    customer = row.customer
    if row.from_.startswith("whatsapp:"):
        if customer is None or not customer.on_whatsapp:
            return _failed(row, "undelivered", 63003)
        if not _is_template(world, row) and customer.windows.get(row.from_, now - WINDOW) <= now:
            return _failed(row, "undelivered", 63016)
    elif customer is None or not customer.reachable:
        return _failed(row, "undelivered", 30003)
    told = ["sent", *(["delivered"] if world.delivers else [])]
    if world.delivers and customer.reads and ":" in row.from_:
        told.append("read")
    return [Told(row, status, after=STEP * place) for place, status in enumerate(told)]


def _is_template(world: World, row: Row) -> bool:
    sid = row.fields.get("ContentSid", [""])[0]
    return sid in world.content and world.content[sid].approved


def _failed(row: Row, status: str, code: int) -> list[Told]:
    """As it often is: sent at first."""
    return [Told(row, "sent"), Told(row, status, code, STEP)]
