"""The subject of these tests, and its fixtures as cases."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from adapters import REGISTRY
from adapters.base import LegView, RawInbound, SendContext
from adapters.whatsapp import Config
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId
from tests.kit import InboundCase, OutboundCase, Subject, given_reply
from tests.kit.cases import ENDPOINT, NOW

SECRET = "app-secret-one"
OLD_SECRET = "app-secret-zero"
TOKEN = "EAAG-token-of-a-system-user"
VERIFY_TOKEN = "verify-token-typed-by-hand"
ACCOUNT = "106540352242922"
GRAPH = "https://graph.facebook.com/v24.0"
METADATA = {"display_phone_number": "15550783881", "phone_number_id": ACCOUNT}
FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = Config(
    phone_number_id=ACCOUNT,
    waba_id="102290129340398",
    access_token=TOKEN,
    app_secrets=(SECRET, OLD_SECRET),
    verify_token=VERIFY_TOKEN,
)


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Made here from the standard library alone: the adapter's own function is what is tested."""
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return signed(raw.body)


SUBJECT = Subject(
    registration=REGISTRY["whatsapp"],
    config=CONFIG,
    sign=_sign,
    secrets=(SECRET, OLD_SECRET, TOKEN, VERIFY_TOKEN),
)


def delivery(*values: Mapping[str, Any], field: str = "messages") -> dict[str, Any]:
    """A POST with one change for each value."""
    changes = [{"field": field, "value": dict(value)} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]}


def value(**lists: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "metadata": METADATA, **lists}


def encoded(document: Any) -> bytes:
    """As Meta sends it: everything outside of ASCII escaped."""
    return json.dumps(document, ensure_ascii=True).encode()


def text_message(id: str = "wamid.1", sender: str = "16505551234", body: str = "hello") -> dict[str, Any]:
    return {"from": sender, "id": id, "timestamp": "1749416383", "type": "text", "text": {"body": body}}


# --- fixtures -----------------------------------------------------------------------------------------------------


def _cases(folder: str) -> list[dict[str, Any]]:
    files = sorted((FIXTURES / folder).glob("*.json"))
    return [case for file in files for case in json.loads(file.read_text(encoding="utf-8"))["cases"]]


def inbound_cases() -> Sequence[InboundCase]:
    return [_inbound(case) for case in _cases("inbound")]


def _inbound(case: Mapping[str, Any]) -> InboundCase:
    inner = case.get("value", {})
    document = case.get("body") or delivery(
        inner if case.get("bare") else value(**inner), field=case.get("field", "messages")
    )
    return InboundCase(case["label"], encoded(document), [wanted(want) for want in case["want"]])


def wanted(want: Mapping[str, Any]) -> dict[str, Any]:
    """An envelope of a fixture, with what all of them share filled in, and addresses written out."""
    keys = [want["external_id"]] if want.get("external_id") else []
    common = {
        "direction": "in",
        "channel_type": "whatsapp",
        "endpoint_id": ENDPOINT,
        "account": ACCOUNT,
        "occurred_at": "2025-06-08T20:59:43Z",
        "received_at": "2026-01-02T03:04:05Z",
        "dedupe_keys": keys,
    }
    full: dict[str, Any] = {**common, **want}
    if "party" in full:
        full["party"] = {**full["party"], "claims": [_claim(text) for text in full["party"]["claims"]]}
    if "group" in full:
        full["group"] = _address(full["group"])
    full["body"] = _body(full["body"])
    return {key: item for key, item in full.items() if item not in (None, [])}


def _body(body: dict[str, Any]) -> dict[str, Any]:
    changed = dict(body)
    if body["kind"] == "receipt" and "recipient" in body:
        changed["recipient"] = _address(body["recipient"])
    if body["kind"] == "address_change":
        changed["new"] = [_claim(text) for text in body["new"]]
        if "old" in body:
            changed["old"] = [_address(text) for text in body["old"]]
    return changed


def _claim(text: str) -> dict[str, Any]:
    return {"address": _address(text), "evidence": 2}


def _address(text: str) -> dict[str, str]:
    return {"scheme": "whatsapp", "value": text}


def outbound_cases() -> Sequence[OutboundCase]:
    return [_outbound(case) for case in _cases("outbound")]


def _outbound(case: Mapping[str, Any]) -> OutboundCase:
    context = case.get("context", {})
    to = context.pop("to", "whatsapp:16505551234")
    return OutboundCase(
        label=case["label"],
        message=message(case["body"], **case.get("envelope", {})),
        context=ctx(to, **context),
        replies=[given_reply(reply) for reply in case.get("replies", [])],
        calls=case.get("calls", []),
        ids=case.get("ids", []),
        error=case.get("error", {}),
    )


def message(body: Mapping[str, Any], **more: Any) -> Envelope:
    fields = {
        "v": codec.VERSION,
        "id": "env_out",
        "direction": "out",
        "channel_type": "whatsapp",
        "endpoint_id": ENDPOINT,
        "author": "ai",
        "occurred_at": NOW.isoformat(),
        "body": body,
    }
    return codec.decode(json.dumps({**fields, **more}, separators=(",", ":")).encode())


def ctx(to: str = "whatsapp:16505551234", *, last_inbound: str | None = None, **facts: Any) -> SendContext:
    leg = LegView(address=parse_address(to), last_inbound=ExternalId(last_inbound) if last_inbound else None)
    return msgspec.structs.replace(SendContext(now=NOW, leg=leg, echo_key="cmd_1"), **facts)
