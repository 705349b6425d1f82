"""Amazon SNS's proof: RSA over a canonical text, with SHA-1 (version 1) or SHA-256 (version 2)
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).

Rule: the certificate is one that the operator configured. Where a message says its certificate lies is looked at only
      to be refused: nothing that a stranger posts makes us call anybody.
Rule: only our topics are listened to; anybody can have a topic of his own, signed by the same Amazon.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadText
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate
from msgspec import Struct

from adapters.base import RawInbound, Unauthentic

_CERTIFICATE_AT = re.compile(
    r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{8,64}\.pem"
)
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303  Amazon's first version
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


class Post(Struct, frozen=True, kw_only=True):
    """What SNS posts."""

    Type: str
    MessageId: str
    TopicArn: str
    Message: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str
    Subject: str | None = None
    Token: str | None = None
    SubscribeURL: str | None = None


class Signatures:
    def __init__(self, topic_arns: Sequence[str], certificates: Sequence[str]) -> None:
        read = [_key(pem) for pem in certificates]
        self._topic_arns = topic_arns
        self._keys = [key for key in read if key is not None]
        self.problems = [
            f"signing_certificates: the {place}. is no certificate of an RSA key"
            for place, key in enumerate(read, 1)
            if key is None
        ]

    def check(self, raw: RawInbound) -> None:
        """Raises Unauthentic."""
        post = _read(raw)
        if post.TopicArn not in self._topic_arns:
            raise Unauthentic("a topic that is not ours")
        if raw.headers.get("x-amz-sns-message-type") != post.Type or post.Type not in _SIGNED:
            raise Unauthentic("not the type that it says it is")
        if _CERTIFICATE_AT.fullmatch(post.SigningCertURL) is None:
            raise Unauthentic("a certificate that is not of SNS")
        signature, hash_ = _canonical(post.Signature), _HASHES.get(post.SignatureVersion)
        if signature is None or hash_ is None:
            raise Unauthentic("no signature")
        data = _signed(post)
        if not any(_fits(key, signature, data, hash_) for key in self._keys):
            raise Unauthentic("a signature of none of our certificates")


def _read(raw: RawInbound) -> Post:
    if raw.method != "POST":
        raise Unauthentic("only POST")
    try:
        return msgspec.json.decode(raw.body, type=Post)
    except (ValueError, RecursionError):
        raise Unauthentic("nothing that SNS posts") from None


def _signed(post: Post) -> bytes:
    """Each key and its value on a line of its own; what is absent is left out."""
    pairs = ((key, getattr(post, key)) for key in _SIGNED[post.Type])
    text = "".join(f"{key}\n{value}\n" for key, value in pairs if value is not None)
    return text.encode("utf-8", "surrogatepass")


def _fits(key: RSAPublicKey, signature: bytes, data: bytes, hash_: HashAlgorithm) -> bool:
    try:
        key.verify(signature, data, PKCS1v15(), hash_)
    except InvalidSignature:
        return False
    return True


def _canonical(text: str) -> bytes | None:
    """Base64 in its one spelling."""
    try:
        data = b64decode(text, validate=True)
    except (BadText, ValueError):
        return None
    return data if data and b64encode(data).decode() == text else None


def _key(pem: str) -> RSAPublicKey | None:
    try:
        key = load_pem_x509_certificate(pem.encode()).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None
