"""What a log, a trace or an error text may say of a call: ids, host, status; and how secrets leave a text.

Rule: never a header's value, a body, a path or a query. Paths hold phone numbers, queries hold tokens.
Rule: who must print foreign text (an error of a library) redacts it first.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from json import dumps
from typing import Literal
from urllib.parse import quote, quote_plus

from msgspec import Struct
from yarl import URL

from adapters.base import Call, HttpCall, MailCall, PushCall
from normalizer.ids import EndpointId

HIDDEN = "***"


class SeenCall(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call as a log line or a counter may know it."""

    endpoint_id: EndpointId
    kind: Literal["http", "mail", "push"]
    method: str = ""
    host: str = ""
    status: int | None = None
    error: str | None = None
    """The code of the SendError, when there was no answer."""
    detail: str = ""
    """Its text: facts of ours, such as the exception's class."""
    duration_ms: float = 0.0


def describe(endpoint: EndpointId, call: Call) -> SeenCall:
    match call:
        case HttpCall():
            return SeenCall(endpoint_id=endpoint, kind="http", method=call.method, host=host_of(call.url))
        case MailCall():
            return SeenCall(endpoint_id=endpoint, kind="mail", host=call.server.host)
        case PushCall():
            return SeenCall(endpoint_id=endpoint, kind="push")


def host_of(url: str) -> str:
    """Empty when it has none, or is no URL."""
    try:
        return URL(url).raw_host or ""
    except ValueError:
        return ""


def redact(text: str, secrets: Iterable[str]) -> str:
    """Hides each secret, also where it is percent-encoded, JSON-escaped or inside base64 (Basic credentials)."""
    spellings = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
    if not spellings:
        return text
    # The longest first: a secret that begins with another leaves no tail behind.
    pattern = "|".join(re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True))
    return re.sub(pattern, HIDDEN, text)


def _spellings(secret: str) -> set[str]:
    plain = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), dumps(secret)[1:-1]}
    return plain | {spelling for spelling in _inside_base64(secret.encode()) if len(spelling) >= 8}


def _inside_base64(secret: bytes) -> set[str]:
    """The characters that the secret alone decides, for each of the three places where it can begin."""
    found = set()
    for before in range(3):
        encoded = b64encode(b"\0" * before + secret).decode("ascii").rstrip("=")
        whole = (before + len(secret)) * 8 // 6
        core = encoded[-(-before * 8 // 6) : whole]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found
