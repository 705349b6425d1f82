"""Whether Slack sent a request, and the two requests that are answered and not kept.

Rule: the signature is checked on the bytes as they came, before anything of them is read; its time may be five minutes
off, either way, by the time of arrival.
See https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import msgspec
from slack_sdk.signature import Clock, SignatureVerifier

from adapters.base import Malformed, RawInbound, Reply, Unauthentic
from adapters.slack.parse import form_of
from normalizer import codec

_SSL_CHECK_FIELDS = frozenset({"ssl_check", "token"})
_SSL_CHECK_MAX_BYTES = 1000


class _Challenge(msgspec.Struct, frozen=True):
    type: str | None = None
    challenge: str | None = None


class _Arrival(Clock):
    def __init__(self, raw: RawInbound) -> None:
        self._seconds = raw.received_at.timestamp()

    def now(self) -> float:
        return self._seconds


class Signatures:
    """Under any of several signing secrets, so that a secret can be replaced without a gap."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets

    def check(self, raw: RawInbound) -> None:
        """Raises Unauthentic."""
        clock, fits = _Arrival(raw), False
        for secret in self._secrets:
            # Every secret is tried, so that the time tells nothing about which one fits.
            fits |= _fits(SignatureVerifier(secret, clock), raw)
        if not fits:
            raise Unauthentic("the signature fits no signing secret, or its time is more than five minutes off")


def _fits(verifier: SignatureVerifier, raw: RawInbound) -> bool:
    headers = raw.headers
    try:
        return verifier.is_valid(
            raw.body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
        )  # fmt: skip
    except (ValueError, TypeError):
        # A time that is no number, a signature that is not ASCII, a body that is not UTF-8: Slack sends none of them.
        return False


def ssl_check(raw: RawInbound) -> Reply | None:
    """Slack looks now and then whether the certificate is good; unsigned. None: it is something else."""
    sent = raw.query.encode("utf-8", "replace") if raw.method == "GET" else raw.body
    if len(sent) > _SSL_CHECK_MAX_BYTES or b"ssl_check" not in sent:
        return None
    try:
        fields = form_of(sent)
    except Malformed:
        return None
    return Reply(200) if fields.get("ssl_check") == "1" and fields.keys() <= _SSL_CHECK_FIELDS else None


def challenge(raw: RawInbound) -> Reply | None:
    """The signed request that proves that a URL is ours. None: it is something else."""
    if b"url_verification" not in raw.body:
        return None
    try:
        told = codec.loads(raw.body, _Challenge)
    except msgspec.DecodeError:
        return None
    if told.type != "url_verification" or not told.challenge:
        return None
    headers = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
    return Reply(200, headers, codec.clean_text(told.challenge).encode())
