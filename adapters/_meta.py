"""What Meta's platforms share: signed webhooks, the handshake of a subscription, reading JSON that bends its own rules.

Rule: the signature is checked on the bytes as they came. Meta escapes non-ASCII text: a re-serialised body never fits.
Rule: what can not be read harms itself only. A key of an unexpected shape is left out of its object, and who asks
learns what was left out.
"""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from adapters.base import Malformed, RawInbound, Reply, Unauthentic
from normalizer import codec

T = TypeVar("T")

MAX_DEPTH = 64
"""Levels of JSON that are read when a body is nested too deeply to be read whole."""
_SIGNED = re.compile(r"sha256=[0-9a-f]{64}")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_object = msgspec.json.Decoder(dict[str, Raw])


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


class Reader(Generic[T]):
    """Decodes one struct whose fields are all optional."""

    def __init__(self, type: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(type)

    def read(self, data: bytes | Raw) -> tuple[T | None, tuple[str, ...]]:
        """The struct and the keys that were left out; None when the data is no object at all."""
        try:
            return self._decoder.decode(data), ()
        except (msgspec.DecodeError, RecursionError):
            return self._salvage(data)

    def _salvage(self, data: bytes | Raw) -> tuple[T | None, tuple[str, ...]]:
        try:
            fields = _object.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return None, ()
        good = {key: value for key, value in fields.items() if self._fits(key, value)}
        left_out = tuple(key for key in fields if key not in good)
        return self._decoder.decode(msgspec.json.encode(good)), left_out

    def _fits(self, key: str, value: Raw) -> bool:
        try:
            self._decoder.decode(msgspec.json.encode({key: value}))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


def body_of(raw: RawInbound, type: type[T]) -> T:
    """The outermost object of a request. Raises Malformed."""
    data = _valid_utf8(raw.body)
    try:
        return codec.loads(data, type)
    except msgspec.ValidationError as error:
        raise Malformed(f"the body is not what is documented: {error}") from None
    except msgspec.DecodeError:
        pass
    try:
        return codec.loads(prune(data, MAX_DEPTH), type)
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not what is documented: {error}") from None


def _valid_utf8(data: bytes) -> bytes:
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def prune(data: bytes, depth: int) -> bytes:
    """JSON with everything below `depth` levels replaced by null, whatever its nesting; not recursive."""
    kept, start, level = bytearray(), 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            level += 1
            if level == depth + 1:
                kept += data[start : token.start()] + b"null"
        elif token[0] in b"]}":
            level -= 1
            if level == depth:
                start = token.end()
    return bytes(kept + data[start:]) if level <= depth else bytes(kept)
