"""Twilio's REST API of the simulator, as far as calls need it.

Rule: errors are the documented ones, by code; see codes.py for what the adapter makes of them.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.base import Reply, Request
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_world import OVER, SLOW_HEADER, Refusal, World, error_reply, json_reply, rfc2822

MAX_TWIML = 4_000
_TO = re.compile(r"\+[1-9]\d{6,14}|sip:[^@\s]+@\S+|client:\S+")
_FAULTS: Mapping[str, Reply] = {
    "429": error_reply(429, 20429, "Too Many Requests"),
    "500": error_reply(500, 20500, "Internal Server Error"),
    "html": Reply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>"),
    "401": error_reply(401, 20003, "Authenticate"),
    "empty": Reply(200, {}, b""),
}


def answer(world: World, calls: dict[str, Call], request: Request, now: datetime) -> Reply:
    fault = world.faults.pop(0) if world.faults else None
    if fault is not None and fault in _FAULTS:
        return _FAULTS[fault]
    try:
        reply = _route(world, calls, request, now)
    except Refusal as refusal:
        reply = refusal.reply
    if fault is None:
        return reply
    return Reply(reply.status, {**reply.headers, SLOW_HEADER: {"slow": "30", "lost": "never"}[fault]}, reply.body)


def _route(world: World, calls: dict[str, Call], request: Request, now: datetime) -> Reply:
    headers = {name.lower(): value for name, value in request.headers.items()}
    basic = b64encode(f"{world.account_sid}:{world.auth_token}".encode()).decode()
    if headers.get("authorization") != f"Basic {basic}":
        raise Refusal(401, 20003, "Authenticate")
    parts = urlsplit(request.url)
    root = f"{urlsplit(world.api_url).path.rstrip('/')}/2010-04-01/Accounts/{world.account_sid}/"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    match request.method, parts.path.removeprefix(root).split("/"):
        case "POST", ["Calls.json"]:
            return _create(world, calls, form, now)
        case "GET", ["Calls.json"]:
            shown = [_shown(call) for call in calls.values() if call.outward and call.caller == query.get("To")]
            return json_reply({"calls": shown})
        case method, ["Calls", name] if name.removesuffix(".json") in calls:
            call = calls[name.removesuffix(".json")]
            return _update(call, form, now) if method == "POST" else json_reply(_shown(call))
        case "GET", ["IncomingPhoneNumbers.json"]:
            known = [{"voice_url": world.voice_url}] if query.get("PhoneNumber") == world.number else []
            return json_reply({"incoming_phone_numbers": known})
        case "GET", ["Recordings", name]:
            return _recording(world, name.removesuffix(".mp3"), now)
        case _:
            raise Refusal(404, 20404, "The requested resource was not found")


def _create(world: World, calls: dict[str, Call], form: dict[str, list[str]], now: datetime) -> Reply:
    to, sender, twiml = (form.get(key, [""])[0] for key in ("To", "From", "Twiml"))
    if not _TO.fullmatch(to):
        raise Refusal(400, 21211, "The phone number you are attempting to call is not valid")
    if sender != world.number:
        raise Refusal(400, 21210, "From is not a number of this account")
    if not twiml or len(twiml) > MAX_TWIML:
        raise Refusal(400, 21262, "Twiml is missing or too long")
    call = Call(world, to, outward=True)
    if call.read(twiml.encode()) is None:
        raise Refusal(400, 12100, "Document parse failure")
    call.twiml = twiml.encode()
    call.status_url = next(iter(form.get("StatusCallback", ())), None)
    call.status_events = frozenset(form.get("StatusCallbackEvent", ["completed"]))
    calls[call.sid] = call
    call.tell_status("initiated", now)
    return json_reply({**_shown(call), "date_created": rfc2822(now)}, 201)


def rings(call: Call, now: datetime) -> None:
    """A call that was placed rings, and is answered or not, as the world has it."""
    if not call.outward:
        return
    if call.status == "queued":
        call.status = "ringing"
        call.tell_status("ringing", now)
    elif call.status == "ringing" and call.world.people != "wait":
        if call.world.people == "answer":
            pick_up(call, now)
        else:
            call.end(call.world.people, now)


def pick_up(call: Call, now: datetime) -> None:
    if call.outward and call.status in ("queued", "ringing"):
        call.status, call.began = "in-progress", now
        call.tell_status("answered", now)
        call.play(call.twiml, now)


def _update(call: Call, form: dict[str, list[str]], now: datetime) -> Reply:
    if call.status in OVER:
        raise Refusal(400, 21220, "Call is not in-progress. Cannot redirect.")
    if form.get("Status", [""])[0] in ("completed", "canceled"):
        call.end("completed", now)
    elif twiml := form.get("Twiml", [""])[0]:
        call.play(twiml.encode(), now)
    return json_reply(_shown(call))


def _shown(call: Call) -> dict[str, Any]:
    direction = "outbound-api" if call.outward else "inbound"
    return {"sid": call.sid, "status": call.status, "direction": direction, "to": call.base["To"],
            "from": call.base["From"], "parent_call_sid": None, "account_sid": call.world.account_sid}  # fmt: skip


def _recording(world: World, sid: str, now: datetime) -> Reply:
    found = world.recordings.get(sid)
    if found is None or found.gone:
        raise Refusal(410 if found else 404, 20404, "The requested resource was not found")
    if now < found.there_from:
        raise Refusal(404, 20404, "The recording is not there yet")
    return Reply(200, {"content-type": "audio/mpeg"}, found.data)
