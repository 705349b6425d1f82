"""What plain HTTP providers do alike: addresses, forms, signatures of a body, and what an answer says of a send.

Rule: a page that a gateway in between may have written proves nothing: such a send may have gone out.
"""

import hmac
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import msgspec

from adapters.base import (
    Auth,
    CredentialsRefused,
    Flow,
    HttpCall,
    Malformed,
    MediaFailed,
    NoAnswer,
    RawInbound,
    Refused,
    Reply,
    SendError,
    Throttled,
    Unauthentic,
    Unavailable,
)
from normalizer.ids import ExternalId

FORM = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 100_000
MAX_FIELDS = 1000
MAX_REDIRECTS = 3

MAX_RETRY_AFTER_S = 7 * 86_400.0
NOT_SURELY_REFUSED = frozenset({408, 500, 502, 504})
"""A gateway may answer these for a call that did go through."""


def status_error(reply: Reply, certain: bool | None = None) -> SendError:
    """Of an answer that is no 2xx. `certain` None: by the status."""
    if certain is None:
        certain = reply.status not in NOT_SURELY_REFUSED
    make: Callable[..., SendError]
    match reply.status:
        case 401 | 403:
            make = CredentialsRefused
        case 429:
            make = Throttled
        case status if status == 408 or status >= 500:
            make = Unavailable
        case status if status >= 300:
            make = Refused
        case _:
            return NoAnswer(f"status {reply.status}")
    return make(f"status {reply.status}", retry_after_s=retry_after(reply), certain=certain)


def retry_after(reply: Reply) -> float | None:
    """Seconds; the form with a date is not used here."""
    given = header(reply, "retry-after")
    try:
        seconds = float(given)
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds >= 0 else None


def header(reply: Reply, name: str) -> str:
    """Empty: it has none. `name` in lower case."""
    return next((value for known, value in reply.headers.items() if known.lower() == name), "")


def follow(reply: Reply, url: str, call: Callable[[str], HttpCall]) -> Flow[Reply]:
    """To where the redirects lead, each by a call that `call` makes of its URL. Raises MediaFailed."""
    for _ in range(MAX_REDIRECTS):
        if not 300 <= reply.status < 400:
            return reply
        url = _joined(url, header(reply, "location"))
        reply = yield call(url)
    raise MediaFailed("too many redirects")


def _joined(url: str, place: str) -> str:
    try:
        joined = urljoin(url, place)
        if place and urlsplit(joined).scheme in ("http", "https"):
            return joined
    except ValueError:
        pass
    raise MediaFailed("a redirect that leads nowhere")


def post_form(url: str, fields: Mapping[str, str], auth: Auth) -> HttpCall:
    body = urlencode(fields, errors="replace").encode()
    return HttpCall(method="POST", url=url, headers={"content-type": FORM}, body=body, auth=auth)


def accepted_id(reply: Reply, name: str) -> ExternalId:
    """The id under this key of a JSON answer. Raises SendError; NoAnswer for a 2xx without one."""
    if not 200 <= reply.status < 300:
        raise status_error(reply)
    try:
        found = msgspec.json.decode(reply.body, type=dict[str, Any]).get(name)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, str | int) or not found:
        raise NoAnswer("accepted without an id")
    return ExternalId(str(found))


def url_problem(key: str, url: str, like: str = "https://example.org") -> Sequence[str]:
    """Of a setting that is a URL. A fragment may stay, as people copy it from a provider's console."""
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
        fits = named and not parts.query and "@" not in parts.netloc
    except ValueError:
        fits = False
    return [] if fits else [f"{key} must be like {like}, without a query or a user name"]


def form_fields(raw: RawInbound) -> dict[str, str]:
    """Of a form that was posted, blank ones included; the last of a name counts. Raises Malformed."""
    if len(raw.body) > MAX_FORM_BYTES:
        raise Malformed(f"a form of more than {MAX_FORM_BYTES} bytes")
    try:
        fields = dict(parse_qsl(raw.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise Malformed(f"more than {MAX_FIELDS} fields") from None
    if not fields:
        raise Malformed("a form without fields")
    return fields


def check_hmac(raw: RawInbound, secret: str, header: str) -> None:
    """A POST whose header is the HMAC-SHA256 of its body, in hexadecimal. Raises Unauthentic."""
    right = hmac.new(secret.encode(), raw.body, "sha256").hexdigest().encode()
    given = raw.headers.get(header, "").encode("utf-8", "replace")
    if raw.method != "POST" or not secret or not hmac.compare_digest(right, given):
        raise Unauthentic("the signature does not fit")
