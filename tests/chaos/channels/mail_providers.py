"""The providers that post mails, each with its own form, its own proof and its own words for what became of ours."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adapters._mail.simulator_posts import Posts
from adapters.base import Request
from adapters.mail_mailgun import simulator as mailgun
from adapters.mail_postmark import simulator as postmark
from adapters.mail_sendgrid import simulator as sendgrid
from adapters.mail_ses import simulator as ses
from normalizer.envelope import Evidence
from tests.chaos.channels.mail import ADDRESS, now
from tests.chaos.channels.mail_post import PostedMail

SECRET = "what proves a post"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"


class ByPostmark(PostedMail):
    name = "mail_postmark"
    simulator = postmark
    evidence = Evidence.CLAIMED
    opened = "Open"

    def provider(self, url: str, ids: Iterator[str]) -> Posts:
        self._side = postmark.Postmark(addresses=(ADDRESS,), user="postmark", password=SECRET, webhook_url=url, ids=ids)
        return self._side.posts

    def settings(self) -> Mapping[str, Any]:
        return {"hook_user": "postmark", "hook_passwords": [SECRET]}

    def mail_in(self, request: Request) -> bytes:
        return str(json.loads(request.body).get("RawEmail", "")).encode()

    def tells_delivered(self, id: str, recipient: str) -> None:
        facts = {"Metadata": {"our-id": id.partition("@")[0]}, "DeliveredAt": "2026-01-05T10:00:00Z"}
        self._side.event("Delivery", recipient, now(), **facts)

    def tells_opened(self) -> None:
        self._side.event("Open", "ann@ann.example", now())


class BySendGrid(PostedMail):
    name = "mail_sendgrid"
    simulator = sendgrid
    opened = "open"

    def provider(self, url: str, ids: Iterator[str]) -> Posts:
        self._key = generate_ec(SECP256R1())
        self._side = sendgrid.SendGrid(addresses=(ADDRESS,), private_key=self._key, webhook_url=url, ids=ids)
        return self._side.posts

    def settings(self) -> Mapping[str, Any]:
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"verification_keys": [b64encode(public).decode()]}

    def mail_in(self, request: Request) -> bytes:
        return request.body.partition(b'name="email"')[2]

    def tells_delivered(self, id: str, recipient: str) -> None:
        self._side.events([{"event": "delivered", "email": recipient, "smtp-id": f"<{id}>"}], now())

    def tells_opened(self) -> None:
        self._side.events([{"event": "open", "email": "ann@ann.example"}], now())


class ByMailgun(PostedMail):
    name = "mail_mailgun"
    simulator = mailgun
    evidence = Evidence.CLAIMED
    opened = "opened"

    def provider(self, url: str, ids: Iterator[str]) -> Posts:
        self._side = mailgun.Mailgun(addresses=(ADDRESS,), signing_key=SECRET, webhook_url=url, ids=ids)
        return self._side.posts

    def settings(self) -> Mapping[str, Any]:
        return {"signing_keys": [SECRET]}

    def mail_in(self, request: Request) -> bytes:
        return request.body.partition(b'name="body-mime"')[2]

    def tells_delivered(self, id: str, recipient: str) -> None:
        self._side.event("delivered", recipient, id, now())

    def tells_opened(self) -> None:
        self._side.event("opened", "ann@ann.example", "", now())


class BySes(PostedMail):
    name = "mail_ses"
    simulator = ses
    opened = "Open"

    def provider(self, url: str, ids: Iterator[str]) -> Posts:
        self._key = generate_rsa(65537, 2048)
        self._side = ses.Ses(addresses=(ADDRESS,), private_key=self._key, topic_arn=TOPIC, webhook_url=url, ids=ids)
        return self._side.posts

    def settings(self) -> Mapping[str, Any]:
        return {"topic_arns": [TOPIC], "signing_certificates": [_certificate(self._key)]}

    def mail_in(self, request: Request) -> bytes:
        return b64decode(json.loads(json.loads(request.body)["Message"]).get("content", ""))

    def tells_delivered(self, id: str, recipient: str) -> None:
        mail = {"messageId": "ses", "headers": [{"name": "Message-ID", "value": f"<{id}>"}]}
        delivery = {"timestamp": "2026-01-05T10:00:00Z", "recipients": [recipient]}
        self._side.notify({"notificationType": "Delivery", "mail": mail, "delivery": delivery}, now())

    def tells_opened(self) -> None:
        self._side.notify({"eventType": "Open", "mail": {"messageId": "ses"}}, now())


def _certificate(key: RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begun = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).public_key(key.public_key())
    valid = begun.not_valid_before(now() - timedelta(days=1)).not_valid_after(now() + timedelta(days=1))
    return valid.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()
