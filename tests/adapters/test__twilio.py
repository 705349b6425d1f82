"""Signatures against the vectors of Twilio's library and our own, forms, calls and errors."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._twilio import (
    MAX_FIELDS,
    NOTHING,
    Api,
    Form,
    Meaning,
    Signatures,
    addressed,
    ask,
    basic,
    build,
    form_of,
    query_of,
    send_error,
    signed_url,
)
from adapters.base import (
    Adapter,
    Auth,
    Malformed,
    RawInbound,
    Refused,
    Registration,
    Reply,
    Throttled,
    Unauthentic,
)
from tests.kit import FORM, Subject, check_forged, check_refused, drive, forged_body, forged_header, form

TOKEN, OLD_TOKEN = "12345", "54321"
URL = "https://gw.example.test/hooks/sms?k=a%2Bb&e="
HEADER = "x-twilio-signature"
FIELDS: Mapping[str, str | Sequence[str]] = {
    "MessageSid": "SM1",
    "From": "whatsapp:+15550001",
    "Body": " héllo + 😀 ",
    "ToCity": "",
    "Digits": ["5678", "1234", "1234"],
}


def signature(url: str, fields: Mapping[str, str | Sequence[str]] | None = None, token: str = TOKEN) -> str:
    """Made here from the standard library alone: the adapter's own way is what is tested."""
    text = url
    for name in sorted(fields or {}):
        values = (fields or {})[name]
        text += "".join(name + value for value in sorted({values} if isinstance(values, str) else set(values)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Signed:
    """The least that verifies."""

    def __init__(self) -> None:
        self._signatures = Signatures((TOKEN, OLD_TOKEN))

    def verify(self, raw: RawInbound) -> None:
        self._signatures.check(raw, signed_url(raw))


SUBJECT = Subject(
    Registration(type="signed", config=Signed, build=lambda *_: cast(Adapter, Signed())),
    None,
    lambda raw: {HEADER: "?"},
    (TOKEN, OLD_TOKEN),
)


def raw(
    url: str, given: str | None, body: bytes = b"", *, type: str | None = FORM, method: str = "POST", **facts: Any
) -> RawInbound:
    headers = {"content-type": type} if type and body else {}
    if given is not None:
        headers[HEADER] = given
    return SUBJECT.raw(body, headers=headers, method=method, public_url=url, **facts)


def accepted(request: RawInbound) -> bool:
    try:
        SUBJECT.adapter.verify(request)
    except Unauthentic:
        return False
    return True


# --- vectors ------------------------------------------------------------------------------------------------------

APP = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
    "Caller": "+14158675309",
}
JSON_BODY = b'{"property": "value", "boolean": true}'
JSON_SHA = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
GOOD: dict[str, RawInbound] = {
    "a form": raw(APP, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", form(CALL)),
    "the URL was configured with port 443": raw(
        APP.replace(".com", ".com:443"), "RSOYDt4T1cUTdK1PDd93/VVr8B8=", form(CALL)
    ),
    "Twilio added port 443": raw(APP, "kvajT1Ptam85bY51eRf/AJRuM3w=", form(CALL)),
    "port 443 on both sides": raw(APP.replace(".com", ".com:443"), "kvajT1Ptam85bY51eRf/AJRuM3w=", form(CALL)),
    "http with port 80": raw(
        APP.replace("https", "http").replace(".com", ".com:80"), "0ZXoZLH/DfblKGATFgpif+LLRf4=", form(CALL)
    ),
    "http with a port of its own": raw(
        APP.replace("https", "http").replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", form(CALL)
    ),
    "a name that occurs several times": raw(
        APP,
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        form({"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]}),
    ),
    "JSON": raw(f"{APP}&bodySHA256={JSON_SHA}", "a9nBmqA0ju/hNViExpshrM61xv4=", JSON_BODY, type="application/json"),
    "a socket": raw("https://gw.example.test/relay", "p+oSQMyNMhaRuXGGAHTjRs++RsI=", method="GET", origin="live"),
    "blanks at the ends, an emoji and an empty field": raw(
        "https://gw.example.test/twilio/sms",
        "Jafs6MqMFbzYp7LKXsZtuzITEVY=",
        form({"Body": " héllo + 😀 ", "ToCity": "", "From": "whatsapp:+15550001", "MessageSid": "SM1"}),
    ),
    "a GET": raw("https://gw.example.test/s?a=1&b=%2B2", "lAHc1hbLzY0J0TgnSHmi0oMUhXY=", method="GET"),
    "the second token": raw(URL, signature(URL, FIELDS, OLD_TOKEN), form(FIELDS)),
    "the signature over a URL without its fragment": raw(URL + "#rc=5&rp=all", signature(URL, FIELDS), form(FIELDS)),
    "a type with a parameter": raw(URL, signature(URL, FIELDS), form(FIELDS), type=f"{FORM}; charset=UTF-8"),
    "a form that does not say what it is": raw(URL, signature(URL, FIELDS), form(FIELDS), type=None),
    "JSON that does not say what it is": raw(
        f"{APP}&bodySHA256={JSON_SHA}", "a9nBmqA0ju/hNViExpshrM61xv4=", JSON_BODY, type=None
    ),
    "a POST of nothing": raw(URL, signature(URL)),
    "the hash in capitals": raw(
        f"{URL}&bodySHA256={JSON_SHA.upper()}",
        signature(f"{URL}&bodySHA256={JSON_SHA.upper()}"),
        JSON_BODY,
        type="application/json",
    ),
}


@pytest.mark.parametrize("label", GOOD)
def test_signed(label: str) -> None:
    """Twilio's own vectors, ours, and what its servers are known to do."""
    assert accepted(GOOD[label])


def test_a_shared_key_signs_with_sha256() -> None:
    """The header names the algorithm; one that nobody knows is no signature."""
    url, settings = "https://gw.example.test/s", "x-twilio-webhooks-signature-settings"
    digest = hmac.new(TOKEN.encode(), (url + "aA" + "b").encode(), hashlib.sha256).digest()
    good = raw(url, base64.b64encode(digest).decode(), form({"a": "A", "b": ""}))
    for name, fits in (("HMAC_SHA256", True), ("HMAC_SHA1", False), ("HMAC_MD5", False), ("", False)):
        headers = {**good.headers, settings: f"key=webhooks_sharedkey_1,algorithm={name}"}
        assert accepted(msgspec.structs.replace(good, headers=headers)) is fits


# --- forgery ------------------------------------------------------------------------------------------------------

REQUEST = raw(URL, signature(URL, FIELDS), form(FIELDS))
BODY = form(FIELDS)
SIGNATURE = signature(URL, FIELDS)
JSON_URL = f"{URL}&bodySHA256={JSON_SHA}"


def _other(**changes: Any) -> bytes:
    return form({**FIELDS, **changes})


FORGED: dict[str, RawInbound] = {
    **forged_header(REQUEST, HEADER),
    **forged_body(REQUEST),
    "another text": raw(URL, SIGNATURE, _other(Body="other")),
    "a text without its blanks": raw(URL, SIGNATURE, _other(Body="héllo + 😀")),
    "a field more": raw(URL, SIGNATURE, _other(NumMedia="1")),
    "an empty field more": raw(URL, SIGNATURE, _other(FromCity="")),
    "a field less": raw(URL, SIGNATURE, form({k: v for k, v in FIELDS.items() if k != "ToCity"})),
    "a value of two less": raw(URL, SIGNATURE, _other(Digits="5678")),
    "a value more": raw(URL, SIGNATURE, _other(Digits=["5678", "1234", "9"])),
    "names in other case": raw(URL, SIGNATURE, BODY.replace(b"Body", b"body")),
    "a foreign token": raw(URL, signature(URL, FIELDS, "somebody else's"), BODY),
    "an empty token": raw(URL, signature(URL, FIELDS, ""), BODY),
    "a token without its last letter": raw(URL, signature(URL, FIELDS, TOKEN[:-1]), BODY),
    "SHA-256 without saying so": raw(
        URL, base64.b64encode(hmac.new(TOKEN.encode(), URL.encode(), hashlib.sha256).digest()).decode(), BODY
    ),
    "the URL alone": raw(URL, signature(URL), BODY),
    "the signature of an empty URL": raw(URL, signature("", FIELDS), BODY),
    "another host": raw(URL, signature(URL.replace("gw.", "evil."), FIELDS), BODY),
    "another path": raw(URL, signature(URL.replace("/sms", "/voice"), FIELDS), BODY),
    "http": raw(URL, signature(URL.replace("https", "http"), FIELDS), BODY),
    "another port": raw(URL, signature(URL.replace(".test", ".test:8443"), FIELDS), BODY),
    "the query decoded": raw(URL, signature(URL.replace("%2B", "+"), FIELDS), BODY),
    "no query": raw(URL, signature(URL.partition("?")[0], FIELDS), BODY),
    "with a fragment": raw(URL, signature(URL + "#rc=5", FIELDS), BODY),
    "a GET with a POST's signature": raw(URL, SIGNATURE, method="GET"),
    "a GET with a body": raw(URL, signature(URL), BODY, method="GET"),
    "a PUT": raw(URL, SIGNATURE, BODY, method="PUT"),
    "a form that says it is text": raw(URL, SIGNATURE, BODY, type="text/plain"),
    "JSON that no hash covers": raw(URL, signature(URL), JSON_BODY, type="application/json"),
    "JSON of another hash": raw(JSON_URL, signature(JSON_URL), JSON_BODY + b" ", type="application/json"),
    "JSON under an empty hash": raw(
        f"{URL}&bodySHA256=", signature(f"{URL}&bodySHA256="), JSON_BODY, type="application/json"
    ),
    "JSON as a form": raw(JSON_URL, signature(JSON_URL), JSON_BODY),
    "a hash that is not ASCII": raw(f"{URL}&bodySHA256=é", signature(f"{URL}&bodySHA256=é"), JSON_BODY, type="a/json"),
    "no text": raw(JSON_URL, signature(JSON_URL), b"\xff\xfe", type="application/json"),
    "a URL that is none": raw("https://[::1", signature("https://[::1", FIELDS), BODY),
    "more fields than are read": raw(URL, signature(URL), b"a&" * (MAX_FIELDS + 1)),
}


def test_forged() -> None:
    """None of the ways to almost sign is a signature, and none of them is an accident."""
    check_forged(SUBJECT, REQUEST, FORGED)
    assert len(FORGED) > 60


@given(st.binary(max_size=64), st.text(max_size=60), st.sampled_from([FORM, "application/json", "", "é"]))
def test_junk_never_verifies(body: bytes, given_header: str, type: str) -> None:
    """Whatever the body, the header and the type."""
    check_refused(SUBJECT, raw(URL, given_header, body, type=type))


def test_without_tokens_nothing_is_authentic() -> None:
    """No token, or an empty one, is never a key."""
    for tokens in ((), ("",)):
        with pytest.raises(Unauthentic):
            Signatures(tokens).check(raw(URL, signature(URL, FIELDS, ""), BODY), URL)


# --- the URL ------------------------------------------------------------------------------------------------------

HOOK = "http://10.0.0.5:8080/hooks/sms"


@pytest.mark.parametrize(
    ("public_url", "want"),
    [
        (None, f"{HOOK}/status?k=1"),
        ("https://gw.example.test", "https://gw.example.test/hooks/sms/status?k=1"),
        ("https://gw.example.test/", "https://gw.example.test/hooks/sms/status?k=1"),
        ("https://gw.example.test/twilio#rc=5&rp=all", "https://gw.example.test/twilio/status?k=1"),
        ("https://gw.example.test:8443/twilio/", "https://gw.example.test:8443/twilio/status?k=1"),
    ],
)
def test_the_url_as_twilio_was_told_it(public_url: str | None, want: str) -> None:
    """A host alone replaces the host; with a path it is the whole address."""
    request = SUBJECT.raw(b"", public_url=f"{HOOK}/status?k=1", path="/status", query="k=1")
    assert signed_url(request, public_url) == want


def test_the_url_without_one_of_our_own() -> None:
    """Where nothing else is known, the configured one is all."""
    assert addressed("", "?a=1", "https://gw.example.test") == "https://gw.example.test?a=1"
    assert addressed("", "/x/y?a=1", "https://gw.example.test/x/y") == "https://gw.example.test/x/y?a=1"
    assert addressed("", "/x/y/z", "https://gw.example.test/x/y") == "https://gw.example.test/x/y/z"
    assert addressed("", "/x/yz", "https://gw.example.test/x/y") == "https://gw.example.test/x/y/x/yz"
    assert addressed("", "", None) == ""


def test_a_socket_is_signed_as_one() -> None:
    """Over the `ws` form of the URL."""
    for scheme, want in (("https", "wss"), ("http", "ws")):
        request = SUBJECT.raw(b"", origin="live", public_url=f"{scheme}://gw.example.test/live/x")
        assert signed_url(request) == f"{want}://gw.example.test/live/x"


# --- forms --------------------------------------------------------------------------------------------------------


def test_a_form_is_read_as_it_is() -> None:
    """Blanks, pluses, repeated and empty fields; what is no UTF-8 is mended."""
    body = b"Body=+a%2Bb+%F0%9F%98%80+&ToCity=&D=1&D=2&x&odd=%ff"
    fields = form_of(raw(URL, None, body))
    assert fields == {"Body": [" a+b 😀 "], "ToCity": [""], "D": ["1", "2"], "x": [""], "odd": ["\ufffd"]}
    assert (fields.text("Body"), fields.text("D"), fields.text("none")) == (" a+b 😀 ", "1", "")
    assert json.loads(bytes(fields.slice())) == {
        "Body": " a+b 😀 ",
        "ToCity": "",
        "D": ["1", "2"],
        "x": "",
        "odd": "\ufffd",
    }


def test_a_get_has_its_fields_in_the_query() -> None:
    """And a POST has only our own there."""
    get = raw(URL, None, method="GET", query="Body=a%2Bb&k=")
    assert form_of(get) == query_of(get) == {"Body": ["a+b"], "k": [""]}
    post = raw(URL, None, b"Body=x", query="k=1")
    assert (form_of(post), query_of(post)) == ({"Body": ["x"]}, {"k": ["1"]})


def test_fields_are_counted() -> None:
    """At the limit and one past it."""
    assert len(form_of(raw(URL, None, b"&".join(b"f%d=1" % n for n in range(MAX_FIELDS))))) == MAX_FIELDS
    with pytest.raises(Malformed):
        form_of(raw(URL, None, b"a=1&" * MAX_FIELDS + b"a=1"))


def test_the_answer_that_does_nothing_is_twiml() -> None:
    """Plain text would be sent to the customer."""
    assert NOTHING.headers["content-type"].startswith("text/xml")
    assert NOTHING.body.endswith(b"<Response/>")


# --- calls and errors ---------------------------------------------------------------------------------------------

API = Api(account_sid="AC1", api_url="https://api.twilio.com/", auth=basic("AC1", None))


def test_calls_name_their_credential() -> None:
    """The account's token, or an API key where there is one."""
    call = API.post(API.url("/Messages.json"), {"To": "+1", "MediaUrl": ["a b", "c"], "Body": "é\ud800"})
    assert call.url == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json"
    assert call.body == b"To=%2B1&MediaUrl=a+b&MediaUrl=c&Body=%C3%A9%3F"
    assert call.auth == Auth("auth_token", scheme="basic", user="AC1")
    assert basic("AC1", "SK1") == Auth("api_key_secret", scheme="basic", user="SK1")
    assert API.get("https://x").method == "GET"
    assert json.loads(API.post_json("https://x", {"a": "é"}).body) == {"a": "é"}


def _error(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Any:
    return send_error(Reply(status, headers or {}, json.dumps(document).encode()), {30001: Meaning(Refused, "ours")})


@pytest.mark.parametrize(
    ("status", "document", "want"),
    [
        (401, {"code": 20003}, ("CredentialsRefused", False, True, "20003")),
        (401, {}, ("CredentialsRefused", False, True, None)),
        (403, {"code": 99}, ("CredentialsRefused", False, True, "99")),
        (429, {"code": 20429}, ("Throttled", True, True, "20429")),
        (429, [], ("Throttled", True, True, None)),
        (400, {"code": 30001}, ("Refused", False, True, "30001")),
        (400, {"code": "x"}, ("Refused", False, True, None)),
        (404, {"code": 20404}, ("Refused", False, True, "20404")),
        (500, {"code": 20500}, ("Unavailable", True, False, "20500")),
        (500, "oops", ("Unavailable", True, False, None)),
        (503, {"code": 20503}, ("Unavailable", True, True, "20503")),
        (503, None, ("Unavailable", True, True, None)),
        (504, None, ("Unavailable", True, False, None)),
        (302, None, ("Refused", False, True, None)),
        (100, None, ("NoAnswer", True, False, None)),
    ],
)
def test_errors(status: int, document: Any, want: tuple[Any, ...]) -> None:
    """By the code that we know, else by the status; a page of a gateway in between proves nothing."""
    error = _error(status, document)
    assert (type(error).__name__, error.retryable, error.certain, error.provider_code) == want


@pytest.mark.parametrize(
    ("given", "want"), [("2", 2.0), ("0", None), ("1e9", 604800.0), ("-1", None), ("nan", None), ("soon", None)]
)
def test_retry_after(given: str, want: float | None) -> None:
    assert _error(429, {"code": 20429}, {"Retry-After": given}).retry_after_s == want


def test_the_longer_wait_counts_and_a_limit_may_be_one_persons() -> None:
    """Of what the provider says now and what it says in general."""
    error = build(Meaning(Throttled, "slow", 60.0, recipient=True), "63018", 5.0)
    assert isinstance(error, Throttled)
    assert (error.retry_after_s, error.scope) == (60.0, "recipient")


def test_ask() -> None:
    """The answer as a struct, or a class of the catalogue."""
    call = API.get("https://x")
    driven = drive(ask(call, dict[str, int], {}), [Reply(201, {}, b'{"a":1}')])
    assert (driven.value, driven.calls) == ({"a": 1}, [call])
    for reply, name in ((Reply(200, {}, b"<"), "NoAnswer"), (Reply(400, {}, b"<"), "Refused")):
        assert type(drive(ask(call, Form, {}), [reply]).error).__name__ == name
