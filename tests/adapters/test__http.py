"""Which status means what, forms, and signatures of a body."""

import hmac

import pytest

from adapters._http import (
    MAX_FIELDS,
    MAX_FORM_BYTES,
    MAX_RETRY_AFTER_S,
    accepted_id,
    check_hmac,
    form_fields,
    post_form,
    retry_after,
    status_error,
    url_problem,
)
from adapters.base import Auth, Malformed, NoAnswer, RawInbound, Refused, Reply, Unauthentic
from tests.kit.cases import ENDPOINT, NOW


@pytest.mark.parametrize(
    ("status", "want"),
    [
        (401, ("CredentialsRefused", False, True)),
        (403, ("CredentialsRefused", False, True)),
        (404, ("Refused", False, True)),
        (302, ("Refused", False, True)),
        (408, ("Unavailable", True, False)),
        (429, ("Throttled", True, True)),
        (500, ("Unavailable", True, False)),
        (502, ("Unavailable", True, False)),
        (503, ("Unavailable", True, True)),
        (504, ("Unavailable", True, False)),
        (599, ("Unavailable", True, True)),
        (100, ("NoAnswer", True, False)),
    ],
)
def test_status_error(status: int, want: tuple[str, bool, bool]) -> None:
    """What may have gone out is not certain."""
    error = status_error(Reply(status))
    assert (type(error).__name__, error.retryable, error.certain) == want


def test_who_knows_better_says_so() -> None:
    """A number in the body proves that the provider itself answered."""
    assert status_error(Reply(500), certain=True).certain


@pytest.mark.parametrize(
    ("given", "want"),
    [("2", 2.0), ("0", 0.0), ("1e9", MAX_RETRY_AFTER_S), ("-1", None), ("nan", None), ("soon", None), ("", None)],
)
def test_retry_after(given: str, want: float | None) -> None:
    """Seconds, within reason."""
    assert retry_after(Reply(429, {"Retry-After": given})) == want
    assert status_error(Reply(429, {"retry-after": given})).retry_after_s == want


# --- forms and signatures -----------------------------------------------------------------------------------------


def posted(body: bytes, method: str = "POST", **headers: str) -> RawInbound:
    return RawInbound(
        id="r", endpoint_id=ENDPOINT, origin="webhook", received_at=NOW, method=method, body=body, headers=headers
    )


def test_a_form_is_read_as_it_is() -> None:
    """Blank fields included; what is no UTF-8 is mended; the last of a name counts."""
    assert form_fields(posted(b"a=+1+&b=&c=%ff&a=2")) == {"a": "2", "b": "", "c": "\ufffd"}


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (b"a=" + b"x" * (MAX_FORM_BYTES - 2), True),
        (b"a=" + b"x" * (MAX_FORM_BYTES - 1), False),
        (b"&".join(b"f%d=1" % n for n in range(MAX_FIELDS)), True),
        (b"&".join(b"f%d=1" % n for n in range(MAX_FIELDS + 1)), False),
        (b"", False),
    ],
)
def test_limits_of_a_form(body: bytes, fits: bool) -> None:
    """At each limit and one past it."""
    if fits:
        assert form_fields(posted(body))
    else:
        with pytest.raises(Malformed):
            form_fields(posted(body))


def test_check_hmac() -> None:
    """A body under its secret; another secret, an empty one, another method or nothing at all is refused."""
    right = hmac.new(b"s", b"body", "sha256").hexdigest()
    check_hmac(posted(b"body", proof=right), "s", "proof")
    empty = hmac.new(b"", b"body", "sha256").hexdigest()
    for raw, secret in (
        (posted(b"body", proof=right), "t"), (posted(b"body", proof=empty), ""), (posted(b"body"), "s"),
        (posted(b"body", "PUT", proof=right), "s"), (posted(b"body", proof="\ud800é"), "s"),
    ):  # fmt: skip
        with pytest.raises(Unauthentic):
            check_hmac(raw, secret, "proof")


def test_post_form() -> None:
    """Whatever the text, lone surrogates included."""
    call = post_form("https://x", {"a": "é +\ud800"}, Auth("token"))
    assert (call.method, call.body, call.auth) == ("POST", b"a=%C3%A9+%2B%3F", Auth("token"))


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (200, b'{"id":"x"}', "x"),
        (201, b'{"id":7}', "7"),
        (200, b'{"id":""}', NoAnswer),
        (200, b'{"id":0}', NoAnswer),
        (200, b'{"id":[]}', NoAnswer),
        (200, b"[]", NoAnswer),
        (200, b"<html>", NoAnswer),
        (200, b'{"a":' * 100_000, NoAnswer),
        (400, b'{"id":"x"}', Refused),
    ],
)
def test_accepted_id(status: int, body: bytes, want: str | type[Exception]) -> None:
    """Only a 2xx with an id is success."""
    if isinstance(want, str):
        assert accepted_id(Reply(status, {}, body), "id") == want
    else:
        with pytest.raises(want):
            accepted_id(Reply(status, {}, body), "id")


@pytest.mark.parametrize(
    "url",
    [
        "", "gw.example.test", "ftp://x", "https://", "https://a?b=1", "https://u:p@a", "https://:p@a", "https://[::1",
        "https://a:b", "https://a:0", "https://a:99999",
    ],
)  # fmt: skip
def test_an_address_that_can_not_be(url: str) -> None:
    assert url_problem("api_url", url, like="https://x/api") == [
        "api_url must be like https://x/api, without a query or a user name"
    ]


@pytest.mark.parametrize("url", ["https://gw.example.test/a#rc=5", "http://127.0.0.1:9000/api", "http://[::1]:8080"])
def test_an_address_that_may_be(url: str) -> None:
    assert url_problem("api_url", url) == []
