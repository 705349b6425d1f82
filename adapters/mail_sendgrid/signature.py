"""SendGrid's proof: ECDSA over P-256 with SHA-256, of the timestamp and the body, byte for byte
(https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks).

Rule: the body is signed as it was sent, so it is checked before anything of it is read.
Rule: an old one needs no refusal: it can only be the same mail again.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadText
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from adapters.base import RawInbound, Unauthentic

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_TIMESTAMP = re.compile(r"[0-9]{10}", re.ASCII)
"""Seconds, always as many digits: nothing stands between it and the body, so a digit could change sides."""


class Keys:
    """Public keys, as SendGrid shows them: base64 of DER. What is none is a problem and checks nothing."""

    def __init__(self, given: Sequence[str]) -> None:
        read = [_key(text) for text in given]
        self._keys = [key for key in read if key is not None]
        self.problems = [
            f"verification_keys: the {place}. is no public key" for place, key in enumerate(read, 1) if key is None
        ]

    def check(self, raw: RawInbound) -> None:
        """Raises Unauthentic."""
        if raw.method != "POST":
            raise Unauthentic("only POST")
        timestamp = raw.headers.get(TIMESTAMP, "")
        signature = _canonical(raw.headers.get(SIGNATURE, ""))
        if signature is None or _TIMESTAMP.fullmatch(timestamp) is None:
            raise Unauthentic("no signature")
        if not any(_fits(key, signature, timestamp.encode() + raw.body) for key in self._keys):
            raise Unauthentic("a signature of none of our keys")


def _fits(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data, ECDSA(SHA256()))
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


def _key(text: str) -> EllipticCurvePublicKey | None:
    plain = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
    try:
        key = load_der_public_key(b64decode(plain, validate=True))
    except (BadText, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1) else None
