"""Amazon SES and SNS seen from the other side: what arrives is a notification of a topic, with an RSA signature."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from adapters._mail.simulator import Arriving, World
from adapters._mail.simulator_posts import Posts
from adapters.base import Request

REPEATS_S = (0.0, 0.0, 0.0, 1.0, 1.0, *(20.0,) * 45)
MAX_CONTENT_BYTES = 150_000
"""A larger mail is not sent through SNS: it bounces (https://docs.aws.amazon.com/ses/latest/dg/receiving-email-action-sns.html)."""
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"


class Ses:
    """`posts` is the Provider."""

    def __init__(self, *, addresses: Sequence[str], private_key: RSAPrivateKey, topic_arn: str, webhook_url: str,
                 ids: Iterator[str], version: Literal["1", "2"] = "2", base64: bool = True) -> None:  # fmt: skip
        """`version` of the signature; `base64`: the encoding of the rule's action."""
        self._private_key, self._topic_arn, self._url, self._ids = private_key, topic_arn, webhook_url, ids
        self._version, self._base64 = version, base64
        self.world = World(addresses=addresses, ids=ids, max_bytes=10_485_760)
        self.posts = Posts(self.world, self._post, REPEATS_S, stop_at=frozenset())

    def subscribe(self, now: datetime) -> str:
        """The topic asks whether it is wanted; the token that proves it was read."""
        token = next(self._ids)
        url = (
            f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={self._topic_arn}&Token={token}"
        )
        text = f"You have chosen to subscribe to the topic {self._topic_arn}."
        self.posts.tell(self._signed("SubscriptionConfirmation", text, now, {"Token": token, "SubscribeURL": url}), now)
        return token

    def notify(self, message: dict[str, Any] | str, now: datetime) -> None:
        """Anything else that comes over the topic: bounces, deliveries, words of people."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.posts.tell(self._signed("Notification", text, now, {}), now)

    def _post(self, one: Arriving, now: datetime) -> Request:
        id, at = next(self._ids), one.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        verdict = "PASS" if one.proven else "FAIL"
        content = b64encode(one.data).decode() if self._base64 else one.data.decode("utf-8", "replace")
        action = {"type": "SNS", "topicArn": self._topic_arn, "encoding": "BASE64" if self._base64 else "UTF8"}
        document: dict[str, Any] = {
            "notificationType": "Received",
            "mail": {"timestamp": at, "source": one.mail_from, "messageId": id, "destination": [one.recipient]},
            "receipt": {
                "timestamp": at,
                "recipients": [one.recipient],
                "spamVerdict": {"status": "PASS"},
                "virusVerdict": {"status": "PASS"},
                "spfVerdict": {"status": verdict},
                "dkimVerdict": {"status": verdict},
                "dmarcVerdict": {"status": verdict},
                "action": action,
            },
        }
        if len(one.data) <= MAX_CONTENT_BYTES:
            document["content"] = content
        return self._signed(
            "Notification", json.dumps(document), now, {"Subject": "Amazon SES Email Receipt Notification"}
        )

    def _signed(self, kind: str, message: str, now: datetime, more: dict[str, str]) -> Request:
        post = {
            "Type": kind,
            "MessageId": next(self._ids),
            "TopicArn": self._topic_arn,
            "Message": message,
            "Timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **more,
        }
        text = "".join(f"{key}\n{post[key]}\n" for key in sorted(post))
        hash_ = SHA1() if self._version == "1" else SHA256()  # noqa: S303  Amazon's first version
        signature = b64encode(self._private_key.sign(text.encode(), PKCS1v15(), hash_)).decode()
        post |= {"SignatureVersion": self._version, "Signature": signature, "SigningCertURL": CERTIFICATE}
        headers = {"content-type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}
        return Request(method="POST", url=self._url, headers=headers, body=json.dumps(post).encode())
