"""Names of errors to the catalogue."""

import pytest

from adapters.base import CredentialsRefused, NoAnswer, Refused, Reply, SendError, Throttled, Unavailable
from adapters.slack.codes import CODES, MAX_RETRY_AFTER_S, error_name, send_error


@pytest.mark.parametrize("name", CODES)
def test_every_name_has_words_of_ours(name: str) -> None:
    """And says whether the message surely did not go out."""
    error = send_error(Reply(200, {}, b'{"ok":false,"error":"%s"}' % name.encode()))
    assert type(error) is CODES[name].error
    assert (error.provider_code, error.text) == (name, CODES[name].text)
    assert error.certain is (name not in ("internal_error", "fatal_error"))


@pytest.mark.parametrize(
    ("status", "body", "want", "certain"),
    [
        (429, b'{"ok":false,"error":"moon"}', Throttled, True),
        (429, b'{"ok":false,"error":"invalid_auth"}', Throttled, True),
        (503, b'{"ok":false,"error":"moon"}', Unavailable, True),
        (500, b'{"ok":false,"error":"moon"}', Unavailable, False),
        (400, b'{"ok":false,"error":"moon"}', Refused, True),
        (401, b"", CredentialsRefused, True),
        (408, b"", Unavailable, False),
        (302, b"", Refused, True),
        (200, b"", NoAnswer, False),
    ],
)
def test_by_status(status: int, body: bytes, want: type[SendError], certain: bool) -> None:
    """Where no name is known the status tells."""
    error = send_error(Reply(status, {}, body))
    assert (type(error), error.certain) == (want, certain)


@pytest.mark.parametrize(
    ("given", "want"),
    [("30", 30.0), ("0", 0.0), ("-1", None), ("nan", None), ("inf", None), ("soon", None), ("1e12", MAX_RETRY_AFTER_S)],
)
def test_retry_after(given: str, want: float | None) -> None:
    """Whatever stands in the header."""
    assert send_error(Reply(429, {"Retry-After": given}, b"")).retry_after_s == want


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b'{"ok":false,"error":"invalid_auth"}', "invalid_auth"),
        (b'{"ok":false,"error":"restricted_action:x"}', "restricted_action:x"),
        (b'{"ok":false,"error":"call me at +1 555"}', None),
        (b'{"ok":false,"error":"' + b"a" * 65 + b'"}', None),
        (b'{"ok":true,"error":"invalid_auth"}', None),
        (b'{"ok":false,"error":5}', None),
        (b'{"ok":false}', None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_a_name(body: bytes, want: str | None) -> None:
    """Anything else could hold anybody's words."""
    assert error_name(Reply(200, {}, body)) == want


def test_a_limit_of_one_conversation() -> None:
    found = [send_error(Reply(429, {}, b""), recipient=recipient) for recipient in (True, False)]
    assert [error.scope for error in found if isinstance(error, Throttled)] == ["recipient", "channel"]
