"""The subject of these tests: one provider with our names of fields, and one with its own."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from adapters.base import LegView, RawInbound, SendContext
from adapters.sms_http import REGISTRATION, Config
from normalizer.address import parse_address
from normalizer.envelope import Envelope, Message, Part, Text
from normalizer.ids import EnvelopeId
from tests.kit import FORM, HOOK_URL, Subject
from tests.kit.cases import ENDPOINT, NOW

NUMBER, TOKEN, SECRET = "+15017122661", "token-of-the-provider", "secret-of-the-webhook"
URL = "https://sms.example/v1/send"
NAMES = {"id": "message-id", "from": "msisdn", "to": "shortcode", "text": "msg", "status": "state", "ref": "client-ref"}
CONFIG = Config(number=NUMBER, token=TOKEN, secret=SECRET, url=URL)
THEIRS = Config(
    number=NUMBER, token=TOKEN, secret=SECRET, url=URL, fields=NAMES,
    statuses={"DELIVRD": "delivered", "UNDELIV": "failed", "ACCEPTD": "sent"},
)  # fmt: skip


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return {"x-signature": signature(raw.body)}


FACTS = {"headers": {"content-type": FORM}}
SUBJECT = Subject(REGISTRATION, CONFIG, _sign, (TOKEN, SECRET), facts=FACTS)
OTHER = Subject(REGISTRATION, THEIRS, _sign, (TOKEN, SECRET), facts=FACTS)


def outbound(*parts: Part, **more: Any) -> Envelope:
    known: dict[str, Any] = {"body": Message(parts=parts or (Text("hello"),)), "author": "ai", **more}
    return Envelope(
        id=EnvelopeId("e1"), direction="out", channel_type="sms_http", endpoint_id=ENDPOINT, occurred_at=NOW, **known
    )


def ctx(to: str = "tel:+14155550101", **facts: Any) -> SendContext:
    leg = LegView(address=parse_address(to))
    return SendContext(now=NOW, account=NUMBER, hook_url=HOOK_URL, leg=leg, echo_key="cmd_1", **facts)
