"""What Meta's platforms share: signed webhooks, and the handshake of a subscription.

Rule: the signature is checked on the bytes as they came. Meta escapes non-ASCII text: a re-serialised body never fits.
"""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import parse_qsl

from adapters.base import RawInbound, Reply, Unauthentic

_SIGNED = re.compile(r"sha256=[0-9a-f]{64}")


class Signatures:
    """`X-Hub-Signature-256` under any of several app secrets, so that a secret can be replaced without a gap."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # A keyed copy saves the two hash blocks that keying costs.
        self._keyed = tuple(hmac.new(secret.encode(), digestmod=sha256) for secret in secrets if secret)

    def check(self, header: str, body: bytes) -> None:
        """Raises Unauthentic."""
        if not _SIGNED.fullmatch(header):
            raise Unauthentic("no usable x-hub-signature-256")
        given = header[7:]
        fits = False
        for keyed in self._keyed:
            # Every secret is tried, so that the time tells nothing about which one fits.
            fits |= hmac.compare_digest(self._digest(keyed, body), given)
        if not fits:
            raise Unauthentic("the signature fits no app secret")

    @staticmethod
    def _digest(keyed: hmac.HMAC, body: bytes) -> str:
        fresh = keyed.copy()
        fresh.update(body)
        return fresh.hexdigest()


def signature(secret: str, body: bytes) -> str:
    """The header's value, as the provider makes it."""
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def handshake(raw: RawInbound, token: str | None) -> Reply:
    """Answers the GET that subscribes a callback URL. Raises Unauthentic."""
    try:
        fields = dict(parse_qsl(raw.query, keep_blank_values=True, max_num_fields=32))
    except ValueError as error:
        raise Unauthentic("unreadable query") from error
    given = fields.get("hub.verify_token", "").encode("utf-8", "surrogatepass")
    if not token or not hmac.compare_digest(given, token.encode()):
        raise Unauthentic("wrong verify token")
    challenge = fields.get("hub.challenge", "")
    if fields.get("hub.mode") != "subscribe" or not challenge:
        raise Unauthentic("no subscription")
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return Reply(200, headers, challenge.encode("utf-8", "replace"))
