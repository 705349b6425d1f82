"""The subject of these tests, and its fixtures as cases."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from adapters.base import LegView, RawInbound, SendContext
from adapters.twilio_messaging import REGISTRATION
from adapters.twilio_messaging.config import Config
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId
from tests.kit import FORM, HOOK_URL, InboundCase, OutboundCase, Subject, form, given_reply
from tests.kit.cases import ENDPOINT, NOW

ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef"
TOKEN = "auth-token-in-use"
OLD_TOKEN = "auth-token-of-before"
WA = "whatsapp:+14155238886"
SMS = "+15017122661"
RCS = "rcs:brand_agent"
SERVICE = "MG0123456789abcdef0123456789abcdef"
API = "https://api.twilio.com/2010-04-01/Accounts/" + ACCOUNT_SID
CONTENT = "https://content.twilio.com/v1/Content"
TYPING = "https://messaging.twilio.com/v3/Indicators/Typing.json"
FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = Config(
    account_sid=ACCOUNT_SID,
    auth_tokens=(TOKEN, OLD_TOKEN),
    senders={"wa": WA, "sms": SMS, "rcs": RCS, "pool": SERVICE},
    templates={"order_update": "HX1111", "order_update/de": "HX2222"},
)


def signature(url: str, fields: Sequence[tuple[str, str]] = (), token: str = TOKEN) -> str:
    """Made here from the standard library alone: the adapter's own way is what is tested."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _sign(raw: RawInbound) -> Mapping[str, str]:
    if raw.headers.get("content-type") == "application/json":
        return {}
    fields = parse_qsl(raw.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {"x-twilio-signature": signature(raw.public_url, fields)}


SUBJECT = Subject(
    registration=REGISTRATION,
    config=CONFIG,
    sign=_sign,
    secrets=(TOKEN, OLD_TOKEN),
    facts={"headers": {"content-type": FORM}},
)


def sms(**fields: str) -> dict[str, str]:
    """The fields of a text that came in."""
    known = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": "SM1", "NumMedia": "0", "ToCity": "", "FromZip": "",
        "SmsSid": "SM1", "FromState": "", "SmsStatus": "received", "FromCity": "", "Body": "hello",
        "FromCountry": "US", "To": SMS, "ToZip": "", "NumSegments": "1", "MessageSid": "SM1",
        "AccountSid": ACCOUNT_SID, "From": "+14155550101", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    return {**known, **fields}


def whatsapp(**fields: str) -> dict[str, str]:
    known = {
        "SmsMessageSid": "SM1", "NumMedia": "0", "ProfileName": "Sheena Nelson", "MessageType": "text",
        "SmsSid": "SM1", "WaId": "16505551234", "SmsStatus": "received", "Body": "hello", "To": WA,
        "NumSegments": "1", "ReferralNumMedia": "0", "MessageSid": "SM1", "AccountSid": ACCOUNT_SID,
        "ChannelMetadata": '{"type":"whatsapp","data":{"context":{"ProfileName":"Sheena Nelson"}}}',
        "From": "whatsapp:+16505551234", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    return {**known, **fields}


def status(**fields: str) -> dict[str, str]:
    known = {
        "SmsSid": "SM9", "SmsStatus": "delivered", "MessageStatus": "delivered", "To": "+14155550101",
        "MessageSid": "SM9", "AccountSid": ACCOUNT_SID, "From": SMS, "ApiVersion": "2010-04-01",
    }  # fmt: skip
    return {**known, **fields}


BASES = {"sms": sms, "whatsapp": whatsapp, "status": status, "none": dict[str, str]}


# --- fixtures -----------------------------------------------------------------------------------------------------


def _cases(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["cases"]
    return loaded


def inbound_cases() -> Sequence[InboundCase]:
    return [_inbound(case) for case in _cases("inbound")]


def _inbound(case: Mapping[str, Any]) -> InboundCase:
    """`base` and `fields` make a form, which a GET has in its query; `json` is a row or an event."""
    facts: dict[str, Any] = {key: case[key] for key in ("method", "path", "query", "origin") if key in case}
    if "json" in case:
        body = json.dumps(case["json"]).encode()
        facts["headers"] = {"content-type": "application/json"}
        if "origin" not in case:
            facts["query"] = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
            facts["headers"] = {**facts["headers"], **json_signature(body)}
    else:
        given = {name: value for name, value in case["fields"].items() if value is not None}
        fields = BASES[case.get("base", "none")](**given)
        body = form({name: value for name, value in fields.items() if case["fields"].get(name, "") is not None})
        if case.get("method") == "GET":
            facts["query"], body = body.decode(), b""
    return InboundCase(case["label"], body, [wanted(want) for want in case["want"]], **facts)


def json_signature(body: bytes) -> dict[str, str]:
    return {"x-twilio-signature": signature(f"{HOOK_URL}?bodySHA256={hashlib.sha256(body).hexdigest()}")}


def wanted(want: Mapping[str, Any]) -> dict[str, Any]:
    """An envelope of a fixture, with what all of them share filled in, and addresses written out."""
    common = {
        "direction": "in",
        "channel_type": "twilio_messaging",
        "endpoint_id": ENDPOINT,
        "occurred_at": "2026-01-02T03:04:05Z",
        "received_at": "2026-01-02T03:04:05Z",
        "dedupe_keys": [want["external_id"]] if want.get("external_id") else [],
    }
    full: dict[str, Any] = {**common, **want}
    if "claims" in want:
        claims = [{"address": _address(text), "evidence": 2} for text in full.pop("claims")]
        full["party"] = {"claims": claims, **({"name": full.pop("name")} if "name" in full else {})}
    body = full["body"]
    if "recipient" in body:
        full["body"] = {**body, "recipient": _address(body["recipient"])}
    return {key: item for key, item in full.items() if item not in (None, [])}


def _address(text: str) -> dict[str, str]:
    scheme, _, value = text.partition(":")
    return {"scheme": scheme, "value": value}


def outbound_cases() -> Sequence[OutboundCase]:
    return [_outbound(case) for case in _cases("outbound")]


def _outbound(case: Mapping[str, Any]) -> OutboundCase:
    return OutboundCase(
        label=case["label"],
        message=message(case["body"], **case.get("envelope", {})),
        context=ctx(**case.get("context", {})),
        replies=[given_reply(reply) for reply in case.get("replies", [])],
        calls=[_call(call) for call in case.get("calls", [])],
        ids=case.get("ids", []),
        error=case.get("error", {}),
    )


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """What all calls of a message share filled in."""
    if "form" not in call:
        return {"method": "POST", "auth": "auth_token", **call}
    shared = {"StatusCallback": f"{HOOK_URL}?echo=cmd_1"}
    return {"method": "POST", "url": f"{API}/Messages.json", "auth": "auth_token", "form": {**call["form"], **shared}}


def message(body: Mapping[str, Any], **more: Any) -> Envelope:
    fields = {
        "v": codec.VERSION,
        "id": "env_out",
        "direction": "out",
        "channel_type": "twilio_messaging",
        "endpoint_id": ENDPOINT,
        "author": "ai",
        "occurred_at": NOW.isoformat(),
        "body": body,
    }
    return codec.decode(json.dumps({**fields, **more}, separators=(",", ":")).encode())


def ctx(
    to: str = "whatsapp:16505551234", *, account: str | None = None, last_inbound: str | None = None, **facts: Any
) -> SendContext:
    account = account or (WA if to.startswith("whatsapp:") else SMS)
    leg = LegView(address=parse_address(to), last_inbound=ExternalId(last_inbound) if last_inbound else None)
    given = SendContext(now=NOW, account=account, hook_url=HOOK_URL, leg=leg, echo_key="cmd_1")
    return msgspec.structs.replace(given, **facts)
