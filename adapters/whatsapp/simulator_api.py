"""The Graph API of the simulator.

Rule: errors are the documented ones, by code; see codes.py for what the adapter makes of them.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.base import Reply, Request
from adapters.whatsapp.simulator_rules import check
from adapters.whatsapp.simulator_world import (
    Customer,
    Media,
    Number,
    Refusal,
    Shown,
    StatusTold,
    World,
    error_reply,
    json_reply,
)

UPLOADED_MEDIA_LIFE = timedelta(days=30)
TYPING_LIFE = timedelta(seconds=25)
PAIR_BURST = 45
PAIR_EVERY = timedelta(seconds=6)
SLOW_HEADER = "x-simulated-delay-s"
"""On a reply that the host of the simulator is to hold back; `never`: it is not to be given."""


def wamid(customer: Customer | None, unique: str) -> str:
    """Like the real ones, it holds the person's number."""
    who = (customer and (customer.phone or customer.user_id)) or "group"
    return "wamid." + base64.b64encode(f"{who}/{unique}".encode()).decode()


def answer(world: World, request: Request, now: datetime) -> tuple[Reply, list[StatusTold]]:
    headers = {name.lower(): text for name, text in request.headers.items()}
    slow = bool(world.faults and world.faults[0] == "slow")
    if world.faults and not slow and world.faults[0] != "lost":
        return _FAULTS[world.faults.pop(0)], []
    lost_or_slow = world.faults.pop(0) if world.faults else None
    try:
        if headers.get("authorization") != f"Bearer {world.access_token}":
            raise Refusal(401, 190, "Invalid OAuth access token - Cannot parse access token")
        reply, statuses = _route(world, request, headers, now)
    except Refusal as refusal:
        reply, statuses = refusal.reply, []
    if lost_or_slow is None:
        return reply, statuses
    delay = {"slow": "30", "lost": "never"}[lost_or_slow]
    return Reply(reply.status, {**reply.headers, SLOW_HEADER: delay}, reply.body), statuses


_FAULTS: Mapping[str, Reply] = {
    "429": Reply(429, {"retry-after": "2"}, b""),
    "500": error_reply(500, 131000, "Something went wrong"),
    "html": Reply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>"),
    "401": error_reply(401, 190, "Error validating access token: Session has expired"),
    "empty": Reply(200, {}, b""),
}


def _route(world: World, request: Request, headers: Mapping[str, str], now: datetime) -> tuple[Reply, list[StatusTold]]:
    if request.url in world.urls:
        return _file(world, request.url, now), []
    parts = urlsplit(request.url)
    base = urlsplit(world.graph_url)
    if parts.netloc != base.netloc or not parts.path.startswith(base.path + "/"):
        raise Refusal(404, 2500, "Unknown path components")
    path = parts.path.removeprefix(base.path + "/").split("/")
    match request.method, path:
        case "POST", [account, "messages"] if account in world.numbers:
            return _messages(world, world.numbers[account], request.body, now)
        case "POST", [account, "media"] if account in world.numbers:
            return _upload(world, headers.get("content-type", ""), request.body, now), []
        case "GET", [account] if account in world.numbers:
            number = world.numbers[account]
            known = {"id": account, "display_phone_number": number.display, "verified_name": "Simulated"}
            return json_reply({**known, "quality_rating": "GREEN"}), []
        case "GET", [world.waba_id, "subscribed_apps"]:
            app = {"whatsapp_business_api_data": {"id": "1", "name": "Simulated"}}
            return json_reply({"data": [app] if world.subscribed else []}), []
        case "GET", [media_id] if media_id in world.media:
            return _resolve(world, media_id, parse_qs(parts.query), now), []
        case "DELETE", [media_id] if media_id in world.media:
            del world.media[media_id]
            return json_reply({"success": True}), []
        case _:
            raise Refusal(400, 100, "Unsupported request. Object does not exist or lacks permissions")


# --- media --------------------------------------------------------------------------------------------------------


def _upload(world: World, content_type: str, body: bytes, now: datetime) -> Reply:
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    fields = _multipart(body, boundary[1]) if boundary else {}
    if fields.get("messaging_product", (b"", ""))[0] != b"whatsapp" or "file" not in fields:
        raise Refusal(400, 100, "The parameter file is required")
    data, mime = fields["file"]
    media_id = next(world.ids)
    mime = fields.get("type", (mime.encode(), ""))[0].decode("latin-1")
    world.media[media_id] = Media(data, mime, now + UPLOADED_MEDIA_LIFE)
    return json_reply({"id": media_id})


def _multipart(body: bytes, boundary: str) -> dict[str, tuple[bytes, str]]:
    fields = {}
    for part in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name, mime = re.search(r'name="([^"]*)"', text), re.search(r"(?i)content-type: *([^\r\n]+)", text)
        if name:
            fields[name[1]] = (data.removesuffix(b"\r\n"), mime[1] if mime else "")
    return fields


def _resolve(world: World, media_id: str, query: Mapping[str, list[str]], now: datetime) -> Reply:
    media = world.media[media_id]
    if now > media.until or (query.get("phone_number_id", [""])[0] or next(iter(world.numbers))) not in world.numbers:
        raise Refusal(400, 100, "Media does not exist")
    known = {"messaging_product": "whatsapp", "id": media_id, "url": world.media_url(media_id, now)}
    known["mime_type"] = media.told_mime or media.mime
    known["sha256"] = media.told_sha256 or sha256(media.data).hexdigest()
    return json_reply({**known, "file_size": media.told_size or len(media.data)})


def _file(world: World, url: str, now: datetime) -> Reply:
    media_id, until = world.urls[url]
    media = world.media.get(media_id)
    if media is None or now > until:
        return Reply(404, {"content-type": "text/plain"}, b"Not Found")
    if media.redirect:
        return Reply(302, {"location": media.redirect}, b"")
    return Reply(200, {"content-type": media.told_mime or media.mime}, media.data)


# --- messages -----------------------------------------------------------------------------------------------------


def _messages(world: World, number: Number, body: bytes, now: datetime) -> tuple[Reply, list[StatusTold]]:
    try:
        payload = json.loads(body)
    except ValueError:
        raise Refusal(400, 100, "Invalid parameter") from None
    if not isinstance(payload, dict) or payload.get("messaging_product") != "whatsapp":
        raise Refusal(400, 100, "The parameter messaging_product is required")
    if payload.get("status") == "read":
        return _mark(world, payload, now), []
    check(world, payload, now)
    customer = _recipient(world, payload)
    _throttle(world, number, customer, now)
    message_id = wamid(customer, next(world.ids))
    shown = Shown(message_id, number.id, customer, payload, now)
    world.shown[message_id] = shown
    given = payload.get("to") or payload.get("recipient")
    contact = {"input": given} | ({"wa_id": payload["to"]} if "to" in payload else {"user_id": given})
    reply = json_reply({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message_id}]})
    return reply, _statuses(world, shown, now)


def _mark(world: World, payload: Mapping[str, Any], now: datetime) -> Reply:
    message_id = payload.get("message_id")
    if not isinstance(message_id, str):
        raise Refusal(400, 100, "The parameter message_id is required")
    world.read.append(message_id)
    if "typing_indicator" in payload:
        who = base64.b64decode(message_id.removeprefix("wamid.") + "==").decode("utf-8", "replace").partition("/")[0]
        for customer in world.customers:
            if who in (customer.phone, customer.user_id):
                customer.typing_until = now + TYPING_LIFE
    return json_reply({"success": True})


def _recipient(world: World, payload: Mapping[str, Any]) -> Customer | None:
    if payload.get("recipient_type") == "group":
        if payload.get("to") not in world.groups:
            raise Refusal(400, 100, "Invalid group id")
        return None
    phone, user_id = str(payload.get("to") or "").lstrip("+"), payload.get("recipient")
    if not phone and not user_id:
        raise Refusal(400, 131008, "Required parameter is missing: to or recipient")
    for customer in world.customers:
        if (phone and customer.phone == phone) or (not phone and customer.user_id == user_id):
            return customer
    return Customer(name="?", phone=phone or None, user_id=user_id, on_whatsapp=False)


def _throttle(world: World, number: Number, customer: Customer | None, now: datetime) -> None:
    recent = [at for at in world.recent.get(number.id, []) if now - at < timedelta(seconds=1)]
    if len(recent) >= number.per_second:
        raise Refusal(400, 130429, "Cloud API message throughput has been reached")
    world.recent[number.id] = [*recent, now]
    if customer is None:
        return
    # The time at which everything that was borrowed is paid back.
    paid = max(customer.pairs.get(number.id, now), now)
    if paid - now > PAIR_EVERY * (PAIR_BURST - 1):
        raise Refusal(400, 131056, "(Business Account, Consumer Account) pair rate limit hit")
    customer.pairs[number.id] = paid + PAIR_EVERY


def _statuses(world: World, shown: Shown, now: datetime) -> list[StatusTold]:
    """What becomes of an accepted message."""
    customer = shown.customer
    if customer is None:
        members = world.groups[shown.payload["to"]] if world.delivers else []
        return [status_told(shown, "sent", now), *(status_told(shown, "delivered", now, 1, m) for m in members)]
    customer.typing_until = None
    if not customer.on_whatsapp:
        return [_failed(shown, 131026, "Message undeliverable", now)]
    is_template = shown.payload.get("type") == "template"
    if not is_template and customer.windows.get(shown.account, now) <= now:
        return [_failed(shown, 131047, "Re-engagement message", now)]
    if is_template and customer.stopped_marketing:
        return [_failed(shown, 131050, "User has stopped marketing messages", now)]
    names = ["sent", *(["delivered"] if world.delivers else []), *(["read"] if customer.reads else [])]
    shown.status = names[-1]
    return [status_told(shown, name, now, place) for place, name in enumerate(names)]


def status_told(
    shown: Shown,
    name: str,
    now: datetime,
    place: int = 0,
    member: Customer | None = None,
    *,
    code: int | None = None,
    title: str = "",
) -> StatusTold:
    """`member`: whose status in a group. `code`: why it failed."""
    item: dict[str, Any] = {"id": shown.id, "status": name, "timestamp": str(int(now.timestamp()))}
    if shown.customer is None:
        item |= {"recipient_id": shown.payload["to"], "recipient_type": "group"}
        told = member.recipient() if member else {}
        item |= {key.replace("recipient_", "recipient_participant_"): value for key, value in told.items()}
    else:
        item |= shown.customer.recipient()
    if echo := shown.payload.get("biz_opaque_callback_data"):
        item["biz_opaque_callback_data"] = echo
    if name == "sent":
        item["pricing"] = {"billable": False, "pricing_model": "PMP", "type": "regular", "category": "service"}
    if code is not None:
        item["errors"] = [{"code": code, "title": title, "message": title, "error_data": {"details": title}}]
    return StatusTold(shown.account, name, item, shown.customer, timedelta(milliseconds=200 * place))


def _failed(shown: Shown, code: int, title: str, now: datetime) -> StatusTold:
    shown.status = "failed"
    return status_told(shown, "failed", now, code=code, title=title)
