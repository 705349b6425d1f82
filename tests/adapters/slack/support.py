"""The subject of these tests, and its fixtures as cases."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from adapters.base import LegView, RawInbound, SendContext
from adapters.slack import REGISTRATION, Config
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId
from tests.kit import InboundCase, OutboundCase, Subject, form, given_reply
from tests.kit.cases import ENDPOINT, FORM, NOW

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
OLD_SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "xoxb-token-of-the-bot"
APP_TOKEN = "xapp-token-of-the-app"
TEAM = "T1"
API = "https://slack.com/api"
FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = Config(
    team_id=TEAM,
    bot_token=TOKEN,
    app_token=APP_TOKEN,
    signing_secrets=(SECRET, OLD_SECRET),
    history_channels=("C1",),
)
SECONDS = str(int(NOW.timestamp()))


def signed(body: bytes, secret: str = SECRET, seconds: str = SECONDS) -> dict[str, str]:
    """Made here from the standard library alone: what the adapter uses is what is tested."""
    digest = hmac.new(secret.encode(), b"v0:" + seconds.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": seconds, "x-slack-signature": f"v0={digest}"}


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return signed(raw.body)


SUBJECT = Subject(registration=REGISTRATION, config=CONFIG, sign=_sign, secrets=(SECRET, OLD_SECRET, TOKEN, APP_TOKEN))


def callback(event: Any, **outer: Any) -> dict[str, Any]:
    """The outermost object of an event."""
    authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": "UBOT", "is_bot": True}
    document = {
        "token": "x",
        "team_id": TEAM,
        "api_app_id": "A1",
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": 1764000007,
        "authorizations": [{**authorization, "is_enterprise_install": False}],
        "event": event,
    }
    return {**document, **outer}


def said(text: str = "hi", **more: Any) -> dict[str, Any]:
    """The event of a direct message."""
    plain = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "team": TEAM}
    return {**plain, "text": text, "ts": "1764000000.000100", **more}


def encoded(document: Any) -> bytes:
    """As Slack sends it: everything outside of ASCII escaped."""
    return json.dumps(document, ensure_ascii=True).encode()


# --- fixtures -----------------------------------------------------------------------------------------------------


def _cases(folder: str) -> list[dict[str, Any]]:
    files = sorted((FIXTURES / folder).glob("*.json"))
    return [case for file in files for case in json.loads(file.read_text(encoding="utf-8"))["cases"]]


def inbound_cases() -> Sequence[InboundCase]:
    return [_inbound(case) for case in _cases("inbound")]


def _inbound(case: Mapping[str, Any]) -> InboundCase:
    wants = [wanted(want) for want in case.get("wants") or [case["want"]]]
    headers = {"content-type": "application/json", **case.get("headers", {})}
    if "payload" in case:
        body, headers = form({"payload": json.dumps(case["payload"])}), {"content-type": FORM}
    elif "command" in case:
        body, headers = form(case["command"]), {"content-type": FORM}
    elif "event" in case:
        body = encoded(callback(case["event"], **case.get("outer", {})))
    else:
        body = encoded(case["body"])
    return InboundCase(case["label"], body, wants, headers=headers, origin=case.get("origin"))


def wanted(want: Mapping[str, Any]) -> dict[str, Any]:
    """An envelope of a fixture, with what all of them share filled in, and addresses written out."""
    id = want.get("external_id")
    full: dict[str, Any] = {
        "direction": "in",
        "channel_type": "slack",
        "endpoint_id": ENDPOINT,
        "account": TEAM,
        "occurred_at": "2025-11-24T16:00:00.000100Z",
        "received_at": "2026-01-02T03:04:05Z",
        "dedupe_keys": [f"message:{id}", "Ev1"] if id else [],
        **want,
    }
    if isinstance(full.get("party"), str):
        full["party"] = {"claims": [full["party"]]}
    if "party" in full:
        full["party"] = {**full["party"], "claims": [_claim(text) for text in full["party"]["claims"]]}
    if "group" in full:
        full["group"] = _address(full["group"])
    if full["body"]["kind"] == "address_change":
        old, new = map(_address, full["body"]["old"]), map(_claim, full["body"]["new"])
        full["body"] = {**full["body"], "old": [*old], "new": [*new]}
    return {key: item for key, item in full.items() if item not in (None, [])}


def _claim(text: str) -> dict[str, Any]:
    return {"address": _address(text), "evidence": 2}


def _address(text: str) -> dict[str, str]:
    return {"scheme": "slack", "value": text}


def outbound_cases() -> Sequence[OutboundCase]:
    return [_outbound(case) for case in _cases("outbound")]


def _outbound(case: Mapping[str, Any]) -> OutboundCase:
    context = dict(case.get("context", {}))
    return OutboundCase(
        label=case["label"],
        message=message(case["body"]),
        context=ctx(context.pop("to", "slack:T1/U1"), **context),
        replies=[given_reply(reply) for reply in case.get("replies", [])],
        calls=[{**call, "url": call["url"].replace("API", API)} for call in case.get("calls", [])],
        ids=case.get("ids", []),
        error=case.get("error", {}),
    )


def message(body: Mapping[str, Any], **more: Any) -> Envelope:
    fields = {
        "v": codec.VERSION,
        "id": "env_out",
        "direction": "out",
        "channel_type": "slack",
        "endpoint_id": ENDPOINT,
        "author": "ai",
        "occurred_at": NOW.isoformat(),
        "body": body,
    }
    return codec.decode(json.dumps({**fields, **more}, separators=(",", ":")).encode())


def ctx(
    to: str = "slack:T1/U1", *, last_inbound: str | None = None, thread: str | None = None, **facts: Any
) -> SendContext:
    last = ExternalId(last_inbound) if last_inbound else None
    leg = LegView(address=parse_address(to), last_inbound=last, native_thread=thread)
    return msgspec.structs.replace(SendContext(now=NOW, leg=leg, echo_key="cmd_1:0"), **facts)
