"""The subject of these tests: what SNS posts, typed by hand and signed with a key made for the tests."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from adapters.base import RawInbound
from adapters.mail_ses import REGISTRATION, TYPE, Config
from tests.adapters._mail.hooks import SECRETS, SETTINGS, fate, through
from tests.adapters.mail.support import ADDRESS, OUR_ID, claim, envelope, mail, words
from tests.kit import InboundCase, Subject

TOPIC, FOREIGN_TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail", "arn:aws:sns:eu-west-1:999999999999:mail"
CERTIFICATE_AT = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
SUBSCRIBE = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t1"


@cache
def key(name: str) -> RSAPrivateKey:
    """One for each name."""
    return generate_private_key(65537, 2048)


def pem(name: str) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    at = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).serial_number(1)
    builder = builder.public_key(key(name).public_key()).not_valid_before(at).not_valid_after(at + timedelta(days=365))
    return builder.sign(key(name), SHA256()).public_bytes(Encoding.PEM).decode()


def signature(post: Mapping[str, Any], names: str, *, by: str = "amazon", version: str = "2") -> str:
    """`names` of what is signed, in their order."""
    text = "".join(f"{name}\n{post[name]}\n" for name in names.split() if name in post)
    hash_ = SHA1() if version == "1" else SHA256()
    return b64encode(key(by).sign(text.encode(), PKCS1v15(), hash_)).decode()


NOTIFICATION = "Message MessageId Subject Timestamp TopicArn Type"
CONFIRMATION = "Message MessageId SubscribeURL Timestamp Token TopicArn Type"


def document(message: str, *, by: str = "amazon", version: str = "2", kind: str = "Notification",
             **more: Any) -> dict[str, Any]:  # fmt: skip
    post = {
        "Type": kind, "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC, "Message": message,
        "Timestamp": "2026-01-02T03:04:00.000Z", "SignatureVersion": version, "SigningCertURL": CERTIFICATE_AT, **more,
    }  # fmt: skip
    names = NOTIFICATION if kind == "Notification" else CONFIRMATION
    return {**post, "Signature": signature(post, names, by=by, version=version)}


def headers(kind: str = "Notification") -> dict[str, str]:
    return {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}


def _sign(raw: RawInbound) -> Mapping[str, str]:
    """The proof is in the body, which the cases write with it."""
    return {}


CONFIG = Config(**SETTINGS, topic_arns=(TOPIC,), signing_certificates=(pem("before"), pem("amazon")))
SUBJECT = Subject(registration=REGISTRATION, config=CONFIG, sign=_sign, secrets=SECRETS)


def received(content: str, *, encoding: str = "BASE64", dmarc: str = "GRAY", **changes: Any) -> dict[str, Any]:
    mail = {"timestamp": "2026-01-02T03:04:00.000Z", "source": "joe@x.example", "messageId": "ses-1",
            "destination": [ADDRESS]}  # fmt: skip
    receipt = {
        "timestamp": "2026-01-02T03:04:00.000Z", "recipients": [ADDRESS], "spfVerdict": {"status": "PASS"},
        "dkimVerdict": {"status": "PASS"}, "dmarcVerdict": {"status": dmarc},
        "action": {"type": "SNS", "topicArn": TOPIC, "encoding": encoding},
    }  # fmt: skip
    return {"notificationType": "Received", "mail": mail, "receipt": receipt, "content": content, **changes}


def posted(message: Any, **facts: Any) -> bytes:
    text = message if isinstance(message, str) else json.dumps(message)
    return json.dumps(document(text, **facts)).encode()


def whole(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    return posted(received(b64encode(data).decode()), Subject="Amazon SES Email Receipt Notification"), headers()


AT = "2026-01-02T03:04:00Z"
MIME = through(TYPE, whole, occurred_at=lambda _: AT)
EXAMPLE = mail()
PROVEN = {"claims": [claim("joe@x.example", 2)], "name": "Joe Doe"}


def said(label: str, message: Any, **more: Any) -> InboundCase:
    want = envelope(EXAMPLE, words("Hello"), **{"channel_type": TYPE, "occurred_at": AT, **more})
    return InboundCase(label, posted(message), [want], headers=headers())


ENCODED = b64encode(EXAMPLE).decode()
NAMELESS = mail(Message_ID=None)
MAILS = [
    said("in BASE64", received(ENCODED)),
    said("as it is", received(EXAMPLE.decode(), encoding="UTF8")),
    said("DMARC proves the sender", received(ENCODED, dmarc="PASS"), party=PROVEN),
    said("DMARC does not", received(ENCODED, dmarc="FAIL")),
    said("no verdict", received(ENCODED, receipt={"action": {"encoding": "BASE64"}}),
         occurred_at="2026-01-01T10:00:00Z"),
    said("a time that is none", received(ENCODED, receipt={"timestamp": "noon", "action": {"encoding": "BASE64"}}),
         occurred_at="2026-01-01T10:00:00Z"),
    said("an empty sender", received(ENCODED, mail={"source": ""}), automated=True),
    said("fields of another type", received(ENCODED, mail=5, receipt={"recipients": "x", "dmarcVerdict": [],
                                                                      "action": {"encoding": "BASE64"}}),
         occurred_at="2026-01-01T10:00:00Z"),
]  # fmt: skip


def notice(label: str, body: bytes, what: str, kind: str = "Notification", **more: Any) -> InboundCase:
    key = "ses/sns/22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"
    want = {"direction": "in", "channel_type": TYPE, "endpoint_id": "endpoint", "account": ADDRESS, "author": "system",
            "occurred_at": "2026-01-02T03:04:05Z", "received_at": "2026-01-02T03:04:05Z", "external_id": key,
            "dedupe_keys": [key], "body": {"kind": "unsupported", "what": what, **more, "visible": False}}  # fmt: skip
    return InboundCase(label, body, [want], headers=headers(kind))


CONFIRM = {"Token": "t1", "SubscribeURL": SUBSCRIBE}
NOTICES = [
    notice("the topic asks whether it is wanted", posted("Visit the URL", kind="SubscriptionConfirmation", **CONFIRM),
           "sns:SubscriptionConfirmation", "SubscriptionConfirmation",
           failures=[{"code": "to_be_confirmed", "text": f"Open this to subscribe: {SUBSCRIBE}"}]),
    notice("the topic lets us go", posted("Visit the URL", kind="UnsubscribeConfirmation", **CONFIRM),
           "sns:UnsubscribeConfirmation", "UnsubscribeConfirmation"),
    notice("words of Amazon", posted("Successfully validated SNS topic for Amazon SES event publishing."),
           "sns:Notification"),
    notice("a bounce by SES", posted({"notificationType": "Bounce", "bounce": {}}), "event:Bounce"),
    notice("an event by SES", posted({"eventType": "Delivery"}), "event:Delivery"),
    notice("the mail lies in S3", posted({k: v for k, v in received("").items() if k != "content"}), "event:Received",
           failures=[{"code": "content_elsewhere",
                      "text": "The rule's action does not send the mail itself to the topic."}]),
    notice("a kind of another type", posted({"notificationType": 5}), "sns:Notification"),
    notice("signed in the first version", posted("Hello", version="1"), "sns:Notification"),
    notice("signed with another certificate of ours", posted("Hello", by="before"), "sns:Notification"),
]  # fmt: skip


SES_ID = "0102019b-1234-5678-9abc-def012345678-000000"
SES_MAIL = {"timestamp": "2026-01-02T03:00:00.000Z", "messageId": SES_ID, "destination": ["joe@x.example"],
            "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/shop.example"}  # fmt: skip
OUR_MAIL = {**SES_MAIL, "headers": [{"name": "From", "value": "x"}, {"name": "Message-ID", "value": f"<{OUR_ID}>"}]}
THEIR_ID = f"{SES_ID}@eu-west-1.amazonses.com"


def ours(
    label: str, document: Mapping[str, Any], status: str, *recipients: str, target: str = OUR_ID, **failure: str
) -> InboundCase:
    """Of a mail of ours."""
    want = [fate(TYPE, status, one, target=target, **failure) for one in recipients or ("joe@x.example",)]
    return InboundCase(label, posted(dict(document)), want, headers=headers())


STAMP = {"timestamp": "2026-01-02T03:00:00.000Z"}
BOUNCED = [{"emailAddress": "joe@x.example", "status": "5.1.1", "diagnosticCode": "550 no"}]
UNWANTED = {"code": "complaint", "text": "its reader calls it unwanted"}
EVENTS = [
    ours("delivered", {"notificationType": "Delivery", "mail": OUR_MAIL, "delivery": {
        **STAMP, "recipients": ["joe@x.example", "ann@y.example"]}}, "delivered", "joe@x.example", "ann@y.example"),
    ours("nobody there", {"eventType": "Bounce", "mail": OUR_MAIL, "bounce": {
        **STAMP, "bounceType": "Permanent", "bouncedRecipients": BOUNCED}}, "failed",
        code="hard_bounce", text="550 no", provider_code="5.1.1"),
    ours("no room", {"notificationType": "Bounce", "mail": OUR_MAIL, "bounce": {
        **STAMP, "bounceType": "Transient", "bouncedRecipients": BOUNCED}}, "failed",
        code="soft_bounce", text="550 no", provider_code="5.1.1"),
    ours("a complaint", {"notificationType": "Complaint", "mail": OUR_MAIL, "complaint": {
        **STAMP, "complainedRecipients": [{"emailAddress": "joe@x.example"}]}}, "delivered", **UNWANTED),
    ours("on its way", {"eventType": "Send", "mail": OUR_MAIL, "send": {}}, "sent"),
    ours("by the id that SES gave", {"notificationType": "Delivery", "mail": SES_MAIL, "delivery": {
        **STAMP, "recipients": ["joe@x.example"]}}, "delivered", target=THEIR_ID),
    notice("somebody else's mail", posted({"eventType": "Delivery", "mail": {
        **SES_MAIL, "headers": [{"name": "Message-ID", "value": f"<x{OUR_ID}>"}]}, "delivery": {
            **STAMP, "recipients": ["joe@x.example"]}}), "event:Delivery"),
    notice("opened", posted({"eventType": "Open", "mail": OUR_MAIL, "open": {}}), "event:Open"),
    notice("nobody is named", posted({"eventType": "Bounce", "mail": OUR_MAIL, "bounce": 5}), "event:Bounce"),
    notice("no id at all", posted({"eventType": "Delivery", "mail": {"sourceArn": "x"}, "delivery": {
        "recipients": ["joe@x.example"]}}), "event:Delivery"),
]  # fmt: skip
