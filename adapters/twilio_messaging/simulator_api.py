"""The REST APIs of the simulator: messages, their media, content, indicators, the account.

Rule: errors are the documented ones, by number; see adapters/_twilio_codes.py for what the adapter makes of them.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from adapters.base import Reply, Request
from adapters.twilio_messaging.simulator_rules import becomes, check, check_content, need
from adapters.twilio_messaging.simulator_world import Content, Refusal, Row, Told, World, error_reply, json_reply

TYPING_LIFE = timedelta(seconds=25)
SLOW_HEADER = "x-simulated-delay-s"
"""On a reply that the host of the simulator is to hold back; `never`: it is not to be given."""
MAX_PAGE = 1000
_FAULTS: Mapping[str, Reply] = {
    "429": error_reply(429, 20429, "Too Many Requests", {"retry-after": "2"}),
    "429 bare": error_reply(429, 20429, "Too Many Requests"),
    "500": error_reply(500, 20500, "An internal server error has occurred"),
    "503": error_reply(503, 20503, "Service unavailable"),
    "html": Reply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>"),
    "401": error_reply(401, 20003, "Authenticate"),
    "empty": Reply(201, {}, b""),
    "no sid": json_reply({"status": "queued"}, 201),
}


def answer(world: World, request: Request, now: datetime) -> tuple[Reply, list[Told]]:
    headers = {name.lower(): text for name, text in request.headers.items()}
    fault = world.faults.pop(0) if world.faults else ""
    if fault in _FAULTS:
        return _FAULTS[fault], []
    try:
        reply, told = _route(world, request, headers, now)
    except Refusal as refusal:
        reply, told = refusal.reply, []
    delay = {"slow": "30", "lost": "never"}.get(fault)
    return (Reply(reply.status, {**reply.headers, SLOW_HEADER: delay}, reply.body) if delay else reply), told


def _route(world: World, request: Request, headers: Mapping[str, str], now: datetime) -> tuple[Reply, list[Told]]:
    url = request.url.partition("?")[0]
    if url.startswith(f"{world.storage_url}/"):
        return _stored(world, url.rpartition("/")[2], headers), []
    base = f"{world.api_url}/2010-04-01/Accounts/{world.account_sid}"
    path = url.removeprefix(base).strip("/").split("/") if url.startswith(base) else []
    if path[2:3] == ["Media"] and len(path) == 4 and request.method == "GET":
        return _media(world, path[1], path[3], headers), []
    _authenticate(world, headers)
    match request.method, path:
        case "POST", ["Messages.json"]:
            return _message(world, parse_qs(request.body.decode(), keep_blank_values=True), now)
        case "GET", ["Messages.json"]:
            return _list(world, {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}), []
        case "GET", ["Messages", sid, "Media.json"] if sid in world.rows:
            media = [{"sid": me, "content_type": world.media[me].mime} for me in world.rows[sid].media]
            return json_reply({"media_list": media}), []
        case "GET", [".json"]:
            return json_reply({"sid": world.account_sid, "status": "active"}), []
        case _:
            return _other(world, request, url, now), []


def _other(world: World, request: Request, url: str, now: datetime) -> Reply:
    """The APIs beside the main one."""
    if request.method == "POST" and url == f"{world.content_url}/v1/Content":
        sid = f"HX{next(world.ids)}"
        world.content[sid] = Content(check_content(_document(request.body)))
        return json_reply({"sid": sid, "account_sid": world.account_sid}, 201)
    if request.method == "POST" and url == f"{world.messaging_url}/v3/Indicators/Typing.json":
        return _indicate(world, _document(request.body), now)
    raise Refusal(404, 20404, "The requested resource was not found")


def _authenticate(world: World, headers: Mapping[str, str]) -> None:
    given = f"{world.account_sid}:{world.auth_token}".encode()
    need(_basic(headers) == given, 20003, "Authenticate", 401)


def _basic(headers: Mapping[str, str]) -> bytes:
    try:
        return base64.b64decode(headers.get("authorization", "").removeprefix("Basic "), validate=True)
    except binascii.Error:
        return b""


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Refusal(400, 20001, "Invalid parameter") from None


def _message(world: World, fields: dict[str, list[str]], now: datetime) -> tuple[Reply, list[Told]]:
    sender, to = check(world, fields)
    service = fields.get("MessagingServiceSid", [None])[0]
    media = fields.get("MediaUrl", [])
    sid = ("MM" if media else "SM") + next(world.ids)
    row = Row(
        sid, "outbound-api", sender, to, fields.get("Body", [""])[0], now, service,
        status="accepted" if service else "queued", customer=world.customer_at(to), fields=fields,
    )  # fmt: skip
    world.rows[sid] = row
    if row.customer:
        row.customer.typing_until = None
    return json_reply({**row.shown(world.account_sid), "date_sent": None}, 201), becomes(world, row, now)


def _list(world: World, query: Mapping[str, str]) -> Reply:
    """The newest first, a page at a time, from the day that is asked for."""
    size, page = min(int(query.get("PageSize", "50")), MAX_PAGE), int(query.get("Page", "0"))
    since, to, sender = query.get("DateSent>", ""), query.get("To"), query.get("From")
    wanted = (row for row in world.rows.values() if to in (None, row.to) and sender in (None, row.from_))
    rows = [row for row in wanted if f"{row.at:%Y-%m-%d}" >= since]
    rows.sort(key=lambda row: row.at, reverse=True)
    shown = [row.shown(world.account_sid) for row in rows[page * size : (page + 1) * size]]
    asked = urlencode({**query, "Page": str(page + 1), "PageToken": "PA" + (rows[-1].sid if rows else "")})
    uri = f"/2010-04-01/Accounts/{world.account_sid}/Messages.json?{asked}"
    more = len(rows) > (page + 1) * size
    return json_reply({"messages": shown, "page": page, "page_size": size, "next_page_uri": uri if more else None})


def _media(world: World, message: str, sid: str, headers: Mapping[str, str]) -> Reply:
    if world.enforces_media_auth or "authorization" in headers:
        _authenticate(world, headers)
    media = world.media.get(sid)
    need(media and media.message == message and not media.gone, 20404, "The requested resource was not found", 404)
    return Reply(307, {"location": f"{world.storage_url}/{world.account_sid}/{sid}"}, b"")


def _stored(world: World, sid: str, headers: Mapping[str, str]) -> Reply:
    """Storage is not Twilio's API: it refuses Twilio's credentials."""
    media = world.media.get(sid)
    if "authorization" in headers:
        return Reply(400, {"content-type": "application/xml"}, b"<Error><Code>InvalidArgument</Code></Error>")
    if media is None or media.gone:
        return Reply(404, {"content-type": "application/xml"}, b"<Error><Code>NoSuchKey</Code></Error>")
    return Reply(200, {"content-type": media.mime}, media.data)


def _indicate(world: World, document: Any, now: datetime) -> Reply:
    need(isinstance(document, dict) and document.get("channel") == "WHATSAPP", 20001, "Invalid channel")
    row = world.rows.get(str(document.get("messageId")))
    known = row is not None and row.direction == "inbound" and row.to.startswith("whatsapp:")
    need(known, 20404, "The requested message was not found", 404)
    if row and row.customer:
        world.read.append(row.sid)
        row.customer.typing_until = now + TYPING_LIFE
    return json_reply({"success": True})
