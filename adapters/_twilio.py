"""What Twilio's channels share: signed webhooks, forms, calls of its REST API and the errors that all of them have.

Rule: signatures are made and compared by Twilio's own validator; whatever it raises on odd input is no signature.
Rule: the signed URL is the one that was configured, with path and query as they came. It has no fragment: Twilio keeps
what stands behind `#` (its timeouts and retries) to itself.
Rule: every field is signed, blank ones too, so a form is read once, here, with nothing trimmed and nothing left out.
See https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import msgspec
from msgspec import Raw, Struct
from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA1,
    HMAC_SHA256,
    RequestValidator,
    get_signature_algorithm,
)

from adapters._http import retry_after, status_error
from adapters._plain import envelope
from adapters.base import (
    Auth,
    ChannelBlocked,
    CredentialsRefused,
    Flow,
    HttpCall,
    Malformed,
    NoAnswer,
    RawInbound,
    Refused,
    Reply,
    SendError,
    Throttled,
    Unauthentic,
    Unavailable,
)
from normalizer.envelope import Envelope, Unsupported

T = TypeVar("T")
FORM = "application/x-www-form-urlencoded"
TWIML = "text/xml; charset=utf-8"
NOTHING = Reply(200, {"content-type": TWIML}, b'<?xml version="1.0" encoding="UTF-8"?><Response/>')
"""The answer that does nothing. Plain text would be sent to the customer."""
MAX_FIELDS = 1000
MAX_FORM_BYTES = 500_000
"""Of one form; Twilio's have some thousands."""
MAX_WORD = 40
"""Characters of a word of Twilio's that we quote."""
_SIGNED = re.compile(r"[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=")
_ALGORITHMS = frozenset({HMAC_SHA1, HMAC_SHA256})


# --- forms --------------------------------------------------------------------------------------------------------


class Form(dict[str, list[str]]):
    """The fields of a request by their names, as Twilio's validator reads them."""

    def getall(self, name: str) -> list[str]:
        return self[name]

    def text(self, *names: str) -> str:
        """The first value under the first of these names that has one; empty where there is none."""
        return next((self[name][0] for name in names if name in self and self[name][0]), "")

    def slice(self) -> Raw:
        """For `Envelope.raw`: a JSON object, with a list where a name occurs several times."""
        fields = {name: values[0] if len(values) == 1 else values for name, values in self.items()}
        return Raw(json.dumps(fields).encode())


def form_of(raw: RawInbound) -> Form:
    """Of a POST's body, or of a GET's query. Raises Malformed."""
    return _form(raw.query if raw.method == "GET" else raw.body.decode("utf-8", "replace"))


def query_of(raw: RawInbound) -> Form:
    """What we wrote into the URL that we gave. Raises Malformed."""
    return _form(raw.query)


def _form(text: str) -> Form:
    if len(text) > MAX_FORM_BYTES:
        raise Malformed(f"a form of more than {MAX_FORM_BYTES} bytes")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Malformed(f"more than {MAX_FIELDS} fields") from None
    form = Form()
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


# --- envelopes ----------------------------------------------------------------------------------------------------


class _Event(Struct, frozen=True):
    id: Any = None
    type: Any = None


def is_json(raw: RawInbound) -> bool:
    return raw.method == "POST" and "json" in raw.headers.get("content-type", "").lower()


def events(raw: RawInbound, channel_type: str, account: str | None) -> list[Envelope]:
    """Event streams and hooks of other products come as JSON: kept, one by one. Raises Malformed."""
    try:
        found = msgspec.json.decode(raw.body, type=list[Raw] | dict[str, Raw])
        slices = found if isinstance(found, list) else [Raw(raw.body)]
        return [_event(raw, channel_type, account, slice_, place) for place, slice_ in enumerate(slices)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("neither a form nor JSON") from None


def _event(raw: RawInbound, channel_type: str, account: str | None, slice_: Raw, place: int) -> Envelope:
    try:
        event = msgspec.json.decode(slice_, type=_Event)
    except msgspec.ValidationError:
        event = _Event()
    kind = event.type[:MAX_WORD] if isinstance(event.type, str) else "unknown"
    key = f"event:{event.id}" if isinstance(event.id, str) and event.id else None
    body = Unsupported(what=f"event:{kind}", visible=False)
    return envelope(raw, channel_type, body, slice_, key=key, place=place, account=account)


# --- signatures ---------------------------------------------------------------------------------------------------


class Signatures:
    """`X-Twilio-Signature` under any of several auth tokens, so that a token can be replaced without a gap."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._validators = tuple(RequestValidator(token) for token in tokens if token)

    def check(self, raw: RawInbound, url: str) -> None:
        """`url`: see `signed_url`. Raises Unauthentic."""
        try:
            fits = self._fit(raw, url.partition("#")[0])
        except Exception:  # noqa: BLE001  the validator raises on odd input, and what it can not read is not signed
            fits = False
        if not fits:
            raise Unauthentic("the signature fits no auth token")

    def _fit(self, raw: RawInbound, url: str) -> bool:
        given = raw.headers.get("x-twilio-signature", "")
        algorithm = get_signature_algorithm(raw.headers.get("x-twilio-webhooks-signature-settings"))
        params = _signed_params(raw, url)
        if params is None or algorithm not in _ALGORITHMS or not _SIGNED.fullmatch(given):
            return False
        fits = False
        for validator in self._validators:
            # Every token is tried, so that the time tells nothing about which one fits.
            fits |= validator.validate(url, params, given, algorithm)
        return fits


def _signed_params(raw: RawInbound, url: str) -> Form | None:
    """The fields that are signed beside the URL. None: a part of the request would not be signed at all."""
    if raw.method != "POST" or not raw.body:
        return Form() if raw.method in ("GET", "POST") and not raw.body else None
    kind = raw.headers.get("content-type", "").partition(";")[0].strip().lower()
    named = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0].lower()
    if kind == FORM or not (kind or named):
        return form_of(raw)
    return Form() if hmac.compare_digest(sha256(raw.body).hexdigest(), named) else None


def signed_url(raw: RawInbound, public_url: str | None = None) -> str:
    """The URL that Twilio asked for: over `wss` when it opens a socket."""
    below = raw.path + (f"?{raw.query}" if raw.query else "")
    url = addressed(raw.public_url, below, public_url)
    return re.sub(r"\Ahttp(?=s?:)", "ws", url) if raw.origin == "live" else url


def addressed(url: str, below: str, public_url: str | None) -> str:
    """`url` as Twilio was told it. `public_url` with a path is the endpoint's whole address, to which `below` is added;
    without one it is another scheme and host for the same path. `below` may have been given whole."""
    own = (public_url or "").partition("#")[0].rstrip("/")
    if not own:
        return url
    path = urlsplit(own).path
    if not url or path:
        return own + re.sub(rf"\A{re.escape(path)}(?=[/?]|\Z)", "", below)
    parts = urlsplit(url)
    return own + url.removeprefix(f"{parts.scheme}://{parts.netloc}")


def rfc2822(date: object) -> datetime | None:
    """A time as the REST API writes it; webhooks of messages have none."""
    try:
        found = parsedate_to_datetime(date) if isinstance(date, str) and date else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC) if found else None


# --- calls --------------------------------------------------------------------------------------------------------


class Api(Struct, frozen=True, kw_only=True):
    """The REST API as one account of ours sees it. A call names the credential; the transport puts it in."""

    account_sid: str
    api_url: str
    auth: Auth

    def url(self, path: str) -> str:
        return f"{self.api_url.rstrip('/')}/2010-04-01/Accounts/{self.account_sid}{path}"

    def get(self, url: str) -> HttpCall:
        return HttpCall(method="GET", url=url, auth=self.auth)

    def post(self, url: str, fields: Mapping[str, str | Sequence[str]]) -> HttpCall:
        body = urlencode(fields, doseq=True, errors="replace").encode()
        return HttpCall(method="POST", url=url, headers={"content-type": FORM}, body=body, auth=self.auth)

    def post_json(self, url: str, document: Any) -> HttpCall:
        body = json.dumps(document).encode()
        return HttpCall(method="POST", url=url, headers={"content-type": "application/json"}, body=body, auth=self.auth)


def basic(account_sid: str, api_key_sid: str | None) -> Auth:
    """An API key where there is one, else the account's auth token."""
    if api_key_sid:
        return Auth("api_key_secret", scheme="basic", user=api_key_sid)
    return Auth("auth_token", scheme="basic", user=account_sid)


class Meaning(NamedTuple):
    error: type[SendError]
    text: str
    retry_after_s: float | None = None
    recipient: bool = False
    """A limit that holds for this recipient alone."""
    certain: bool = True


Codes = Mapping[int, Meaning]


def ask(call: HttpCall, type: type[T], codes: Codes) -> Flow[T]:
    """The readable answer to a call. Raises SendError; NoAnswer for a 2xx that can not be read."""
    reply: Reply = yield call
    if not 200 <= reply.status < 300:
        raise send_error(reply, codes)
    try:
        return msgspec.json.decode(reply.body, type=type, strict=False)  # a number may be a text
    except (msgspec.DecodeError, RecursionError):
        raise NoAnswer(f"status {reply.status} with an unreadable body") from None


# --- errors -------------------------------------------------------------------------------------------------------

COMMON: Codes = {
    20001: Meaning(Refused, "a parameter is missing or wrong"),
    20003: Meaning(CredentialsRefused, "the credentials are wrong, or not allowed to do this"),
    20005: Meaning(ChannelBlocked, "the account is not active"),
    20006: Meaning(CredentialsRefused, "the credentials are not allowed to do this"),
    20008: Meaning(CredentialsRefused, "test credentials can not do this"),
    20404: Meaning(Refused, "there is no such thing"),
    20429: Meaning(Throttled, "too many requests at once"),
    20500: Meaning(Unavailable, "an error at the provider", certain=False),
    20503: Meaning(Unavailable, "the provider's service is down for a moment"),
    20504: Meaning(Unavailable, "the provider took too long", certain=False),
}
"""See https://www.twilio.com/docs/api/errors"""
UNKNOWN = "an error that this program does not know"


class _ErrorAnswer(Struct, frozen=True):
    code: int | None = None


_read_error = msgspec.json.Decoder(_ErrorAnswer, strict=False)


def send_error(reply: Reply, codes: Codes) -> SendError:
    """Of an answer that is no 2xx; by its code where we know that, else by its status. The words are ours."""
    code, wait_s = _code_in(reply), retry_after(reply)
    if code is not None and (found := codes.get(code) or COMMON.get(code)):
        return build(found, str(code), wait_s)
    error = status_error(reply, certain=True if code is not None else None)
    error.provider_code = None if code is None else str(code)
    return error


def build(found: Meaning, provider_code: str, retry_after_s: float | None = None) -> SendError:
    wait_s = max(filter(None, (retry_after_s, found.retry_after_s)), default=None)
    facts: dict[str, Any] = {"provider_code": provider_code, "retry_after_s": wait_s, "certain": found.certain}
    if found.error is Throttled:
        scope: Literal["channel", "recipient"] = "recipient" if found.recipient else "channel"
        return Throttled(found.text, scope=scope, **facts)
    return found.error(found.text, **facts)


def _code_in(reply: Reply) -> int | None:
    try:
        return _read_error.decode(reply.body).code
    except (msgspec.DecodeError, RecursionError):
        return None
